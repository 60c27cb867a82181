// What single keys do, on every page. No single key decides anything: it leads to the button that does.

import { itemKeys, submitChosen } from "./item_keys.js";
import { showKeys } from "./keys_help.js";
import { listKeys } from "./list_keys.js";
import { words } from "./words.js";

const LEADER_MS = 1_500;
const TYPING = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]";
const PLACES = { i: "inbox/", d: "", r: "runs/run/", h: "human-actions/" };
const HINTS = [
  ["button[data-allows]:not(.instead *)", "A"],
  ['#decide button[value="reject"]', "R"],
  ['#decide button[value="claim"]', "M"],
  ['#decide button[value="escalate"]', "Shift+E"],
  ["#edit > summary", "E"],
  ['a[rel="next"]', "N"],
  ["#searchbar", "/"],
  ["#show-new", "."],
];

let led = 0;

export function keys() {
  if (words.preferences?.shortcuts === false) return;
  const actions = {
    "?": showKeys,
    "/": () => document.getElementById("searchbar")?.focus(),
    ".": () => document.querySelector("#show-new:not([hidden])")?.click(),
    g: () => (led = Date.now()),
    ...(document.getElementById("rows") ? listKeys() : {}),
    ...(document.getElementById("panel") ? itemKeys() : {}),
  };
  document.addEventListener("keydown", (event) => press(event, actions));
  hint();
  offerHelp();
}

function press(event, actions) {
  if (event.isComposing || document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && !event.repeat) return submitChosen(event);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(TYPING)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = nameOf(event);
  const follows = Date.now() - led < LEADER_MS && key in PLACES;
  const action = follows ? () => go(PLACES[key]) : actions[key];
  led = 0;
  if (!action) return;
  // Enter stays what it is wherever something has the focus.
  if (key === "Enter" && event.target !== document.body) return;
  event.preventDefault();
  action();
}

// A letter by itself; with Shift it is another key. Signs are what they are, however they are typed.
function nameOf({ key, shiftKey }) {
  if (!/^[a-z]$/i.test(key)) return key;
  return shiftKey ? `Shift+${key.toUpperCase()}` : key.toLowerCase();
}

function go(place) {
  const root = document.getElementById("site-name").pathname;
  const link = [...document.querySelectorAll("#sections a")].find((each) => each.pathname === root + place);
  if (link) location.assign(link.href);
}

function hint() {
  for (const [selector, key] of HINTS) {
    for (const place of document.querySelectorAll(selector)) {
      place.setAttribute("aria-keyshortcuts", key);
      if (place.tagName === "INPUT" || place.id === "show-new") continue;
      const shown = document.createElement("kbd");
      shown.className = "key-hint";
      shown.setAttribute("aria-hidden", "true");
      shown.textContent = key.replace("Shift+", "⇧");
      place.append(shown);
    }
  }
}

function offerHelp() {
  const button = document.getElementById("show-keys");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    button.closest("details").open = false;
    showKeys();
  });
}
