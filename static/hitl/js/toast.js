// Say something once, to the eye and to a screen reader, and take it away again.

const SHOWN_MS = 6_000;
const AT_MOST = 3;

export function toast(text, kind = "news") {
  const place = document.getElementById("toasts");
  // Several signals may be about one change: while it is being said it is not said again.
  if ([...place.children].some((shown) => shown.textContent === text)) return;
  const note = document.createElement("div");
  note.className = `toast toast-${kind}`;
  note.textContent = text;
  place.append(note);
  while (place.children.length > AT_MOST) place.firstChild.remove();
  setTimeout(() => note.remove(), SHOWN_MS);
}

// What the server has to say about the last step. Where it offers a way on, it stays.
export function toastMessages() {
  const list = document.querySelector("ul.messagelist");
  for (const message of [...(list?.children ?? [])]) {
    if (message.querySelector("a")) continue;
    toast(message.textContent.trim(), message.className);
    message.remove();
  }
  if (!list?.children.length) list?.remove();
}
