// Rows that are ticked, to be decided together: how many they are, and that they stay ticked.

import { fill, words } from "./words.js";

const bar = () => document.getElementById("together");
const ticked = () => document.querySelectorAll("#rows .pick:checked");

export function watchTicks(place) {
  if (!bar()) return;
  place.addEventListener("change", (event) => event.target.matches(".pick") && countTicks());
  bar().addEventListener("reset", () => setTimeout(countTicks));
  addEventListener("pageshow", countTicks);
  countTicks();
}

export function keepTick(row, copy) {
  const [old, fresh] = [row?.querySelector(".pick"), copy.querySelector(".pick")];
  if (old && fresh) fresh.checked = old.checked;
}

export function countTicks() {
  if (!bar()) return;
  const count = ticked().length;
  bar().querySelector(".ticked-count").textContent = count ? fill(words.ticked, { n: count }) : "";
  for (const box of document.querySelectorAll("#rows .pick")) {
    box.closest("tr").classList.toggle("is-ticked", box.checked);
  }
}
