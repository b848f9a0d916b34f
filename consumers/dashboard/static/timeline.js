// A battery's course, zoomable: five plots and three lanes that share one axis. The picture that the server drew stays
// where there is no script, no uPlot or no data, and is what is printed.

import { colour, drawLane, drawMarks, forgetColours, heading } from "./course-marks.js";
import { lowerBound, outline } from "./outline.js";

const LANE = 35; // as high as in the picture, so that nothing moves when this takes its place
const DAY = 86400;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const HEIGHTS = [147, 87, 87, 87, 87];
const BELOW = 34;
const DOTS = 400; // of more readings only those that stand out are marked

const ASIDE = new Set(["aside", "rejected"]);

let charts = []; // each with `plot` and `kept`, the readings it holds by their number; a lane has neither
let series = null;
let odd = null; // 1 where a reading stands out, for each reading
let view = null; // from when to when the charts show
let at = null; // the reading that the cursor is on
let place = null;

async function begin() {
  const found = document.getElementById("course-place");
  if (!found || found === place || !window.uPlot) return;
  place = found;
  const url = place.dataset.series;
  try {
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    series = (await answer.json()).series;
  } catch {
    return; // the picture stays
  }
  if (series.at.length > 1) draw();
}

function draw() {
  const live = document.getElementById("course-live");
  const began = performance.now();
  const whole = { min: series.span[0], max: series.span[1] };
  // What somebody has zoomed to stays when news come in.
  view = charts.length && zoomed ? view : whole;
  charts.forEach((chart) => chart.destroy());
  charts = [];
  live.replaceChildren();
  place.classList.add("live");
  const width = live.clientWidth;
  const sync = uPlot.sync("course");
  odd = Uint8Array.from(series.worth, Boolean);
  for (const lane of series.lanes) charts.push(new uPlot(laneOptions(lane, width), [series.span, [null, null]], live));
  series.plots.forEach((plot, number) => {
    const last = number === series.plots.length - 1;
    const kept = keep(plot, width);
    const options = plotOptions(plot, marksOf(plot, number), HEIGHTS[number] + (last ? BELOW : 0), width, last);
    options.series.slice(1).forEach((line) => (line.width = thickness(kept)));
    charts.push(Object.assign(new uPlot(options, columns(plot, kept), live), { plot, kept }));
  });
  charts.forEach((chart) => sync.sub(chart));
  document.getElementById("course-tools").inert = false;
  // When the frame that shows it is done: what the bench reads.
  requestAnimationFrame(() => setTimeout(() => performance.measure("course", { start: began })));
}

let zoomed = false;

// All charts show the same time, each by as many readings as its pixels can tell apart.
function show(min, max) {
  view = { min, max };
  zoomed = min > series.span[0] || max < series.span[1];
  for (const chart of charts) {
    chart.batch(() => {
      if (chart.plot) {
        chart.kept = keep(chart.plot, chart.width);
        chart.series.slice(1).forEach((line) => (line.width = thickness(chart.kept)));
        chart.setData(columns(chart.plot, chart.kept), false);
      }
      chart.setScale("x", view);
    });
  }
}

// A line that goes up and down in every pixel says nothing by being thick, and a hair is painted in half the time.
const thickness = (kept) => (kept.length > 2 * DOTS ? 1 / devicePixelRatio : 1.6);

// Numbers of the readings that a plot draws: what it shows, and one beyond at each side so that lines go on.
function keep(plot, width) {
  const from = Math.max(0, lowerBound(series.at, view.min) - 1);
  const to = Math.min(series.at.length - 1, lowerBound(series.at, view.max) + 1);
  return outline(series.at, plot.values, plot.lows, odd, from, to, width);
}

function columns(plot, kept) {
  // What was put aside, or moved nothing, is marked and no part of the line.
  const isAside = (number) => odd[number] && ASIDE.has(series.worth[number]);
  const steady = (values) => kept.map((number) => (isAside(number) ? null : values[number]));
  return [kept.map((number) => series.at[number]), steady(plot.values), ...(plot.lows ? [steady(plot.lows)] : [])];
}

