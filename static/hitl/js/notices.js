// What this device was told to do, kept on the device; and the notifications of its system.

const INBOX = "/admin/inbox/";
const TAG = "hitl-waiting"; // the newest takes the place of what is shown

export const canNotify = () => "Notification" in window && isSecureContext;
export const canPush = () => canNotify() && "serviceWorker" in navigator && "PushManager" in window;

export function isOn(what) {
  try {
    return localStorage.getItem(`hitl.${what}`) === "on";
  } catch {
    return false; // storage is switched off
  }
}

export function turn(what, on) {
  try {
    if (on) localStorage.setItem(`hitl.${what}`, "on");
    else localStorage.removeItem(`hitl.${what}`);
  } catch {
    // it holds for this page
  }
}

export async function notice(title) {
  if (!canNotify() || Notification.permission !== "granted") return false;
  const told = { tag: TAG, renotify: true, lang: document.documentElement.lang, data: { path: INBOX } };
  const worker = await navigator.serviceWorker?.getRegistration("/admin/");
  if (worker?.active) {
    await worker.showNotification(title, { ...told, icon: "/static/hitl/app/icon-192.png" });
    return true;
  }
  const shown = new Notification(title, told);
  shown.addEventListener("click", () => (focus(), shown.close()));
  return true;
}
