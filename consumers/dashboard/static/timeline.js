// A battery's course, zoomable: five plots and three lanes that share one axis. The picture that the server drew stays
// where there is no script, no uPlot or no data, and is what is printed.

const SIGN = { critical: "◆", high: "▲", warning: "■" };
const LANE = 35; // as high as in the picture, so that nothing moves when this takes its place
const DAY = 86400;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const HEIGHTS = [147, 87, 87, 87, 87];
const BELOW = 34;

const ASIDE = new Set(["aside", "rejected"]);

let charts = [];
let series = null;
let odds = []; // readings that stand out
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
  const view = zoomed();
  const began = performance.now();
  charts.forEach((chart) => chart.destroy());
  charts = [];
  live.replaceChildren();
  place.classList.add("live");
  const width = live.clientWidth;
  const sync = uPlot.sync("course");
  const lanes = series.lanes.map((lane, number) => laneOptions(lane, number, width));
  const nothing = new Array(series.at.length).fill(null);
  odds = [...series.worth.keys()].filter((number) => series.worth[number]);
  const aside = odds.some((number) => ASIDE.has(series.worth[number]));
  lanes.forEach((options) => charts.push(new uPlot(options, [series.at, nothing], live)));
  series.plots.forEach((plot, number) => {
    const last = number === series.plots.length - 1;
    // What was put aside, or moved nothing, is marked and no part of the line.
    const steady = (values) => (aside ? values.map((v, at) => (ASIDE.has(series.worth[at]) ? null : v)) : values);
    const data = [series.at, steady(plot.values), ...(plot.lows ? [steady(plot.lows)] : [])];
    charts.push(new uPlot(plotOptions(plot, HEIGHTS[number] + (last ? BELOW : 0), width, last), data, live));
  });
  charts.forEach((chart) => sync.sub(chart));
  document.getElementById("course-tools").inert = false;
  if (view) charts.at(-1).setScale("x", view);
  // When the frame that shows it is done: what the bench reads.
  requestAnimationFrame(() => setTimeout(() => performance.measure("course", { start: began })));
}

// What somebody has zoomed to stays when news come in.
function zoomed() {
  const chart = charts.at(-1);
  if (!chart) return null;
  const { min, max } = chart.scales.x;
  const whole = chart.data[0];
  return min > whole[0] || max < whole.at(-1) ? { min, max } : null;
}

// Asking the style sheet takes as long as drawing hundreds of marks: once for each scheme of colours.
const colours = new Map();
function colour(name) {
  if (!colours.has(name)) {
    colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  }
  return colours.get(name);
}

