// The fleet map: every instance is a cell. The fill is its load, or the shade its silence; a state replaces the
// fill by a pattern of its own.

import { colour, drawer, fit, font, specify, specOf } from "./draw.js";
import { model, silence } from "./model.js";
import { instanceLink } from "./route.js";
import { html, id, n, plural, show, span, state } from "./text.js";
import { instanceWord, isHeld, stateWord } from "./words.js";

/** Labels that say where an instance stands, the wide ones first. */
const ZONES = ["zone", "region", "site", "datacenter", "dc"];
const RACKS = ["rack", "host", "row"];
/** With more instances than this, cells are not grouped by rack. */
const MOST_IN_RACKS = 3_000;

let chosen = null;

function swatch(kind) {
  const shapes = {
    active: html`<rect class="f-free" width="12" height="12"/><rect fill="currentColor" y="4" width="12" height="8" opacity=".75"/>`,
    held: html`<rect class="f-held" width="12" height="12"/><rect width="12" height="12" fill="url(#hatch)"/>`, late: html`<rect class="f-late" width="12" height="12"/>`,
    failed: html`<rect class="f-fail" width="12" height="12"/><path d="M3 3l6 6M9 3l-6 6" stroke="#fff" stroke-width="1.6"/>`,
    draining: html`<rect class="f-move" width="12" height="12"/><path d="M3 9l6-6M5 3h4v4" fill="none" stroke="#fff" stroke-width="1.4"/>`, probation: html`<rect class="f-move" width="12" height="12"/>`,
    cordoned: html`<rect class="f-free" width="12" height="12"/><path d="M2 6h8" class="h-move" stroke-width="2"/>`,
  };
  return html`<svg viewBox="0 0 12 12" aria-hidden="true">${shapes[kind] ?? html`<rect x=".75" y=".75" width="10.5" height="10.5" fill="none" stroke="currentColor" stroke-width="1.5"/>`}</svg>`;
}

/** Returns the markup of a map of these instances. */
export function fleetMap(name, rows, mode) {
  specify(name, { rows, mode });
  const counts = new Map();
  for (const row of rows) {
    const [kind, word] = instanceWord(row);
    const known = counts.get(kind) ?? { word, count: 0 };
    known.count++;
    counts.set(kind, known);
  }
  const order = ["active", "late", "held", "failed", "probation", "draining", "cordoned", "maintenance", "inactive"];
  const legend = order.filter((kind) => counts.has(kind)).map((kind) => html`<span class="st st-${kind}">${swatch(kind)}${counts.get(kind).word}<span class="dim">${n(counts.get(kind).count)}</span></span>`);
  return html`<div class="map" data-draw="map" data-spec="${name}"><canvas data-keep tabindex="0" role="img" aria-label="Map of ${plural(rows.length, "instance")}. Arrow keys choose one, Enter opens it."></canvas>
    <div class="readout"><span data-keep data-readout aria-live="polite"></span><span class="hint"><kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd> choose, <kbd>Enter</kbd> opens</span></div>
    <div class="legend">${legend}<span class="dim">${mode === "silence" ? "shade: silence" : "fill: streams of places"}</span></div></div>`;
}

/** Returns the first of these labels that most of the instances have. */
function labelOf(rows, names) {
  return names.find((name) => rows.filter((row) => row.labels?.[name]).length * 2 > rows.length) ?? null;
}

function groups(rows) {
  const zone = labelOf(rows, ZONES);
  const rack = rows.length <= MOST_IN_RACKS ? labelOf(rows, RACKS) : null;
  const zones = new Map();
  for (const row of rows) {
    const z = (zone && row.labels?.[zone]) || "";
    const r = (rack && row.labels?.[rack]) || "";
    if (!zones.has(z)) zones.set(z, new Map());
    if (!zones.get(z).has(r)) zones.get(z).set(r, []);
    zones.get(z).get(r).push(row);
  }
  const byName = ([a], [b]) => (a < b ? -1 : 1);
  return [...zones].sort(byName).map(([name, racks]) => ({
    name, racks: [...racks].sort(byName).map(([rackName, list]) => ({ name: rackName, rows: list.sort((a, b) => (a.id < b.id ? -1 : 1)) })),
  }));
}

