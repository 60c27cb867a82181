// The page of an item by keys: each leads to where the verb is given; only Enter on its button, or Ctrl+Enter
// after it was chosen, carries it out.

import { openSheet } from "./sheet.js";
import { toast } from "./toast.js";
import { fill, words } from "./words.js";

let chosen = null;

export function itemKeys() {
  const follow = (selector) => document.querySelector(selector)?.click();
  const actions = {
    a: allow,
    r: reject,
    e: edit,
    m: () => send(verb("claim")),
    n: () => follow('a[rel="next"]'),
    u: () => follow(".breadcrumbs a"),
    "Shift+E": () => focus(verb("escalate")),
  };
  for (let number = 1; number <= 9; number += 1) actions[number] = () => choose(number);
  return actions;
}

// Nothing is carried out but what was chosen, and that only while it can be seen and nothing is missing.
export function submitChosen(event) {
  if (!chosen) return;
  event.preventDefault();
  if (!isOffered(chosen)) return allow();
  const lacks = "allows" in chosen.dataset && missing(chosen);
  if (lacks) return focus(lacks);
  send(chosen);
}

function allow() {
  const button = [...form().querySelectorAll("button[data-allows]")].find((each) => isOffered(each));
  if (!button) return;
  chosen = button;
  focus(missing(button) ?? button);
}

function reject() {
  const button = verb("reject");
  if (!button || inactive(button)) return;
  chosen = button;
  const fold = button.closest("details");
  if (fold) fold.open = true;
  const note = form().elements.note;
  focus(note);
  note.addEventListener("keydown", (event) => tabTo(button, event), { once: true });
}

function tabTo(button, event) {
  if (event.key === "Tab" && !event.shiftKey) {
    event.preventDefault();
    button.focus();
  } else {
    event.target.addEventListener("keydown", (next) => tabTo(button, next), { once: true });
  }
}

function edit() {
  const field = document.querySelector("#edit :is(input, textarea, select), [name^='answer-']:not([type=hidden])");
  if (!field || field.disabled) return;
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  if (verb("edit")) chosen = verb("edit");
  focus(field);
}

// What has to be done before an allowing verb: open what is folded, fill in what is asked, type the word.
function missing(button) {
  const fold = document.querySelector("details[data-must-read]:not([data-opened], [open])");
  if (fold) return fold.querySelector("summary");
  const { has_read: tick, word } = form().elements;
  const needed = answers().filter((field) => !field.closest(".instead") || button.closest(".instead"));
  const empty = needed.find((field) => !field.checkValidity());
  if (empty) return empty;
  if (tick && !tick.checked) return tick;
  return word && word.value.trim() !== word.labels[0].querySelector("code").textContent ? word : undefined;
}

function choose(number) {
  const fields = answers().filter((field) => !field.disabled);
  const choice = fields.filter((field) => field.matches("select, [type=radio]"));
  const field = choice.find((each) => each.tagName === "SELECT" && !each.value) ?? choice[0];
  if (!field) return;
  const isSelect = field.tagName === "SELECT";
  const group = isSelect ? field.options : choice.filter((each) => each.name === field.name);
  const option = [...group].filter((each) => each.value)[number - 1];
  if (!option) return;
  option[isSelect ? "selected" : "checked"] = true;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  field.scrollIntoView({ block: "nearest" });
  const text = isSelect ? option.textContent : option.labels[0].textContent;
  toast(fill(words.chosen, { option: text.trim() }));
}

function focus(place) {
  if (!place) return;
  if (place.closest("#panel")) openSheet(place);
  place.focus();
  place.scrollIntoView({ block: "nearest" });
}

function send(button) {
  if (button && !button.matches(":disabled")) form().requestSubmit(button);
}

// Where an answer stands beside an approval, nobody needs to write one who has not unfolded it.
const answers = () =>
  [...form().elements].filter((each) => each.name?.startsWith("answer-") && !each.closest(".instead:not([open])"));
const form = () => document.getElementById("decide") ?? document.createElement("form");
const verb = (name) => form().querySelector(`button[name="verb"][value="${name}"]`);
const isOffered = (button) => !button.hidden && !inactive(button);
const inactive = (button) => button.matches("fieldset:disabled *, .is-closed *");
