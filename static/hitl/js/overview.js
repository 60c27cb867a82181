// The overview: figures and the first items are simply replaced; charts change in place.

import { refreshCharts } from "./charts.js";
import { fragment, showWaiting } from "./connection.js";
import { refreshTimes } from "./times.js";

export function liveOverview() {
  const figures = () => document.getElementById("figures");
  showWaiting(figures().dataset);

  return async function refresh() {
    const page = await fragment();
    const fresh = page.getElementById("figures");
    if (!fresh) return;
    const holdsFocus = figures().contains(document.activeElement);
    if (!holdsFocus) {
      figures().replaceWith(document.importNode(fresh, true));
      refreshTimes(figures());
    }
    refreshCharts(page);
    showWaiting(fresh.dataset);
  };
}
