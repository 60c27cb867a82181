// Through the list by keys. The row one is at stays marked, whatever arrives or changes around it.

import { rowsOf } from "./list.js";
import { send } from "./send.js";
import { toast } from "./toast.js";
import { words } from "./words.js";

let current = "";

export function listKeys() {
  document.addEventListener("focusin", ({ target }) => choose(target.closest?.("#rows > tr[data-id]")));
  const place = document.getElementById("rows").closest("[data-live]") ?? document.body;
  new MutationObserver(mark).observe(place, { childList: true, subtree: true });
  return {
    j: () => move(1),
    k: () => move(-1),
    x: () => row()?.querySelector("input.pick")?.click(),
    m: () => claim(row()),
    n: () => (row() ?? rows()[0])?.querySelector("a.item-title").click(),
    u: () => location.assign(document.getElementById("site-name").href),
    Enter: () => row()?.querySelector("a.item-title").click(),
  };
}

function move(step) {
  const all = rows();
  const at = all.indexOf(row());
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.querySelector("a.item-title").focus();
  next?.scrollIntoView({ block: "nearest" });
}

function choose(chosen) {
  if (!chosen) return;
  current = chosen.dataset.id;
  mark();
}

function mark() {
  for (const each of rows()) {
    if (each.dataset.id === current) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
}

async function claim(wanted) {
  if (!wanted?.dataset.claim) return;
  try {
    const answer = await send(wanted.dataset.claim, {});
    toast(answer.ok ? words.claimed : (await answer.json()).detail);
  } catch {
    toast(words.offline);
  }
}

const rows = () => rowsOf(document);
const row = () => rows().find((each) => each.dataset.id === current);
