// The recorder: lanes over one time axis; events are flags that cut through all lanes.

import { colour, drawer, fit, font, specify, specOf } from "./draw.js";
import { clock, dayOf, html } from "./text.js";

const FLAG_ROWS = 3;

/** Returns the markup of a recorder. `spec`: `{from, step, lanes, flags}`; times in milliseconds. */
export function recorder(name, spec) {
  specify(name, spec);
  const rows = Math.min(FLAG_ROWS, spec.flags.length);
  const band = rows > 1 ? "b3" : rows ? "" : "b0";
  const told = spec.lanes.map((lane) => `${lane.name}, ${lane.unit}: now ${lane.value}, ${lane.note}`).join(". ");
  return html`<div class="recorder" data-draw="recorder" data-spec="${name}"><div class="lanes">
    <div class="band ${band}"><b>${rows ? "Events" : ""}</b></div><div class="band ${band}"></div>
    ${spec.lanes.map((lane, i) => html`<div class="lab lane-${i ? "b" : "a"}"><b>${lane.name}</b><span>${lane.unit}</span></div>${i ? "" : html`<div class="plot"><canvas data-keep tabindex="0" role="img" aria-label="${told}"></canvas></div>`}<div class="val lane-${i ? "b" : "a"}" data-lane="${i}"><b>${lane.value}</b><span>${lane.note}</span></div>`)}
    <div class="foot"></div><div class="foot"></div></div></div>`;
}

/** Puts points `[moment, number]` on a regular axis; a moment without one is a gap. */
export function regular(points, from, step, count) {
  const data = new Array(count).fill(NaN);
  for (const [moment, value] of points) {
    const at = Math.round((Date.parse(moment) - from) / step);
    if (at >= 0 && at < count && value !== null) data[at] = value;
  }
  return data;
}

const TICKS = [10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400].map((s) => s * 1_000);

function drawTicks(c, spec, x, width, end) {
  const whole = spec.step * (spec.lanes[0].data.length - 1);
  const every = TICKS.find((tick) => whole / tick <= Math.max(2, width / 90)) ?? TICKS.at(-1);
  for (let t = Math.ceil(spec.from / every) * every; t <= spec.from + whole; t += every) {
    const px = Math.round(x((t - spec.from) / spec.step)) + 0.5;
    c.strokeStyle = colour("rule");
    c.lineWidth = 1;
    c.beginPath(); c.moveTo(px, 0); c.lineTo(px, end); c.stroke();
    c.fillStyle = colour("ink3");
    c.textAlign = px > width - 20 ? "right" : px < 16 ? "left" : "center";
    c.fillText(every >= 86_400_000 || (whole > 172_800_000 && t % 86_400_000 === 0) ? dayOf(t) : clock(t).slice(0, every < 60_000 ? 8 : 5), px, end + 15);
  }
}

function drawLane(c, lane, x, y, bottom, width) {
  const count = lane.data.length;
  c.strokeStyle = c.fillStyle = colour(lane.color === "ink" || !lane.color ? "ink" : `${lane.color}-fill`);
  if (lane.kind === "line") {
    c.lineWidth = 1.25;
    c.beginPath();
    let isDrawn = false;
    lane.data.forEach((value, i) => {
      if (!Number.isFinite(value)) { isDrawn = false; return; }
      if (isDrawn) c.lineTo(x(i), y(value)); else { c.moveTo(x(i), y(value)); c.lineTo(x(i) + 0.5, y(value)); }
      isDrawn = true;
    });
    c.stroke();
  } else if (lane.kind === "stick") {
    lane.data.forEach((value, i) => { if (value > 0) c.fillRect(Math.round(x(i)) - 1, Math.min(y(value), bottom - 1.5), 2, Math.max(1.5, bottom - y(value))); });
  } else if (lane.kind === "beats") {
    lane.data.forEach((value, i) => { if (value) c.fillRect(x(i), bottom - 22, width / count + 0.6, 6); });
  } else {
    for (let i = 0, j; i < count; i = j) {
      for (j = i + 1; j < count && lane.data[j] === lane.data[i];) j++;
      if (!(lane.data[i] > 0)) continue;
      const [left, right, top] = [x(i), Math.min(width, x(j)), y(lane.data[i])];
      c.globalAlpha = 0.22;
      c.fillRect(left, top, right - left, bottom - top);
      c.globalAlpha = 1;
      c.fillRect(left, top - 1, right - left, 2);
    }
  }
}

