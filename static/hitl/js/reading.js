// Long text is folded. What lets the agent go on waits until all of it was opened; the server asks for the
// same tick, so a page without scripts works as well.

export function readFirst(form) {
  const folds = [...document.querySelectorAll("details[data-must-read]")];
  const tick = form.elements.has_read;
  if (!tick) return;
  const hint = document.getElementById("read-hint");
  const allowing = [...form.querySelectorAll("button[data-allows]")];

  function show() {
    if (folds.length && folds.every((fold) => fold.dataset.opened)) tick.checked = true;
    allowing.forEach((button) => (button.disabled = !tick.checked));
    hint.hidden = tick.checked;
  }

  for (const fold of folds) {
    fold.addEventListener("toggle", () => {
      if (fold.open) fold.dataset.opened = "yes";
      show();
    });
  }
  tick.addEventListener("change", () => {
    if (tick.checked && !folds.every((fold) => fold.dataset.opened)) {
      tick.checked = false;
      folds.find((fold) => !fold.dataset.opened)?.scrollIntoView({ block: "center" });
    }
    show();
  });
  show();
}
