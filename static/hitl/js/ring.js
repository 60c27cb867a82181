// Say by a sound, or a notification of the system, that something new waits: where this device was told to,
// once for a burst, and from one tab alone. Neither says what it is about.

import { isOn, notice } from "./notices.js";
import { play, unlocked } from "./sound.js";
import { fill, words } from "./words.js";

const NEW = new Set(["hitl.interrupt.requested", "hitl.request.created"]);
const OVER = /\.(approved|responded|rejected|cancelled|expired|fulfilled)$/;
const GATHER_MS = 800; // what a policy answers is over within this

const fresh = new Set();
const leads = { sound: null, notices: null };
let timer = null;

// Only a page that hears the server may lead.
export function ringer() {
  leadOnce("notices");
  unlocked(() => leadOnce("sound"));
  return ring;
}

function ring({ type, item }) {
  if (NEW.has(type)) fresh.add(item);
  else if (OVER.test(type)) fresh.delete(item);
  if (fresh.size) timer ??= setTimeout(tell, GATHER_MS);
}

function tell() {
  timer = null;
  const count = fresh.size;
  fresh.clear();
  if (!count) return;
  if (leads.sound && isOn("sound")) play();
  // A device that is pushed to is told by that; who reads the page sees the toast.
  if (leads.notices && isOn("notices") && !isOn("push") && !document.hasFocus()) {
    notice(count === 1 ? words.waits[0] : fill(words.waits[1], { n: count }));
  }
}

// Whoever holds the lock rings; the next tab takes it when that one closes.
function leadOnce(what) {
  if (leads[what] !== null) return;
  leads[what] = !navigator.locks;
  navigator.locks?.request(`hitl-${what}`, () => {
    leads[what] = true;
    return new Promise(() => {});
  });
}
