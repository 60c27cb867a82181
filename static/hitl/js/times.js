// Keep relative times right, and show moments in the reader's zone. The words are those of the server.

import { fill, words } from "./words.js";
import { written } from "./zone.js";

const EVERY_MS = 10_000;
const SOON_SECONDS = 15 * 60;

// The reader's clock may be wrong: the server's, at the moment of the page, is what counts.
const skew = measuredSkew();

export function keepTimesRight() {
  refreshTimes(document);
  setInterval(() => refreshTimes(document), EVERY_MS);
}

export function refreshTimes(root) {
  for (const element of root.querySelectorAll("time[data-style]")) {
    const moment = new Date(element.dateTime);
    if (element.dataset.style === "moment") {
      element.textContent = written(moment, "medium", "short");
      continue;
    }
    element.title = written(moment, "full", "long");
    const text = phrase((moment - Date.now() - skew) / 1000, element);
    if (element.textContent !== text) element.textContent = text;
  }
}

function phrase(seconds, element) {
  const length = duration(Math.abs(seconds));
  switch (element.dataset.style) {
    case "since":
      return length;
    case "ago":
      return seconds > -5 ? words.now : fill(words.ago, { length });
    default:
      element.classList.toggle("late", seconds <= 0);
      element.classList.toggle("soon", seconds > 0 && seconds <= SOON_SECONDS);
      return fill(seconds > 0 ? words.due : words.late, { length });
  }
}

export function duration(seconds) {
  const [s, min, h, d] = words.units;
  const whole = Math.floor(seconds);
  if (whole < 60) return fill(s, { n: whole });
  if (whole < 3600) return fill(min, { n: Math.floor(whole / 60) });
  const [big, small, size, part] = whole < 86_400 ? [h, min, 3600, 60] : [d, h, 86_400, 3600];
  const rest = Math.floor((whole % size) / part);
  return fill(big, { n: Math.floor(whole / size) }) + (rest ? ` ${fill(small, { n: rest })}` : "");
}

function measuredSkew() {
  const now = Date.parse(words.server_now ?? "");
  const loaded = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
  const difference = now - loaded;
  // A few seconds are the way from the server, not a wrong clock.
  return Math.abs(difference) > 30_000 ? difference : 0;
}