function layout(rows, width) {
  const all = groups(rows);
  const hasZones = all.some((zone) => zone.name);
  const hasRacks = all.some((zone) => zone.racks.some((rack) => rack.name));
  const left = hasZones && width > 500 ? 48 : 0;
  const cell = rows.length > 4_000 ? 5 : rows.length > 1_500 ? 7 : rows.length > 300 ? 11 : 15;
  const step = cell + (cell > 6 ? 2 : 1);
  const cells = [];
  const names = [];
  let y = 4;
  for (const zone of all) {
    if (zone.name) names.push({ text: zone.name, x: 0, y: y + (left ? (hasRacks ? 24 : 9) : 10), isZone: true });
    if (zone.name && !left) y += 16;
    if (hasRacks) {
      const across = 4;
      const wide = across * step + 10;
      const perRow = Math.max(1, Math.floor((width - left + 10) / wide));
      for (let at = 0; at < zone.racks.length; at += perRow) {
        let deepest = 0;
        zone.racks.slice(at, at + perRow).forEach((rack, r) => {
          const x0 = left + r * wide;
          names.push({ text: rack.name, x: x0, y: y + 9, isBad: rack.rows.some((row) => row.state === "failed" || isHeld(row.state)) });
          rack.rows.forEach((row, k) => cells.push({ row, x: x0 + (k % across) * step, y: y + 15 + Math.floor(k / across) * step }));
          deepest = Math.max(deepest, Math.ceil(rack.rows.length / across));
        });
        y += 15 + deepest * step + 8;
      }
    } else {
      const list = zone.racks.flatMap((rack) => rack.rows);
      const across = Math.max(1, Math.floor((width - left) / step));
      list.forEach((row, k) => cells.push({ row, x: left + (k % across) * step, y: y + Math.floor(k / across) * step }));
      y += Math.ceil(list.length / across) * step + 10;
    }
  }
  return { cells, names, cell, height: Math.max(24, y) };
}

function drawCell(c, row, x, y, s, mode, ink) {
  const [kind] = instanceWord(row);
  c.fillStyle = ink.empty;
  c.fillRect(x, y, s, s);
  if (kind === "maintenance" || kind === "inactive") {
    c.fillStyle = ink.paper; c.fillRect(x, y, s, s);
    c.strokeStyle = ink.soft; c.lineWidth = 1.25; c.strokeRect(x + 0.6, y + 0.6, s - 1.2, s - 1.2);
  } else if (kind === "held") {
    c.fillStyle = ink.held; c.fillRect(x, y, s, s);
    c.save(); c.beginPath(); c.rect(x, y, s, s); c.clip();
    c.strokeStyle = ink.hatch; c.lineWidth = 1.4;
    for (let d = -s; d < s * 2; d += 4) { c.beginPath(); c.moveTo(x + d, y + s); c.lineTo(x + d + s, y); c.stroke(); }
    c.restore();
  } else if (kind === "failed" || kind === "late") {
    c.fillStyle = kind === "failed" ? ink.fail : ink.late; c.fillRect(x, y, s, s);
    if (kind === "failed" && s > 8) { c.strokeStyle = "#fff"; c.lineWidth = 1.5; c.beginPath(); c.moveTo(x + 3, y + 3); c.lineTo(x + s - 3, y + s - 3); c.moveTo(x + s - 3, y + 3); c.lineTo(x + 3, y + s - 3); c.stroke(); }
  } else if (kind === "draining" || kind === "probation") {
    c.fillStyle = ink.move; c.fillRect(x, y, s, s);
    if (kind === "draining" && s > 8) { c.strokeStyle = "#fff"; c.lineWidth = 1.3; c.beginPath(); c.moveTo(x + 2, y + s - 2); c.lineTo(x + s - 2.5, y + 2.5); c.moveTo(x + s - 6, y + 2.5); c.lineTo(x + s - 2.5, y + 2.5); c.lineTo(x + s - 2.5, y + 6); c.stroke(); }
  } else {
    const share = mode === "silence" ? Math.min(1, silence(row) / ink.late_s) : row.max ? Math.min(1, row.streams / row.max) : 0;
    c.fillStyle = ink.load;
    if (mode === "silence") { c.globalAlpha = 0.15 + 0.85 * share; c.fillRect(x, y, s, s); } else {
      const h = Math.round(share * s);
      c.globalAlpha = 0.38 + 0.6 * share * share;
      c.fillRect(x, y + s - h, s, h);
    }
    c.globalAlpha = 1;
    if (mode !== "silence" && share >= 0.999) { c.fillStyle = ink.ink; c.fillRect(x, y, s, 2); }
    if (kind === "cordoned") { c.fillStyle = ink.move; c.fillRect(x, y + s / 2 - 1, s, 2); }
  }
}

