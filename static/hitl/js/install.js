// Register the service worker, which shows pushes and the offline page, and end this device's push with a logout.

import { isOn, turn } from "./notices.js";
import { send } from "./send.js";

const SCRIPT = "/admin/service-worker.js";
const SUBSCRIPTIONS = "/admin/push/subscriptions/";
const PATIENCE_MS = 2_000;

export function install() {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register(SCRIPT, { scope: "/admin/" }).then(keep, () => {});
  document.getElementById("logout-form")?.addEventListener("submit", leave);
}

// Who logs out is rung here no more, even where another session switched it on.
function leave(event) {
  if (!isOn("push")) return;
  event.preventDefault();
  turn("push", false);
  const patience = new Promise((then) => setTimeout(then, PATIENCE_MS));
  Promise.race([unsubscribe(), patience])
    .catch(() => {})
    .finally(() => event.target.submit());
}

export async function subscribe(key) {
  const worker = await navigator.serviceWorker.ready;
  const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await tell("POST", made);
}

export async function unsubscribe() {
  const worker = await navigator.serviceWorker.ready;
  const made = await worker.pushManager.getSubscription();
  if (!made) return;
  await tell("DELETE", made);
  await made.unsubscribe();
}

// A browser may have drawn another endpoint meanwhile: the server is told of the present one.
async function keep(worker) {
  if (!isOn("push") || !worker.pushManager) return;
  const made = await worker.pushManager.getSubscription().catch(() => null);
  if (!made) return turn("push", false);
  if (sessionStorage.getItem("hitl.pushed") === made.endpoint) return;
  await tell("POST", made).then(() => sessionStorage.setItem("hitl.pushed", made.endpoint), () => {});
}

async function tell(method, subscription) {
  const answer = await send(SUBSCRIPTIONS, subscription, method);
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
}
