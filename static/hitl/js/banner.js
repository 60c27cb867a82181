// What stands above the page while it may be out of date, or somebody is logged out.

import { words } from "./words.js";

export const FINE = "";

export function showState(state, connected) {
  document.documentElement.dataset.connection = connected && state === FINE ? "on" : "off";
  const banner = document.getElementById("connection");
  if (!banner || banner.dataset.state === state) return;
  banner.dataset.state = state;
  banner.hidden = state === FINE;
  const text = document.createElement("span");
  text.textContent = words[state] ?? "";
  banner.replaceChildren(text);
  if (state === "ended") banner.append(login());
}

// In another tab: what is typed here stays, and goes on when somebody comes back.
function login() {
  const link = document.createElement("a");
  link.href = `/admin/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.target = "_blank";
  link.rel = "noopener";
  link.className = "button-link";
  link.textContent = words.login;
  return link;
}
