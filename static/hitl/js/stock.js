// Stock forms say what a row is about and leave its parts without a name: give them one.

/** Name both halves of a moment after the label of their row: “Expires at, date”. */
function nameMoments() {
  for (const input of document.querySelectorAll(".datetime input")) {
    const label = input.closest(".form-row")?.querySelector("label")?.textContent.trim() ?? "";
    const half = input.previousSibling?.textContent.trim() ?? "";
    input.setAttribute("aria-label", `${label} ${half}`.trim());
  }
}

/** Make a heading of nothing a plain cell. */
function dropEmptyHeadings() {
  for (const heading of document.querySelectorAll(".inline-related th")) {
    if (!heading.textContent.trim()) heading.replaceWith(document.createElement("td"));
  }
}

export function nameStockForms() {
  nameMoments();
  dropEmptyHeadings();
}
