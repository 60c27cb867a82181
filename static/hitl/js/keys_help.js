// The list of keys, in the words of the page's language.

import { words } from "./words.js";

export function showKeys() {
  const dialog = document.getElementById("keys") ?? document.body.appendChild(drawn());
  dialog.showModal();
}

function drawn() {
  const dialog = made("dialog", { id: "keys", className: "keys" });
  dialog.setAttribute("aria-labelledby", "keys-title");
  const close = made("button", { type: "submit", textContent: words.keys.close });
  const form = made("form", { method: "dialog" });
  form.append(close);
  const title = made("div", {});
  title.append(
    made("h2", { id: "keys-title", textContent: words.keys.title }),
    made("p", { className: "quiet", textContent: words.keys.promise }),
  );
  const head = made("header", {});
  head.append(title, form);
  const groups = made("div", { className: "key-groups" });
  groups.append(...words.keys.groups.map(section));
  dialog.append(head, groups);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return dialog;
}

function section({ title, keys }) {
  const part = made("section", {});
  const list = made("dl", {});
  list.append(...keys.map(([names, text]) => line(names, text)));
  part.append(made("h3", { textContent: title }), list);
  return part;
}

function line(names, text) {
  const row = made("div", {});
  const term = made("dt", {});
  names.split(" ").forEach((name) => term.append(made("kbd", { textContent: name }), " "));
  row.append(term, made("dd", { textContent: text }));
  return row;
}

function made(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
