// Say something once, to the eye and to a screen reader, and take it away again.

const SHOWN_MS = 6_000;
const AT_MOST = 3;

export function toast(text) {
  const place = document.getElementById("toasts");
  const note = document.createElement("div");
  note.className = "toast";
  note.textContent = text;
  place.append(note);
  while (place.children.length > AT_MOST) place.firstChild.remove();
  setTimeout(() => note.remove(), SHOWN_MS);
}
