// What every page of the admin runs: times that stay right, and live arrival where the page has a place for it.

import { keepTimesRight } from "./times.js";
import { connect } from "./connection.js";
import { liveList } from "./list.js";
import { liveDecision } from "./decision.js";
import { liveOverview } from "./overview.js";
import { liveRun } from "./run.js";
import { closeMenusOutside } from "./menu.js";
import { toastMessages } from "./toast.js";

const live = { list: liveList, decision: liveDecision, overview: liveOverview, run: liveRun };

keepTimesRight();
closeMenusOutside();
toastMessages();

// On a phone the tabs are wider than the page: begin with the one that is open.
for (const current of document.querySelectorAll("nav > [aria-current]")) {
  const tabs = current.parentElement;
  tabs.scrollLeft = current.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2;
}

// What is typed as a time is the reader's own; the server is told which zone that is.
for (const zoned of document.querySelectorAll("[data-time-zone]")) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (!timeZone) break;
  if (zoned instanceof HTMLInputElement) zoned.value = timeZone;
  else zoned.textContent = timeZone;
}

const place = document.querySelector("[data-live]");
if (place) {
  connect(live[place.dataset.live](place));
}
