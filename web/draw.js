// Small drawings, and what all drawings share: colours of the style sheet, canvases at the screen's resolution.

import { html } from "./text.js";

const styles = getComputedStyle(document.documentElement);
/** Returns a colour of the style sheet. */
export const colour = (name) => styles.getPropertyValue(`--${name}`).trim();
export const font = () => getComputedStyle(document.body).fontFamily;

/** Returns the context of a canvas of that size, in CSS pixels. */
export function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** A part of a whole. */
export function bar(value, most, more = 0) {
  const share = most ? Math.min(1, value / most) : 0;
  const added = most ? Math.min(1 - share, more / most) : 0;
  return html`<svg class="bar" aria-hidden="true"><rect class="bg" width="100%" height="8"/><rect class="f-run" width="${(share * 100).toFixed(1)}%" height="8"/>${more ? html`<rect class="f-move" x="${(share * 100).toFixed(1)}%" width="${(added * 100).toFixed(1)}%" height="8"/>` : ""}</svg>`;
}

/** Silence on the scale of the rules: ticks where an instance is late and where it has failed. */
export function silenceBar(seconds, rules, kind) {
  const whole = rules.failed * 1.2;
  const at = (s) => Math.min(118, s / whole * 120);
  if (kind === "planned") return html`<svg class="sil" aria-hidden="true"><path class="h-ctl" d="M0 6h120" stroke-width="1" stroke-dasharray="2 3"/></svg>`;
  return html`<svg class="sil" aria-hidden="true"><rect class="bg" y="4" width="120" height="4"/><rect class="f-${kind}" y="3" width="${Math.max(2, at(seconds)).toFixed(1)}" height="6"/><rect class="tk" x="${at(rules.late).toFixed(1)}" y="1" width="1" height="10"/><rect class="tk" x="${at(rules.failed).toFixed(1)}" y="1" width="1" height="10"/></svg>`;
}

/** Every stream of the fleet in one stroke. A part that is too small to be seen is drawn wider; the counts
    below are exact. */
export function theLine(parts) {
  const shown = parts.filter((part) => part.count > 0);
  const total = shown.reduce((sum, part) => sum + part.count, 0);
  const small = shown.filter((part) => part.count / total < 0.016);
  const room = 100 - small.length * 2.2;
  const big = total - small.reduce((sum, part) => sum + part.count, 0);
  let x = 0;
  const rects = shown.map((part) => {
    const width = small.includes(part) ? 2.2 : part.count / big * room;
    const from = x;
    x += width;
    const gap = from ? 0.2 : 0;
    if (part.kind === "wait") return html`<rect class="s-fail" x="${(from + 0.25).toFixed(2)}%" y="1" width="${Math.max(0.5, width - 0.35).toFixed(2)}%" height="8"/>`;
    return html`<rect class="f-${part.kind}" x="${(from + gap).toFixed(2)}%" width="${(width - gap).toFixed(2)}%" height="10"/>${part.kind === "held" ? html`<rect x="${(from + gap).toFixed(2)}%" width="${(width - gap).toFixed(2)}%" height="10" fill="url(#hatch)"/>` : ""}`;
  });
  return html`<svg aria-hidden="true"><rect class="f-free" width="100%" height="10"/>${rects}</svg>`;
}

export const swatch = (kind) => (kind === "wait"
  ? html`<svg class="sw" aria-hidden="true"><rect class="s-fail" x="1" y="1" width="12" height="6"/></svg>`
  : html`<svg class="sw" aria-hidden="true"><rect class="f-${kind}" width="14" height="8"/>${kind === "held" ? html`<rect width="14" height="8" fill="url(#hatch)"/>` : ""}</svg>`);

// ---------------------------------------------------------------- what draws itself

const drawers = new Map();
const specs = new Map();

/** Names how a kind of drawing is drawn: `draw(box, spec)`. */
export const drawer = (kind, draw) => drawers.set(kind, draw);
/** Keeps what a drawing shows until it is drawn. */
export const specify = (name, spec) => specs.set(name, spec);
export const specOf = (box) => specs.get(box.dataset.spec);

/** Draws everything on the page that draws itself. */
export function drawAll(root = document) {
  for (const box of root.querySelectorAll("[data-draw]")) {
    const spec = specOf(box);
    if (spec && box.clientWidth) drawers.get(box.dataset.draw)?.(box, spec);
  }
}
