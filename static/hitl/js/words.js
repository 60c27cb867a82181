// The words of the scripts, in the reader's language: the server writes them into the page.

const found = document.getElementById("hitl-words");

export const words = found ? JSON.parse(found.textContent) : {};

export function fill(text, values) {
  return text.replace(/%\((\w+)\)[sd]/g, (_, name) => values[name]);
}
