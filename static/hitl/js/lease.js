// Who works on an item holds it: what they do on its page renews their claim. A tab that is lost lets it lapse.

import { words } from "./words.js";

const EVERY_MS = 120_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel"];

export function keepClaim(form) {
  let last = 0;
  const isMine = () => document.getElementById("standing").dataset.mine === "yes";

  async function renew() {
    if (!isMine() || Date.now() - last < EVERY_MS) return;
    last = Date.now();
    const body = new URLSearchParams({ verb: "renew", csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(location.pathname, { method: "POST", body }).catch(() => null);
    if (answer?.status === 409) lost();
  }

  SIGNS.forEach((sign) => document.addEventListener(sign, renew, { passive: true }));
}

function lost() {
  document.getElementById("standing").dataset.mine = "no";
  const hint = document.getElementById("lost-hint");
  hint.querySelector("span").textContent = words.lost;
  hint.hidden = false;
}
