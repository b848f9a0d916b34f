// Marks of a battery's course, drawn over its plots and in its lanes. Each kind has a shape of its own, so that nobody
// needs its colour.

const WARNS = new Set(["expired", "reclaimed", "closed"]);
const SHAPES = { critical: "M0-6.5L6.5 0L0 6.5L-6.5 0Z", high: "M0-6L6 5H-6Z", warning: "M-4.5-4.5H4.5V4.5H-4.5Z" };

// Asking the style sheet takes as long as drawing hundreds of marks: once for each scheme of colours.
const colours = new Map();
export function colour(name) {
  if (!colours.has(name)) {
    colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  }
  return colours.get(name);
}
export function forgetColours() {
  colours.clear();
  stamps.clear();
}

export function heading(chart, text) {
  const context = chart.ctx;
  const ratio = devicePixelRatio;
  context.save();
  context.font = `600 ${11.5 * ratio}px system-ui, sans-serif`;
  context.fillStyle = colour("--ink");
  context.textAlign = "left";
  context.fillText(text, chart.bbox.left, chart.bbox.top - 6 * ratio);
  context.restore();
}

// A mark is painted once, and stamped wherever it stands: a thousand strokes cost a frame or two.
const stamps = new Map();
function stamp(kind, half, paint) {
  const ratio = devicePixelRatio;
  const name = `${kind} ${ratio}`;
  if (!stamps.has(name)) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 2 * Math.ceil(half * ratio);
    const context = canvas.getContext("2d");
    context.translate(canvas.width / 2, canvas.height / 2);
    context.scale(ratio, ratio);
    paint(context);
    stamps.set(name, canvas);
  }
  return stamps.get(name);
}

function cross(context) {
  context.lineWidth = 2;
  context.strokeStyle = colour("--critical");
  context.stroke(new Path2D("M-4-4L4 4M-4 4L4-4"));
}

function ring(context) {
  context.lineWidth = 2;
  context.strokeStyle = colour("--ink");
  context.fillStyle = colour("--paper");
  context.arc(0, 0, 4, 0, 7);
  context.fill();
  context.stroke();
}

function dashes(context) {
  context.lineWidth = 1.5;
  context.setLineDash([2, 2]);
  context.strokeStyle = colour("--quiet");
  context.arc(0, 0, 4, 0, 7);
  context.stroke();
}

function sign(severity) {
  return (context) => {
    const path = new Path2D(SHAPES[severity]);
    context.fillStyle = colour(severity === "warning" ? "--medium" : `--${severity}`);
    context.fill(path);
    context.strokeStyle = colour("--edge");
    if (severity === "warning") context.stroke(path);
  };
}

// A cross where a verdict failed, a ring where a reading was put aside or moved nothing, a ring of dashes where a rollback
// took it back. A value beyond the scale stands at its edge.
export function drawMarks(chart, { failed, hollow, past }) {
  const { left, top, width, height } = chart.bbox;
  chart.ctx.save();
  chart.ctx.beginPath();
  chart.ctx.rect(left, top - 6, width, height + 12);
  chart.ctx.clip();
  stampAt(chart, failed, stamp("failed", 6, cross));
  stampAt(chart, hollow, stamp("hollow", 6, ring));
  stampAt(chart, past, stamp("past", 6, dashes));
  chart.ctx.restore();
}

function stampAt(chart, [times, values], image) {
  const { min, max } = chart.scales.x;
  const { top, height } = chart.bbox;
  const half = image.width / 2;
  for (let number = 0; number < times.length; number++) {
    if (values[number] == null || times[number] < min || times[number] > max) continue;
    const y = Math.min(top + height, Math.max(top, chart.valToPos(values[number], "y", true)));
    chart.ctx.drawImage(image, Math.round(chart.valToPos(times[number], "x", true) - half), Math.round(y - half));
  }
}

export function drawLane(chart, lane) {
  const context = chart.ctx;
  const ratio = devicePixelRatio;
  const { left, top, width, height } = chart.bbox;
  const middle = top + height / 2;
  const { min, max } = chart.scales.x;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  for (const [begins, ends, kind] of lane.intervals) {
    if (ends < min || begins > max) continue;
    const x = chart.valToPos(begins, "x", true);
    const wide = Math.max(chart.valToPos(ends, "x", true) - x, 1.5 * ratio);
    context.fillStyle = colour(WARNS.has(kind) ? "--high" : "--data");
    context.globalAlpha = kind === "unbounded" ? 0.45 : 1;
    context.fillRect(x, middle - 5 * ratio, wide, 10 * ratio);
  }
  context.globalAlpha = 1;
  // The gravest last, on top of others at the same place.
  for (const severity of ["warning", "high", "critical"]) {
    const image = stamp(severity, 8, sign(severity));
    const half = image.width / 2;
    for (const [when, grave] of lane.signs) {
      if (grave !== severity || when < min || when > max) continue;
      context.drawImage(image, Math.round(chart.valToPos(when, "x", true) - half), Math.round(middle - half));
    }
  }
  context.restore();
}
