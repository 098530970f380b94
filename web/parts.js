// The parts that views are made of: sentence, section, facts, story, buttons, forms of emptiness.

import { may, now, outage } from "./model.js";
import { incidentLink, instanceLink, streamLink } from "./route.js";
import { flag, glyph, html, id, ms, moment, n, state } from "./text.js";
import { eventGlyph, sentence } from "./words.js";

export const lead = (title, say) => html`<section class="lead"><h1>${title}</h1>${say ? html`<p>${say}</p>` : ""}</section>`;

/** The head of a view: the crumb, the title, what to say of it, and what can be done. */
export const head = ({ crumb, title, say, acts }) => html`<div class="head"><div class="tt">${crumb ? html`<p class="crumb">${crumb}</p>` : ""}<h1>${title}</h1>${say ? html`<p class="say">${say}</p>` : ""}</div>${acts ? html`<div class="acts">${acts}</div>` : ""}</div>`;

export const section = ({ title, note, tools, body, label, key }) => html`<section class="sec" data-key="${key ?? title ?? label ?? ""}"${label ? html` aria-label="${label}"` : ""}><header>${title ? html`<h2>${title}</h2>` : ""}${note ? html`<span class="note">${note}</span>` : ""}${tools ? html`<div class="tools">${tools}</div>` : ""}</header>${body}</section>`;

export const facts = (pairs) => html`<dl class="facts">${pairs.filter(Boolean).map(([name, value, small, wide]) => html`<div class="${wide ? "w2" : ""}"><dt>${name}</dt><dd>${value}${small ? html` <small>${small}</small>` : ""}</dd></div>`)}</dl>`;

/** A choice of a few, of which one is in force. `choices`: `[[value, word]]`. */
export const seg = (label, name, value, choices) => html`<div class="seg" role="group" aria-label="${label}">${choices.map(([key, word]) => html`<button type="button" data-do="refine" data-name="${name}" data-value="${key}" aria-pressed="${String(key === value)}">${word}</button>`)}</div>`;

/** A button that opens a plan. Without the role it is shown, and names the role. */
export function action(word, name, subject, { role = "operator", why = "", danger = false, small = false, main = false } = {}) {
  const missing = may(role) ? why : `Needs a key with the role ${role}`;
  const stale = !missing && outage() && name !== "breaker" ? "The database is out: nothing can be changed" : missing;
  return html`<button class="btn${danger ? " danger" : ""}${small ? " small" : ""}${main ? " main" : ""}" type="button" data-do="act" data-act="${name}" data-subject="${subject ?? ""}"${flag("disabled", Boolean(stale))}${stale ? html` title="${stale}"` : ""}>${word}</button>`;
}

export const table = ({ heads, rows, label, cls = "", scroll = true, foot }) => {
  const body = html`<table class="tbl ${cls}"><thead><tr>${heads.map((one) => (typeof one === "string" ? html`<th scope="col">${one}</th>` : html`<th scope="col" class="${one.cls ?? ""}">${one.text || html`<span class="vh">Actions</span>`}</th>`))}</tr></thead><tbody>${rows}</tbody></table>`;
  return html`${scroll ? html`<div class="xscroll" tabindex="0" role="region" aria-label="${label}">${body}</div>` : body}${foot ? html`<p class="foot">${foot}</p>` : ""}`;
};

/** Returns a text of the program: what it quotes with backticks is shown as it is typed. */
export const marked = (text) => (text ?? "").split("`").map((one, i) => (i % 2 ? html`<code><bdi>${one}</bdi></code>` : one));

export const quiet = (text) => html`<p class="quiet">${text}</p>`;

/** What is said while a view is read, and if it cannot be. */
export const reading = (what) => html`<div class="reading" role="status"><p>${what}</p></div>`;
export const refused = (error, what) => html`<div class="refused" role="alert"><p>${state("failed", `${what} cannot be shown`)}</p><p>${marked(error.message)}</p></div>`;

// ---------------------------------------------------------------- events and stories

/** Returns the sentence of an event, with links to what it is about. */
export function told(event) {
  const names = [event.instance, event.from, event.to].filter((name) => typeof name === "string" && name.length > 1);
  const text = sentence(event.detail ?? event.text ?? "", names);
  const parts = [];
  let at = 0;
  const spots = [];
  for (const name of new Set(names)) {
    for (let from = text.indexOf(name); from >= 0; from = text.indexOf(name, from + name.length)) spots.push([from, name]);
  }
  spots.sort(([a], [b]) => a - b);
  for (const [from, name] of spots) {
    if (from < at) continue;
    parts.push(text.slice(at, from), id(name, instanceLink(name)));
    at = from + name.length;
  }
  parts.push(text.slice(at));
  if (event.stream) {
    const word = parts.findIndex((one) => typeof one === "string" && one.toLowerCase().includes(`stream ${event.stream}`));
    if (word >= 0) {
      const whole = parts[word];
      const from = whole.toLowerCase().indexOf(`stream ${event.stream}`);
      const end = from + `stream ${event.stream}`.length;
      parts.splice(word, 1, whole.slice(0, from), html`<a href="${streamLink(event.stream)}">${whole.slice(from, end)}</a>`, whole.slice(end));
    }
  }
  return parts;
}

/** A story: sentences with their moments. */
export function tale(events, { withMore = true } = {}) {
  if (!events.length) return quiet("Nothing yet.");
  return html`<ol class="tale">${events.map((event) => html`<li data-key="${event.id}"><time class="at" datetime="${event.at}" title="${event.at}">${moment(ms(event.at), now())}</time><span class="st st-${eventGlyph(event)}">${glyph(eventGlyph(event))}</span><p>${told(event)}${withMore && (event.incident || (event.actor && event.actor !== "program")) ? html`<small>${event.actor && event.actor !== "program" ? `by ${event.actor}` : ""}${event.incident ? html`${event.actor && event.actor !== "program" ? ", " : ""}<a href="${incidentLink(event.incident)}">incident ${n(event.incident)}</a>` : ""}</small>` : ""}</p></li>`)}</ol>`;
}

/** A command as it is typed. */
export const typed = (text) => html`<div class="prebox"><pre>${text}</pre><button class="btn small" type="button" data-do="copy">Copy</button></div>`;

export const NONE = html`<span class="dim">–</span>`;
export const at = (moment_, withMs) => (moment_ ? html`<time datetime="${moment_}" title="${moment_}">${moment(ms(moment_), now(), withMs)}</time>` : NONE);