function common(title, height, width, bottom) {
  return {
    width,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    legend: { show: false },
    cursor: { sync: { key: "course" }, drag: { x: true, y: false }, points: { size: 8 }, y: false },
    scales: { x: { time: true } },
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

function plotOptions(plot, height, width, bottom) {
  const options = common(plot.title, height, width, bottom);
  const line = (fill) => ({
    stroke: () => colour("--data"),
    width: 1.6,
    points: { show: series.at.length < 400, size: 5, fill: () => colour("--data"), stroke: () => colour("--data") },
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
  options.hooks.draw = [(chart) => (heading(chart, text), odd(chart, plot))];
  options.hooks.setCursor = [(chart) => chart.cursor.idx != null && say(chart.cursor.idx)];
  options.hooks.ready = [(chart) => chart.over.addEventListener("click", () => open(chart.cursor.idx))];
  options.scales.y = { range: (_, low, high) => (low == null ? [0, 1] : spread(low, high)) };
  return options;
}

function spread(low, high) {
  const room = Math.max((high - low) * 0.12, 0.5);
  return [low - room, high + room];
}

function laneOptions(lane, number, width) {
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

function heading(chart, text) {
  const context = chart.ctx;
  const ratio = devicePixelRatio;
  context.save();
  context.font = `600 ${11.5 * ratio}px system-ui, sans-serif`;
  context.fillStyle = colour("--ink");
  context.textAlign = "left";
  context.fillText(text, chart.bbox.left, chart.bbox.top - 6 * ratio);
  context.restore();
}

function odd(chart, plot) {
  // What stands out has a shape of its own: a cross where a verdict failed, a ring where a reading moved nothing.
  const context = chart.ctx;
  const ratio = devicePixelRatio;
  const { min, max } = chart.scales.x;
  context.save();
  context.beginPath();
  context.rect(chart.bbox.left, chart.bbox.top - 6, chart.bbox.width, chart.bbox.height + 12);
  context.clip();
  context.lineWidth = 2 * ratio;
  odds.forEach((number) => {
    const worth = series.worth[number];
    const value = plot.values[number];
    if (value == null || series.at[number] < min || series.at[number] > max) return;
    const x = chart.valToPos(series.at[number], "x", true);
    const { top, height } = chart.bbox;
    const y = Math.min(top + height, Math.max(top, chart.valToPos(value, "y", true)));
    const r = 4 * ratio;
    context.beginPath();
    if (worth === "failed") {
      context.strokeStyle = colour("--critical");
      context.moveTo(x - r, y - r);
      context.lineTo(x + r, y + r);
      context.moveTo(x - r, y + r);
      context.lineTo(x + r, y - r);
    } else {
      context.strokeStyle = colour("--ink");
      context.fillStyle = colour("--paper");
      context.arc(x, y, r, 0, 7);
      context.fill();
    }
    context.stroke();
  });
  context.restore();
}

function drawLane(chart, lane) {
  const context = chart.ctx;
  const ratio = devicePixelRatio;
  const { left, top, width, height } = chart.bbox;
  const middle = top + height / 2;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  for (const [begins, ends, kind] of lane.intervals) {
    const x = chart.valToPos(begins, "x", true);
    const wide = Math.max(chart.valToPos(ends, "x", true) - x, 1.5 * ratio);
    context.fillStyle = colour(["expired", "reclaimed", "closed"].includes(kind) ? "--high" : "--data");
    context.globalAlpha = kind === "unbounded" ? 0.45 : 1;
    context.fillRect(x, middle - 5 * ratio, wide, 10 * ratio);
  }
  context.globalAlpha = 1;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${14 * ratio}px system-ui, sans-serif`;
  for (const [when, severity] of lane.signs) {
    const x = chart.valToPos(when, "x", true);
    context.fillStyle = colour(severity === "warning" ? "--medium" : `--${severity}`);
    context.strokeStyle = colour("--edge");
    context.fillText(SIGN[severity] ?? "·", x, middle);
    if (severity === "warning") context.strokeText(SIGN[severity], x, middle);
  }
  context.restore();
}

function laneHit(chart, lane, x) {
  const near = (when) => Math.abs(chart.valToPos(when, "x") - x) < 9;
  const sign = lane.signs.find(([when]) => near(when));
  if (sign) return sign[3];
  const value = chart.posToVal(x, "x");
  return lane.intervals.find(([begins, ends]) => (value >= begins && value <= ends) || near(begins))?.[4];
}

let following = false;
function follow(chart) {
  if (following) return;
  following = true;
  const { min, max } = chart.scales.x;
  for (const other of charts) if (other !== chart) other.setScale("x", { min, max });
  following = false;
}

function say(number) {
  at = number;
  const values = series.plots
    .filter((plot) => plot.values[number] != null)
    .map((plot) => `${plot.title.split(",")[0]} ${plot.values[number]}${plot.unit ? ` ${plot.unit}` : ""}`);
  const said = document.getElementById("course-said");
  if (said) said.textContent = `${series.words[number]}. ${values.join(" · ")}`;
}

function open(number) {
  if (number != null) location.href = series.hrefs[number];
}

function zoom(how) {
  const chart = charts.at(-1);
  if (!chart) return;
  const first = series.at[0];
  const last = series.at.at(-1);
  let { min, max } = chart.scales.x;
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
  const room = Math.max((last - first) * 0.01, 60);
  const wide = Math.min(max - min, last - first + 2 * room);
  min = Math.min(Math.max(min, first - room), last + room - wide);
  chart.setScale("x", { min, max: min + Math.max(wide, 60) });
}

function move(by) {
  at = Math.min(series.at.length - 1, Math.max(0, at == null ? series.at.length - 1 : at + by));
  const chart = charts.at(-1);
  const { min, max } = chart.scales.x;
  if (series.at[at] < min || series.at[at] > max) {
    const half = (max - min) / 2;
    chart.setScale("x", { min: series.at[at] - half, max: series.at[at] + half });
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
  colours.clear();
  charts.forEach((chart) => chart.redraw());
});
document.body.addEventListener("cw-refreshed", () => {
  place = null;
  begin();
});
begin();
