// The list: rows change in place, what others decided is struck, what is new waits until it is asked for.
// Nothing moves under the pointer.

import { fragment, showWaiting } from "./connection.js";
import { refreshTimes } from "./times.js";
import { countTicks, keepTick, watchTicks } from "./ticks.js";
import { toast } from "./toast.js";
import { fill, words } from "./words.js";

export function liveList(place) {
  const button = document.getElementById("show-new");
  const announced = new Set();
  let latest = null;

  showWaiting(results().dataset);
  button.addEventListener("click", () => show(latest));
  waitForNext(place);
  watchTicks(place);

  return async function refresh() {
    const known = rowsOf(document).map((row) => row.dataset.id);
    latest = await fragment({ "X-Known-Items": known.join(",") });
    const fresh = latest.getElementById("results");
    if (!fresh) return;
    showWaiting(fresh.dataset);
    ["figures", "tabs"].forEach((id) => showAnew(id, latest));
    const rows = new Map(rowsOf(latest).map((row) => [row.dataset.id, row]));
    const gone = new Map([...fresh.querySelectorAll("#gone tr")].map((row) => [row.dataset.id, row]));
    for (const row of rowsOf(document)) {
      update(row, rows.get(row.dataset.id), gone.get(row.dataset.id));
    }
    offer([...rows.values()].filter((row) => !known.includes(row.dataset.id)));
  };

  function update(row, stays, left) {
    const now = stays ?? left;
    if (!now || now.dataset.version === row.dataset.version) return;
    const copy = document.importNode(now, true);
    const focused = row.contains(document.activeElement);
    if (stays) keepTick(row, copy);
    copy.classList.add("is-changed");
    if (!stays) {
      copy.classList.add("is-gone");
      toast(fill(words.gone, { title: titleOf(copy), status: statusOf(copy) }));
    }
    row.replaceWith(copy);
    refreshTimes(copy);
    countTicks();
    if (focused) copy.querySelector("a").focus();
  }

  function offer(rows) {
    button.hidden = rows.length === 0;
    if (!rows.length) return;
    button.textContent = rows.length === 1 ? words.new[0] : fill(words.new[1], { n: rows.length });
    for (const row of rows) {
      if (announced.has(row.dataset.id)) continue;
      announced.add(row.dataset.id);
      toast(fill(words.arrived, { title: titleOf(row) }));
    }
  }

  // Take over the server's list as it is, and put the focus on the first row that was not there.
  function show(page) {
    const known = new Map(rowsOf(document).map((row) => [row.dataset.id, row]));
    const fresh = document.importNode(page.getElementById("results"), true);
    fresh.querySelector("#gone")?.remove();
    for (const row of rowsOf(fresh)) keepTick(known.get(row.dataset.id), row);
    results().replaceWith(fresh);
    refreshTimes(fresh);
    countTicks();
    button.hidden = true;
    const arrived = rowsOf(document).filter((row) => !known.has(row.dataset.id));
    arrived.forEach((row) => row.classList.add("is-fresh"));
    (arrived[0] ?? fresh).querySelector("a")?.focus({ preventScroll: true });
  }
}

// While another list is on its way, its shape is there already.
function waitForNext(place) {
  const wait = (waits) => {
    results().classList.toggle("is-waiting", waits);
    results().setAttribute("aria-busy", waits);
  };
  place.addEventListener("click", (event) => {
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
    if (plain && event.target.closest(".tabs a, .pills a, .pages a, .filter-menu a")) wait(true);
  });
  place.querySelector("form.search").addEventListener("submit", () => wait(true));
  addEventListener("pageshow", () => wait(false));
}

function showAnew(id, page) {
  const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
  if (old && fresh && !old.contains(document.activeElement)) old.replaceWith(document.importNode(fresh, true));
}

const results = () => document.getElementById("results");
export const rowsOf = (root) => [...root.querySelectorAll("#rows > tr[data-id]")];
const titleOf = (row) => row.querySelector(".item-title").textContent.trim();
const statusOf = (row) => row.querySelector(".item-status").textContent.trim();
