// What every page of the admin runs: times that stay right, and live arrival where the page has a place for it.

import { keepTimesRight } from "./times.js";
import { connect } from "./connection.js";
import { liveList } from "./list.js";
import { liveDecision } from "./decision.js";
import { liveOverview } from "./overview.js";
import { closeMenusOutside } from "./menu.js";

const live = { list: liveList, decision: liveDecision, overview: liveOverview };

keepTimesRight();
closeMenusOutside();

const place = document.querySelector("[data-live]");
if (place) {
  connect(live[place.dataset.live](place));
}