const layouts = new WeakMap();
/** What each map shows already: 10,000 cells are not drawn again for nothing. */
const drawn = new WeakMap();

function draw(box, spec) {
  const canvas = box.querySelector("canvas");
  if (!canvas.dataset.ownBound) bind(box, canvas);
  const width = box.clientWidth;
  const picture = [model.fleetVersion, spec.rows.length, spec.mode, width, chosen, colour("paper"), model.figures?.brake.state, devicePixelRatio].join();
  if (drawn.get(box) === picture) return;
  drawn.set(box, picture);
  const plan = layout(spec.rows, width);
  layouts.set(box, plan);
  canvas.style.height = `${plan.height}px`;
  const c = fit(canvas, width, plan.height);
  const ink = { empty: colour("cell"), load: colour("cell-load"), late: colour("late-fill"), held: colour("held-fill"), fail: colour("fail-fill"), move: colour("move-fill"), paper: colour("paper"), soft: colour("ink3"), hatch: colour("hatch"), ink: colour("ink"), late_s: model.figures?.status.heartbeat_config.warning_threshold_seconds ?? 120 };
  const family = font();
  for (const name of plan.names) {
    c.font = `${name.isZone || name.isBad ? "600 " : ""}${name.isZone ? 12 : 10}px ${family}`;
    c.fillStyle = name.isZone || name.isBad ? ink.ink : ink.soft;
    c.fillText(name.text.length > 14 ? `${name.text.slice(0, 13)}…` : name.text, name.x, name.y, name.isZone ? 46 : undefined);
  }
  for (const { row, x, y } of plan.cells) {
    drawCell(c, row, x, y, plan.cell, spec.mode, ink);
    if (chosen === row.id) { c.strokeStyle = colour("focus"); c.lineWidth = 2; c.strokeRect(x - 1.5, y - 1.5, plan.cell + 3, plan.cell + 3); }
  }
  readOut(box, spec);
}

function readOut(box, spec) {
  const line = box.querySelector("[data-readout]");
  const row = spec.rows.find((one) => one.id === chosen);
  if (row) {
    const told = row.state === "maintenance" ? "silent on purpose" : `silent ${span(silence(row))}`;
    show(line, html`${id(row.id)} ${state(...instanceWord(row))} <span>${n(row.streams)} of ${n(row.max)} streams</span> <span>${told}</span>`);
    return;
  }
  const live = spec.rows.filter((one) => one.state === "active" && one.max);
  if (!live.length) { show(line, html`<span>${stateWord("active")[1]}: none</span>`); return; }
  const free = live.reduce((a, b) => (b.streams / b.max < a.streams / a.max ? b : a));
  const full = live.reduce((a, b) => (b.streams / b.max > a.streams / a.max ? b : a));
  show(line, html`<span>Emptiest ${id(free.id)} ${n(free.streams)} of ${n(free.max)}</span> <span>Fullest ${id(full.id)} ${n(full.streams)} of ${n(full.max)}</span>`);
}

function bind(box, canvas) {
  canvas.dataset.ownBound = "1";
  const choose = (name) => { if (name && name !== chosen) { chosen = name; draw(box, specOf(box)); } };
  const under = (event) => {
    const plan = layouts.get(box);
    return plan?.cells.find((cell) => event.offsetX >= cell.x - 1 && event.offsetX <= cell.x + plan.cell + 1 && event.offsetY >= cell.y - 1 && event.offsetY <= cell.y + plan.cell + 1)?.row.id;
  };
  canvas.addEventListener("pointermove", (event) => choose(under(event)));
  canvas.addEventListener("pointerleave", () => { if (document.activeElement !== canvas && chosen) { chosen = null; draw(box, specOf(box)); } });
  canvas.addEventListener("click", (event) => { const name = under(event); if (name) location.hash = instanceLink(name); });
  canvas.addEventListener("keydown", (event) => {
    const cells = layouts.get(box)?.cells ?? [];
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" && chosen) location.hash = instanceLink(chosen);
    if (!way || !cells.length) return;
    event.preventDefault();
    const from = cells.find((cell) => cell.row.id === chosen);
    if (!from) { choose(cells[0].row.id); return; }
    let best = null;
    let cost = Infinity;
    for (const cell of cells) {
      const [dx, dy] = [cell.x - from.x, cell.y - from.y];
      const along = dx * way[0] + dy * way[1];
      const off = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (along > 0 && along + off * 3 < cost) { cost = along + off * 3; best = cell; }
    }
    choose(best?.row.id);
  });
}

drawer("map", draw);
