// In which zone and language somebody reads: as they chose, else as their browser is set.

import { words } from "./words.js";

const { language = document.documentElement.lang, time_zone: chosen } = words.preferences ?? {};

// The browser's own kind of the page's language: of English, the British one writes days before months.
const locale = navigator.languages.find((one) => one.split("-")[0] === language) ?? language;

export const timeZone = known(chosen) ? chosen : Intl.DateTimeFormat().resolvedOptions().timeZone;

export function written(moment, dateStyle, timeStyle) {
  return moment.toLocaleString(locale, { dateStyle, timeStyle, timeZone });
}

// An old browser may not know every zone of the server.
function known(zone) {
  try {
    return Boolean(zone) && Boolean(Intl.DateTimeFormat([], { timeZone: zone }));
  } catch {
    return false;
  }
}
