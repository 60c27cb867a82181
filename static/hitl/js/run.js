// The page of a run: what happens to it shows at once. Folds stay open, what is typed stays, and so does
// the place on the page and the focus.

import { fragment, showWaiting } from "./connection.js";
import { refreshTimes } from "./times.js";
import { toast } from "./toast.js";
import { fill, words } from "./words.js";

export function liveRun() {
  showWaiting(run().dataset);
  document.querySelector(".has-errors textarea")?.focus();

  return async function refresh() {
    const fresh = (await fragment()).getElementById("run");
    if (!fresh) return;
    showWaiting(fresh.dataset);
    const old = run();
    if (fresh.dataset.version === old.dataset.version) return;
    const copy = document.importNode(fresh, true);
    keepFolds(old, copy);
    keepTyped(old, copy);
    const giveFocusBack = keptFocus(old, copy);
    const stay = keptPlace(old);
    old.replaceWith(copy);
    refreshTimes(copy);
    stay();
    giveFocusBack();
    if (copy.dataset.status !== old.dataset.status) toast(fill(words.gone, { title: titleOf(), status: statusOf(copy) }));
  };
}

function keepFolds(old, copy) {
  const open = new Set([...old.querySelectorAll("details[open]")].map(nameOf));
  for (const fold of copy.querySelectorAll("details")) fold.open = open.has(nameOf(fold));
}

function keepTyped(old, copy) {
  for (const field of copy.querySelectorAll("textarea")) field.value = old.querySelector(`#${field.id}`)?.value ?? "";
}

// Find what had the focus again by what it is; where it is gone, the panel is the next best place.
function keptFocus(old, copy) {
  const focused = document.activeElement;
  if (!old.contains(focused)) return () => {};
  const same = [...copy.querySelectorAll(focused.tagName)].find((other) => isSame(focused, other));
  const { selectionStart, selectionEnd } = focused;
  return () => {
    (same ?? document.getElementById("panel")).focus({ preventScroll: true });
    if (same?.tagName === "TEXTAREA") same.setSelectionRange(selectionStart, selectionEnd);
  };
}

function isSame(one, other) {
  if (one.tagName === "SUMMARY") return nameOf(one.parentElement) === nameOf(other.parentElement);
  if (one.id || one.value) return one.id === other.id && one.value === other.value;
  return one.getAttribute("href") === other.getAttribute("href") && placeOf(one) === placeOf(other);
}

// The part that is at the top of the window stays there, whatever grows above it.
function keptPlace(old) {
  const parts = [...old.querySelectorAll("[id]:is(section, li)")];
  const first = parts.find((part) => part.getBoundingClientRect().bottom > 0);
  if (!first || scrollY === 0) return () => {};
  const top = first.getBoundingClientRect().top;
  return () => {
    const now = document.getElementById(first.id);
    if (now) scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
  };
}

const run = () => document.getElementById("run");
const placeOf = (element) => element.parentElement.closest("[id]").id;
const nameOf = (fold) => `${placeOf(fold)} ${fold.querySelector("summary").textContent.trim()}`;
const titleOf = () => document.querySelector("h1").textContent.replace(/\s+/g, " ").trim();
const statusOf = (root) => root.querySelector(".item-status").textContent.trim();
