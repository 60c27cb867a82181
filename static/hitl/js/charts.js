// Charts: each is drawn from the table beside it, in the colours that the page has at this moment.
// The library is large, so it is fetched by the pages that have a chart, once they are there.

import { duration } from "./times.js";

const MARKS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 345_600, 1_209_600, 4_838_400];
const drawn = new Map();

export async function drawCharts() {
  const place = document.getElementById("charts");
  if (!place || !place.querySelector("figure")) return;
  await import(place.dataset.library);
  for (const figure of place.querySelectorAll("figure")) draw(figure);
  if (place.dataset.drawn) return;
  place.dataset.drawn = "yes";
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

// Take over what a fresh copy of the page says; what is unfolded or has the focus stays.
export function refreshCharts(fresh) {
  for (const figure of document.querySelectorAll("#charts figure")) {
    const now = fresh.getElementById(figure.id);
    if (!now) continue;
    for (const part of ["[data-says]", ".legend", "table"]) {
      const [old, next] = [figure, now].map((root) => root.querySelector(part));
      if (old.innerHTML !== next.innerHTML) old.replaceChildren(...document.importNode(next, true).childNodes);
    }
    figure.className = now.className;
    const label = now.querySelector("canvas").getAttribute("aria-label");
    figure.querySelector("canvas").setAttribute("aria-label", label);
    if (drawn.has(figure)) draw(figure);
  }
  if (!document.querySelector("#charts figure") && fresh.querySelector("#charts figure")) {
    document.getElementById("charts")?.replaceWith(document.importNode(fresh.getElementById("charts"), true));
    drawCharts();
  }
}

function recolour() {
  for (const figure of drawn.keys()) draw(figure);
}

function draw(figure) {
  const canvas = figure.querySelector("canvas");
  const data = read(figure);
  if (figure.dataset.chart.startsWith("across")) fitHeight(canvas, data);
  const chart = drawn.get(figure);
  if (!chart) {
    drawn.set(figure, new globalThis.Chart(canvas, { ...shape(figure), data }));
    return;
  }
  chart.data = data;
  chart.options = shape(figure).options;
  chart.update("none");
}

// What the table says, as the library wants it.
function read(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const heads = [...figure.querySelectorAll("th[data-series]")];
  const isLine = figure.dataset.chart === "line";
  return {
    labels: rows.map((row) => row.cells[0].textContent),
    datasets: heads.map((head) => {
      const swatch = figure.querySelector(`.legend .series-${head.dataset.series}`);
      const colour = getComputedStyle(swatch).color;
      return {
        label: head.textContent,
        data: rows.map((row) => number(row.cells[head.cellIndex].dataset.value)),
        backgroundColor: colour,
        borderColor: colour,
        borderWidth: isLine ? 2 : 0,
        borderRadius: isLine ? 0 : 3,
        maxBarThickness: 28,
        pointRadius: 3,
        spanGaps: true,
        cubicInterpolationMode: "monotone",
      };
    }),
  };
}

const number = (text) => (text === "" ? null : Number(text));

function shape(figure) {
  const { chart, unit } = figure.dataset;
  const style = getComputedStyle(figure);
  const [text, line] = [".quiet", ".legend"].map((part) => getComputedStyle(figure.querySelector(part)));
  const written = (value) => (unit === "seconds" ? duration(value) : String(value));
  const isStacked = chart.endsWith("stacked");
  const values = {
    ...(unit === "seconds"
      ? { type: "logarithmic", afterDataLimits: beginAtMark, afterBuildTicks: markTimes }
      : { beginAtZero: true }),
    stacked: isStacked,
    border: { display: false },
    grid: { color: line.borderTopColor },
    ticks: { color: text.color, callback: written, precision: 0, maxTicksLimit: 6 },
  };
  const names = {
    stacked: isStacked,
    border: { color: line.borderTopColor },
    grid: { display: false },
    ticks: { color: text.color, maxRotation: 0, autoSkipPadding: 12 },
  };
  const isAcross = chart.startsWith("across");
  return {
    type: chart === "line" ? "line" : "bar",
    options: {
      animation: false,
      maintainAspectRatio: false,
      font: { family: style.fontFamily, size: 12 },
      indexAxis: isAcross ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: isAcross ? "y" : "x" },
      scales: isAcross ? { x: values, y: names } : { x: names, y: values },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: { label: (at) => `${at.dataset.label}: ${written(at.raw)}` } },
      },
    },
  };
}

// A bar begins at the mark below the shortest time, so that this one is a bar, too.
function beginAtMark(scale) {
  scale.min = MARKS.findLast((mark) => mark < scale.min) ?? scale.min;
}

// Times reach from seconds to weeks: the marks are those that people think in.
function markTimes(scale) {
  const inside = MARKS.filter((mark) => mark >= scale.min && mark <= scale.max);
  if (inside.length) scale.ticks = inside.map((value) => ({ value }));
}

function fitHeight(canvas, data) {
  canvas.parentElement.style.height = `${Math.max(4, data.labels.length) * 2.75 + 2}rem`;
}