// Places of what stands out, by its kind: times and values.
function marksOf(plot, number) {
  const gone = series.taken_back; // absent where it is not for whoever looks
  const places = { failed: [[], []], hollow: [[], []], past: gone ? [gone.at, gone.values[number]] : [[], []] };
  for (let reading = 0; reading < odd.length; reading++) {
    if (!odd[reading]) continue;
    const [times, values] = places[ASIDE.has(series.worth[reading]) ? "hollow" : "failed"];
    times.push(series.at[reading]);
    values.push(plot.values[reading]);
  }
  return places;
}

function common(title, height, width, bottom) {
  return {
    width,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    legend: { show: false },
    cursor: { sync: { key: "course" }, drag: { x: true, y: false }, points: { size: 8 }, y: false },
    scales: { x: { time: true, ...view } },
    hooks: { setScale: [(chart, key) => key === "x" && follow(chart)] },
    padding: [18, 12, 0, 0],
    axes: [
      {
        show: true,
        size: bottom ? BELOW : 4,
        stroke: () => colour("--quiet"),
        grid: { stroke: () => colour("--line"), width: 1 },
        ticks: { show: false },
        font: "11px system-ui, sans-serif",
        values: (_, ticks, __, ___, step) => ticks.map((at) => (bottom ? moment(at, step) : "")),
      },
    ],
    title: undefined,
    label: title,
  };
}

// As the picture has it, in UTC: a year at its beginning, else the month, the day or the time.
function moment(at, step) {
  const time = new Date(at * 1e3);
  const month = MONTHS[time.getUTCMonth()];
  if (step >= 27 * DAY) return time.getUTCMonth() ? month : String(time.getUTCFullYear());
  if (step >= DAY || at % DAY === 0) return `${month} ${time.getUTCDate()}`;
  return time.toISOString().slice(11, step < 60 ? 19 : 16);
}

