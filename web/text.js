// Text and markup: everything that is shown goes through `html`, which escapes it.

class Safe {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (value) => String(value).replace(/[&<>"']/g, (letter) => ESCAPES[letter]);

function part(value) {
  if (value === null || value === undefined || value === false || value === true) return "";
  if (Array.isArray(value)) return value.map(part).join("");
  return value instanceof Safe ? value.text : escaped(value);
}

/** Returns markup; every value in it is escaped unless it is markup itself. */
export const html = (parts, ...values) =>
  new Safe(parts.reduce((all, text, i) => all + part(values[i - 1]) + text));

/** Returns an attribute without a value, or nothing. */
export const flag = (name, is) => (is ? new Safe(` ${name}`) : "");

export const NB = "\u00a0";
const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Returns a whole number with commas. */
export const n = (value) => GROUPED.format(Math.round(value));
export const percent = (value, digits = 1) => `${value.toFixed(digits)}${NB}%`;
export const plural = (count, one, many = `${one}s`) => `${n(count)}${NB}${count === 1 ? one : many}`;
const two = (value) => String(value).padStart(2, "0");

/** Returns seconds as a person says them: `12 s`, `5 min 12 s`, `3 h 4 min`, `9 d`. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s}${NB}s`;
  if (s < 7_200) return `${Math.floor(s / 60)}${NB}min${s % 60 ? `${NB}${s % 60}${NB}s` : ""}`;
  if (s < 172_800) return `${Math.floor(s / 3_600)}${NB}h${NB}${Math.floor((s % 3_600) / 60)}${NB}min`;
  return `${Math.floor(s / 86_400)}${NB}d`;
}

/** Returns the seconds of `30m`, `1h`, `90` and the like; `null` for anything else. */
export function seconds(text) {
  const units = { "": 1, s: 1, m: 60, min: 60, h: 3_600, d: 86_400 };
  const found = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/.exec(text);
  return found && found[2] in units ? Number(found[1]) * units[found[2]] : null;
}

/** Returns the milliseconds of a moment on the wire. */
export const ms = (moment) => (moment ? Date.parse(moment) : NaN);

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Returns the time of day, UTC. */
export function clock(at, withMs = false) {
  const day = new Date(at);
  if (Number.isNaN(day.getTime())) return "–";
  const text = `${two(day.getUTCHours())}:${two(day.getUTCMinutes())}:${two(day.getUTCSeconds())}`;
  return withMs ? `${text}.${String(day.getUTCMilliseconds()).padStart(3, "0")}` : text;
}

/** Returns a moment with its day, unless that is the day of `now`. */
export function moment(at, now, withMs = false) {
  const day = new Date(at);
  if (Number.isNaN(day.getTime())) return "–";
  const isToday = Math.floor(at / 86_400_000) === Math.floor(now / 86_400_000);
  const time = clock(at, withMs);
  return isToday ? time : `${day.getUTCDate()}${NB}${MONTHS[day.getUTCMonth()]}${NB}${time}`;
}

export const dayOf = (at) => {
  const day = new Date(at);
  return `${day.getUTCDate()}${NB}${MONTHS[day.getUTCMonth()]}`;
};

export const glyph = (name) => html`<svg class="g" aria-hidden="true"><use href="#g-${name}"/></svg>`;

/** Returns a state: a glyph and a word, always both. */
export const state = (name, word = name) =>
  html`<span class="st st-${name}">${glyph(name)}<span>${word}</span></span>`;

/** Returns an identifier as it is typed; its text decides its own direction. */
export const id = (text, href) => (href
  ? html`<a class="id" href="${href}"><bdi>${text}</bdi></a>`
  : html`<span class="id"><bdi>${text}</bdi></span>`);

export const labelText = (labels) => Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`).join(", ");

// ---------------------------------------------------------------- from markup to the page

/** The first class says what an element is; the others, in which state. */
const firstClass = (element) => element.classList[0] ?? "";

function sameKind(a, b) {
  if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) return false;
  return a.nodeType !== 1 || (a.id === b.id && a.dataset.key === b.dataset.key && firstClass(a) === firstClass(b));
}

function align(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !name.startsWith("data-own")) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

/** Returns whether one of the next siblings of `node` is of the kind of `wanted`. */
function follows(node, wanted) {
  let next = node.nextSibling;
  for (let looked = 0; next && looked < 12; looked++, next = next.nextSibling) if (next.nodeType === 1 && sameKind(next, wanted)) return true;
  return false;
}

/** Changes the children of `from` into those of `to`, and leaves alone what is the same already. */
function change(from, to) {
  let have = from.firstChild;
  let want = to.firstChild;
  while (want) {
    const next = want.nextSibling;
    if (have && sameKind(have, want)) {
      if (have.nodeType === 1) {
        // A field that a person types in, and what draws itself, keep what they have.
        if (!have.hasAttribute("data-keep")) {
          align(have, want);
          change(have, want);
        }
      } else if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
      have = have.nextSibling;
    } else if (have && (have.nodeType !== 1 || !follows(want, have)) && want.nodeType === 1 && follows(have, want)) {
      // It is gone, and what is wanted comes after it.
      const gone = have;
      have = have.nextSibling;
      gone.remove();
      continue;
    } else {
      from.insertBefore(want, have);
    }
    want = next;
  }
  while (have) {
    const gone = have;
    have = have.nextSibling;
    gone.remove();
  }
}

/** Shows markup in an element. Elements that stay the same keep their focus and their place. */
export function show(element, markup) {
  const made = document.createElement("template");
  made.innerHTML = part(markup);
  change(element, made.content);
  for (const sized of element.querySelectorAll("[data-height]")) sized.style.height = `${sized.dataset.height}px`;
}
