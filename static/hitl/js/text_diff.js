// What was changed in a long text, word by word. The comparison is fetched when it is first needed.

const LONG = 120;
const AROUND = 50;
const PATIENCE_MS = 150;

export const isLong = (...texts) => texts.some((text) => text.length > LONG || text.includes("\n"));

// Draw into *place*; what takes too long to compare is left as it was drawn before.
export async function drawTextDiff(place, old, now) {
  const { diffWordsWithSpace } = await import("../../vendor/diff-9.0.0/diff/word.js");
  const parts = diffWordsWithSpace(old, now, { timeout: PATIENCE_MS });
  if (!parts) return;
  const last = parts.length - 1;
  place.replaceChildren(...parts.map((part, number) => drawn(part, number === 0, number === last)));
}

function drawn({ added, removed, value }, isFirst, isLast) {
  if (!added && !removed) return document.createTextNode(shortened(value, isFirst, isLast));
  const part = document.createElement(added ? "ins" : "del");
  part.textContent = value;
  return part;
}

function shortened(text, isFirst, isLast) {
  if (text.length <= 3 * AROUND) return text;
  const [start, end] = [isFirst ? "" : text.slice(0, AROUND), isLast ? "" : text.slice(-AROUND)];
  return `${start} … ${end}`;
}
