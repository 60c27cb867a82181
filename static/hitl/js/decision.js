// The decision page: what others do to the item shows at once; what is typed here stays.

import { fragment, showWaiting } from "./connection.js";
import { liveDiff } from "./diff.js";
import { keepClaim } from "./lease.js";
import { readFirst } from "./reading.js";
import { sheet } from "./sheet.js";
import { refreshTimes } from "./times.js";
import { toast } from "./toast.js";

export function liveDecision() {
  const form = document.getElementById("decide");
  showWaiting(standing().dataset);
  if (form) {
    liveDiff(form);
    readFirst(form);
    neverSubmitByEnter(form);
    submitOnce(form);
    sheet(form);
    keepClaim(form);
    document.querySelector(".has-errors :is(input, textarea, select)")?.focus();
  }

  return async function refresh() {
    const page = await fragment();
    const fresh = page.getElementById("standing");
    if (!fresh) return;
    showWaiting(fresh.dataset);
    replace("history-lines", page);
    const before = { ...standing().dataset };
    if (before.version === fresh.dataset.version && before.open === fresh.dataset.open) return;
    replace("standing", page);
    if (form && before.open === "yes") hasMoved(fresh.dataset.version !== form.elements.version.value);
    if (before.open === "yes" && fresh.dataset.open === "no") {
      close();
      toast(standing().querySelector(".decided-line").textContent.replace(/\s+/g, " ").trim());
    }
  };

  // The server would refuse what is pressed now, and show what happened: say so before.
  function hasMoved(moved) {
    const hint = document.getElementById("moved-hint");
    if (hint) hint.hidden = !moved;
  }

  // The note can still be read and copied; nothing can be sent.
  function close() {
    const panel = document.getElementById("panel");
    panel.classList.add("is-closed");
    panel.querySelectorAll("button").forEach((button) => (button.disabled = true));
    panel.querySelectorAll("input, textarea, select").forEach((field) => (field.readOnly = true));
    document.querySelectorAll('[form="decide"]').forEach((field) => (field.disabled = true));
    standing().scrollIntoView({ block: "nearest" });
  }
}

const standing = () => document.getElementById("standing");

function replace(id, page) {
  const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
  if (old && fresh) {
    old.replaceWith(document.importNode(fresh, true));
    refreshTimes(document.getElementById(id));
  }
}

// Enter in a field must not decide: only a button does.
function neverSubmitByEnter(form) {
  for (const field of form.elements) {
    if (field.tagName !== "INPUT") continue;
    field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  }
}

function submitOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}