function plotOptions(plot, marks, height, width, bottom) {
  const options = common(plot.title, height, width, bottom);
  const line = (fill) => ({
    stroke: () => colour("--data"),
    points: { show: (chart) => chart.data[0].length < DOTS, size: 5, fill: () => colour("--data"), stroke: () => colour("--data") },
    ...(fill ? { points: { show: false } } : {}),
    spanGaps: true,
  });
  options.series = [{}, line(false), ...(plot.lows ? [line(true)] : [])];
  if (plot.lows) options.bands = [{ series: [1, 2], fill: () => colour("--data-soft") }];
  options.axes.push({
    size: 44,
    stroke: () => colour("--quiet"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
    space: 28,
  });
  const text = plot.unit ? `${plot.title}, ${plot.unit}` : plot.title;
  options.hooks.draw = [(chart) => (heading(chart, text), drawMarks(chart, marks))];
  options.hooks.setCursor = [(chart) => point(chart, marks.past)];
  options.hooks.ready = [(chart) => chart.over.addEventListener("click", () => follows(chart, marks.past))];
  options.scales.y = { range: (_, low, high) => (low == null ? [0, 1] : spread(low, high)) };
  return options;
}

function spread(low, high) {
  const room = Math.max((high - low) * 0.12, 0.5);
  return [low - room, high + room];
}

function laneOptions(lane, width) {
  const options = common(lane.title, LANE, width, false);
  options.series = [{}, { show: false }];
  options.axes.push({ size: 44, show: true, grid: { show: false }, ticks: { show: false }, values: () => [] });
  options.scales.y = { range: [0, 1] };
  options.hooks.draw = [(chart) => (heading(chart, lane.title), drawLane(chart, lane))];
  options.hooks.ready = [
    (chart) =>
      chart.over.addEventListener("click", (event) => {
        const href = laneHit(chart, lane, event.offsetX);
        if (href) location.href = href;
      }),
  ];
  options.cursor.points = { show: false };
  return options;
}

// Number of what a rollback took back under the cursor, if anything is.
function pastUnder(chart, [times, values]) {
  const { left, top } = chart.cursor;
  const near = (number) =>
    Math.hypot(chart.valToPos(times[number], "x") - left, chart.valToPos(values[number], "y") - top) < 9;
  return times.findIndex((_, number) => values[number] != null && near(number));
}

function point(chart, past) {
  if (!chart.over.matches(":hover")) return; // it moves along with the one that is pointed at
  const under = pastUnder(chart, past);
  if (under >= 0) tell(`${series.taken_back.words[under]}. ${chart.plot.title} ${past[1][under]} ${chart.plot.unit}`);
  else if (chart.cursor.idx != null && chart.kept) say(chart.kept[chart.cursor.idx]);
}

function follows(chart, past) {
  const under = pastUnder(chart, past);
  if (under >= 0) location.href = series.taken_back.hrefs[under];
  else if (chart.cursor.idx != null) open(chart.kept[chart.cursor.idx]);
}

function laneHit(chart, lane, x) {
  const near = (when) => Math.abs(chart.valToPos(when, "x") - x) < 9;
  const sign = lane.signs.find(([when]) => near(when));
  if (sign) return sign[3];
  const value = chart.posToVal(x, "x");
  return lane.intervals.find(([begins, ends]) => (value >= begins && value <= ends) || near(begins))?.[4];
}

function follow(chart) {
  const { min, max } = chart.scales.x;
  if (min === view.min && max === view.max) return;
  view = { min, max };
  queueMicrotask(() => show(min, max)); // once this chart has done what it is at
}

function say(number) {
  at = number;
  const values = series.plots
    .filter((plot) => plot.values[number] != null)
    .map((plot) => `${plot.title.split(",")[0]} ${plot.values[number]}${plot.unit ? ` ${plot.unit}` : ""}`);
  tell(`${series.words[number]}. ${values.join(" · ")}`);
}

function tell(text) {
  const said = document.getElementById("course-said");
  if (said) said.textContent = text;
}

function open(number) {
  if (number != null) location.href = series.hrefs[number];
}

function zoom(how) {
  if (!charts.length) return;
  const [first, last] = series.span;
  let { min, max } = view;
  const span = max - min;
  const centre = at == null ? (min + max) / 2 : Math.min(max, Math.max(min, series.at[at]));
  if (how === "in" || how === "out") {
    const factor = how === "in" ? 0.5 : 2;
    [min, max] = [centre - (centre - min) * factor, centre + (max - centre) * factor];
  } else if (how === "left" || how === "right") {
    const step = span * (how === "left" ? -0.5 : 0.5);
    [min, max] = [min + step, max + step];
  } else if (how === "all") [min, max] = [first, last];
  else [min, max] = [last - Number(how) * DAY, last];
  const wide = Math.max(60, Math.min(max - min, last - first));
  min = Math.min(Math.max(min, first), last - wide);
  show(min, min + wide);
}

function move(by) {
  at = Math.min(series.at.length - 1, Math.max(0, at == null ? series.at.length - 1 : at + by));
  if (series.at[at] < view.min || series.at[at] > view.max) {
    const half = (view.max - view.min) / 2;
    show(series.at[at] - half, series.at[at] + half);
  }
  for (const each of charts) each.setCursor({ left: each.valToPos(series.at[at], "x"), top: 10 }, false);
  say(at);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-zoom]");
  if (button) zoom(button.dataset.zoom);
});
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "course-live" || event.ctrlKey || event.metaKey || event.altKey) return;
  const does = {
    "+": () => zoom("in"), "=": () => zoom("in"), "-": () => zoom("out"), 0: () => zoom("all"),
    ArrowLeft: () => (event.shiftKey ? zoom("left") : move(-1)),
    ArrowRight: () => (event.shiftKey ? zoom("right") : move(1)),
    Home: () => move(-Infinity), End: () => move(Infinity), Enter: () => open(at),
  }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
});

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => series && charts.length && draw(), 150);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  forgetColours();
  charts.forEach((chart) => chart.redraw());
});
document.body.addEventListener("cw-refreshed", () => {
  place = null;
  begin();
});
begin();