function drawFlags(c, spec, x, width, end, base) {
  const rows = spec.flags.length > 1 ? FLAG_ROWS : 1;
  const taken = Array.from({ length: rows }, () => []);
  for (const flag of spec.flags.slice(-12).reverse()) {
    const exact = Math.round(x((flag.at - spec.from) / spec.step)) + 0.5;
    if (exact < 0 || exact > width + 24) continue;
    // What happened after the last point stands at the end.
    const px = Math.min(exact, width - 0.5);
    const ink = colour(flag.kind && flag.kind !== "ink" ? flag.kind : "ink");
    c.strokeStyle = c.fillStyle = ink;
    c.lineWidth = 1;
    c.font = `500 11px ${base}`;
    const text = flag.text.length > 32 ? `${flag.text.slice(0, 31)}…` : flag.text;
    const wide = c.measureText(text).width;
    const isLeft = px + wide + 12 > width;
    const tx = isLeft ? px - 8 - wide : px + 8;
    // A flag whose words would lie on another's is a line only.
    const row = taken.findIndex((spans) => tx > 0 && spans.every(([from, to]) => tx - 14 > to || tx + wide + 14 < from));
    const ty = 14 + Math.max(0, row) * 15;
    c.setLineDash([2, 2]); c.beginPath(); c.moveTo(px, ty - 10); c.lineTo(px, end); c.stroke(); c.setLineDash([]);
    if (row < 0) continue;
    taken[row].push([Math.min(tx, px), Math.max(tx + wide, px)]);
    c.fillStyle = colour("paper"); c.fillRect(tx - 2, ty - 10, wide + 4, 13);
    c.fillStyle = ink; c.textAlign = "left"; c.fillText(text, tx, ty);
    c.beginPath(); c.moveTo(px, ty - 9); c.lineTo(px + (isLeft ? -5 : 5), ty - 4.5); c.lineTo(px, ty); c.fill();
  }
  c.font = `11px ${base}`;
}

const hovered = new WeakMap();

function draw(box, spec) {
  const canvas = box.querySelector("canvas");
  if (!canvas.dataset.ownBound) bind(box, canvas);
  const grid = box.querySelector(".lanes");
  const labels = [...box.querySelectorAll(".lab")];
  const base = grid.getBoundingClientRect();
  const width = canvas.parentElement.clientWidth;
  const c = fit(canvas, width, base.height);
  canvas.parentElement.style.height = `${base.height}px`;
  const count = spec.lanes[0].data.length;
  const x = (i) => i / Math.max(1, count - 1) * (width - 1) + 0.5;
  const end = base.height - 22;
  const family = font();
  c.font = `11px ${family}`;
  drawTicks(c, spec, x, width, end);
  labels.forEach((label, k) => {
    const lane = spec.lanes[k];
    const rect = label.getBoundingClientRect();
    const [top, bottom] = [rect.top - base.top + 6, rect.bottom - base.top - 1];
    const y = (value) => bottom - (value - lane.min) / ((lane.max - lane.min) || 1) * (bottom - top);
    c.strokeStyle = colour("rule"); c.lineWidth = 1;
    c.beginPath(); c.moveTo(0, Math.round(bottom) + 0.5); c.lineTo(width, Math.round(bottom) + 0.5); c.stroke();
    drawLane(c, lane, x, y, bottom, width);
    if (lane.marks) {
      c.fillStyle = colour("ink3"); c.textAlign = "left";
      c.fillText(lane.marks[1], 3, top + 9);
      if (lane.marks[0]) c.fillText(lane.marks[0], 3, bottom - 4);
    }
  });
  drawFlags(c, spec, x, width, end, family);
  const at = hovered.get(box) ?? null;
  if (at !== null && at < count) {
    const px = Math.round(x(at)) + 0.5;
    c.strokeStyle = colour("ink"); c.lineWidth = 1;
    c.beginPath(); c.moveTo(px, 0); c.lineTo(px, end); c.stroke();
    const text = clock(spec.from + at * spec.step);
    const wide = c.measureText(text).width + 10;
    const left = Math.min(width - wide, Math.max(0, px - wide / 2));
    c.fillStyle = colour("ink"); c.fillRect(left, end + 3, wide, 16);
    c.fillStyle = colour("paper"); c.textAlign = "center"; c.fillText(text, left + wide / 2, end + 15);
  }
  spec.lanes.forEach((lane, k) => {
    const value = box.querySelector(`[data-lane="${k}"] b`);
    if (!value) return;
    const here = at === null ? null : lane.data[at];
    value.textContent = here === null ? lane.value : lane.kind === "beats" ? (here ? "beat" : "missed") : Number.isFinite(here) ? here.toFixed(Number.isInteger(here) ? 0 : 1) : "–";
  });
}

/** The pointer and the arrow keys choose a moment; every lane shows its value then. */
function bind(box, canvas) {
  canvas.dataset.ownBound = "1";
  const last = () => specOf(box).lanes[0].data.length - 1;
  const choose = (at) => {
    hovered.set(box, at === null ? null : Math.max(0, Math.min(last(), at)));
    draw(box, specOf(box));
  };
  canvas.addEventListener("pointermove", (event) => choose(Math.round(event.offsetX / canvas.clientWidth * last())));
  canvas.addEventListener("pointerleave", () => choose(null));
  canvas.addEventListener("blur", () => choose(null));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose((hovered.get(box) ?? last()) + step);
  });
}

drawer("recorder", draw);
