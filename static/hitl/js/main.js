// What every page of the admin runs: times that stay right, and live arrival where the page has a place for it.

import { keepTimesRight } from "./times.js";
import { timeZone } from "./zone.js";
import { connect } from "./connection.js";
import { liveList } from "./list.js";
import { liveDecision } from "./decision.js";
import { liveOverview } from "./overview.js";
import { liveRun } from "./run.js";
import { keys } from "./keys.js";
import { closeMenusOutside } from "./menu.js";
import { toastMessages } from "./toast.js";
import { drawCharts } from "./charts.js";
import { ringer } from "./ring.js";
import { install } from "./install.js";
import { nameStockForms } from "./stock.js";

const live = { list: liveList, decision: liveDecision, overview: liveOverview, run: liveRun };

keepTimesRight();
closeMenusOutside();
toastMessages();
drawCharts();
install();
nameStockForms();

// On a phone the tabs are wider than the page: begin with the one that is open.
for (const current of document.querySelectorAll(":is(nav, .section-links) > [aria-current]")) {
  const tabs = current.parentElement;
  tabs.scrollLeft = current.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2;
}

// What is typed as a time is in the reader's zone; the server is told which one that is.
for (const zoned of document.querySelectorAll("[data-time-zone]")) {
  if (!timeZone) break;
  if (zoned instanceof HTMLInputElement) zoned.value = timeZone;
  else zoned.textContent = timeZone;
}

const place = document.querySelector("[data-live]");
if (place) {
  connect(live[place.dataset.live](place), ringer());
}
keys();
