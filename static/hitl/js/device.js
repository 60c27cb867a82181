// The switches of this device: a sound, notifications, push. Each says in words what it comes to.

import { subscribe, unsubscribe } from "./install.js";
import { canNotify, canPush, isOn, notice, turn } from "./notices.js";
import { play, unlock } from "./sound.js";
import { words } from "./words.js";

offerDevice(document.getElementById("device"));

function offerDevice(place) {
  const { pushKey } = place.dataset;
  const told = words.device;
  const insecure = isSecureContext ? "" : told.insecure;

  offer("sound", {
    not: "AudioContext" in window ? "" : told.unsupported,
    async try() {
      await unlock();
      return play() ? told.tried : told.silent;
    },
  });
  offer("notices", {
    not: insecure || (canNotify() ? "" : told.unsupported),
    turnOn: permit,
    try: async () => ((await notice(words.waits[0])) ? told.tried : told.denied),
  });
  if (place.querySelector("#device-push")) {
    offer("push", {
      not: insecure || (canPush() ? "" : told.unsupported_push),
      turnOn: async () => (await permit()) || subscribe(pushKey),
      turnOff: unsubscribe,
    });
  }

  function offer(what, { not, turnOn, turnOff, try: attempt }) {
    const box = place.querySelector(`#device-${what}`);
    const line = place.querySelector(`#device-${what}-state`);
    const button = place.querySelector(`[data-try=${what}]`);
    const asksLeave = what !== "sound" && !not;
    const draw = () => {
      const denied = asksLeave && Notification.permission === "denied";
      box.checked = !not && !denied && isOn(what);
      box.disabled = Boolean(not);
      line.textContent = not || (denied ? told.denied : box.checked ? told.on : told.off);
      if (button) button.hidden = !box.checked;
    };
    box.addEventListener("change", async () => {
      const on = box.checked;
      try {
        turn(what, on && !(await turnOn?.()));
        if (!on) await turnOff?.();
        draw();
      } catch {
        turn(what, false);
        draw();
        line.textContent = told.failed;
      }
    });
    button?.addEventListener("click", async () => (line.textContent = await attempt()));
    draw();
  }
}

// Ask the browser for leave to show notifications; say what stands in the way.
async function permit() {
  const leave = await Notification.requestPermission();
  return leave === "granted" ? "" : leave;
}
