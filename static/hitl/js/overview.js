// The overview: figures and the first items are simply replaced.

import { fragment, showWaiting } from "./connection.js";
import { refreshTimes } from "./times.js";

export function liveOverview() {
  const figures = () => document.getElementById("figures");
  showWaiting(figures().dataset);

  return async function refresh() {
    const fresh = (await fragment()).getElementById("figures");
    if (!fresh) return;
    const holdsFocus = figures().contains(document.activeElement);
    if (!holdsFocus) {
      figures().replaceWith(document.importNode(fresh, true));
      refreshTimes(figures());
    }
    showWaiting(fresh.dataset);
  };
}
