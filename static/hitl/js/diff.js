// What an edit would change, while it is typed: old → new, and the button that fits.

import { drawTextDiff, isLong } from "./text_diff.js";
import { words } from "./words.js";

export function liveDiff(form) {
  const box = document.getElementById("diff");
  const approve = form.querySelector('button[value="approve"]');
  const edit = form.querySelector('button[value="edit"]');
  if (!box || !edit) return;
  const lines = document.getElementById("diff-lines");
  const undo = document.getElementById("undo-edits");
  const fields = [...form.elements].filter((field) => "original" in field.dataset);
  undo.hidden = false;

  function show() {
    const edited = fields.filter(isEdited);
    lines.replaceChildren(...edited.flatMap(linesOf));
    for (const field of fields) {
      field.closest("[data-field]").classList.toggle("is-edited", edited.includes(field));
    }
    box.hidden = edited.length === 0;
    edit.hidden = Boolean(approve) && edited.length === 0;
    edit.classList.toggle("primary", !edit.hidden);
    if (approve) approve.hidden = edited.length > 0;
  }

  fields.forEach((field) => field.addEventListener("input", show));
  undo.addEventListener("click", () => {
    fields.forEach((field) => (field.value = field.dataset.original));
    show();
  });
  show();
}

function isEdited(field) {
  const value = field.value.replaceAll("\r\n", "\n");
  if (value === field.dataset.original) return false;
  if (!("whole" in field.dataset)) return true;
  const [old, now] = [parsed(field.dataset.original), parsed(value)];
  return now === undefined || JSON.stringify(old) !== JSON.stringify(now);
}

function linesOf(field) {
  if (!("whole" in field.dataset)) {
    return [line(labelOf(field), field.dataset.original, field.value)];
  }
  const [old, now] = [parsed(field.dataset.original), parsed(field.value)];
  if (typeof now !== "object" || now === null) return [line("{ }", "", "?")];
  const names = new Set([...Object.keys(old), ...Object.keys(now)]);
  return [...names]
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => line(name, JSON.stringify(old[name]) ?? words.added, JSON.stringify(now[name]) ?? words.removed));
}

function line(name, old, now) {
  return isLong(old, now) ? longLine(name, old, now) : shortLine(name, old, now);
}

function longLine(name, old, now) {
  const item = document.createElement("li");
  const text = document.createElement("div");
  text.className = "text-diff";
  text.tabIndex = 0;
  text.textContent = now;
  item.append(`${name}:`, text);
  drawTextDiff(text, old, now);
  return item;
}

function shortLine(name, old, now) {
  const item = document.createElement("li");
  const [before, after] = [document.createElement("del"), document.createElement("ins")];
  before.textContent = old;
  after.textContent = now;
  item.append(`${name}: `, before, " → ", after);
  return item;
}

function labelOf(field) {
  return field.labels[0].textContent.replace(/\*$/, "").trim();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
