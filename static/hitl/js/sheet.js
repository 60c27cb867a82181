// On a phone the panel is a sheet at the bottom: its verbs in reach, the rest behind a switch that works
// without scripts. What a verb still lacks opens it.

export function sheet(form) {
  const panel = document.getElementById("panel");
  form.addEventListener("click", (event) => {
    const lacks = lacking(event.target.closest('button[name="verb"]'), form);
    if (!lacks || !openSheet(lacks)) return;
    event.preventDefault();
    lacks.focus();
  });
  // What is typed with stands above the sheet, not over it.
  visualViewport?.addEventListener("resize", () => {
    const hidden = Math.max(0, innerHeight - visualViewport.height - visualViewport.offsetTop);
    panel.style.setProperty("--keyboard", `${hidden}px`);
  });
}

// Say whether it had to be opened for *place*.
export function openSheet(place) {
  const toggle = document.getElementById("sheet");
  if (!toggle || toggle.checked || place?.checkVisibility()) return false;
  toggle.checked = true;
  return true;
}

function lacking(button, form) {
  const { note, word } = form.elements;
  if (["reject", "changes"].includes(button?.value)) return note?.value.trim() ? null : note;
  return button && "allows" in button.dataset && word && !word.value ? word : null;
}
