// All instances: a map, and a table of which only the rows in sight are made.

import { bar, silenceBar } from "./draw.js";
import { fleetMap } from "./map.js";
import { model, now, silence } from "./model.js";
import { action, head, NONE, quiet, section, seg } from "./parts.js";
import { changed, instanceLink } from "./route.js";
import { clock, flag, glyph, html, id, labelText, n, percent, plural, span, state } from "./text.js";
import { INSTANCE_STATES, instanceWord, isHeld, stateWord } from "./words.js";

export const needs = ["figures", "fleet"];
export const isWindowed = true;
export const keeps = true;
export const reading = "Reading all instances…";

const SORTS = {
  state: ["State, worst first", (a, b) => INSTANCE_STATES.indexOf(a.state) - INSTANCE_STATES.indexOf(b.state) || load(b) - load(a)],
  id: ["Instance", () => 0], load: ["Streams of places", (a, b) => load(b) - load(a)], silence: ["Silence", (a, b) => silence(b) - silence(a)],
  cpu: ["CPU", (a, b) => (b.cpu ?? -1) - (a.cpu ?? -1)], flaps: ["Flaps", (a, b) => b.flaps - a.flaps], since: ["In state for", (a, b) => a.since - b.since],
};
const load = (row) => (row.max ? row.streams / row.max : 0);
const rowHeight = () => (innerWidth <= 760 ? 57 : 28);

export const rules = () => {
  const { warning_threshold_seconds: late, timeout_seconds: failed, emergency_threshold_seconds: emergency, lease_seconds: lease } = model.figures.status.heartbeat_config;
  return { late, failed, emergency, lease };
};

// ---------------------------------------------------------------- which rows, in which order

let kept = { key: "", at: null, rows: [] };
let isUnderPointer = false;
addEventListener("pointermove", (event) => { isUnderPointer = Boolean(event.target.closest?.("[data-window]")); }, { passive: true });

/** Returns the rows that the filters leave. While the pointer is in the table, no row changes its place. */
function wanted(query) {
  const key = JSON.stringify([query.state, query.q, query.label, query.sort, query.down]);
  const isSame = key === kept.key;
  if (isSame && kept.fleet === model.fleet && kept.version === version()) return kept;
  const text = (query.q ?? "").toLowerCase();
  const [name, value] = (query.label ?? "").split(/[=:](.*)/s);
  const [, compare] = SORTS[query.sort] ?? SORTS.state;
  const rows = [...model.fleet.values()].filter((row) => (!query.state || row.state === query.state || (query.state === "cordoned" && row.state === "active" && !row.schedulable))
    && (!text || row.id.toLowerCase().includes(text)) && (!name || (value === undefined ? name in row.labels : row.labels[name] === value)));
  rows.sort((a, b) => (compare(a, b) || (a.id < b.id ? -1 : 1)) * (query.down ? -1 : 1));
  let waiting = 0;
  let shown = rows;
  if (isSame && isUnderPointer && kept.rows.length) {
    const there = new Set(rows.map((row) => row.id));
    const before = kept.rows.filter((row) => there.has(row.id)).map((row) => model.fleet.get(row.id));
    const known = new Set(before.map((row) => row.id));
    const merged = [...before, ...rows.filter((row) => !known.has(row.id))];
    waiting = merged.filter((row, i) => row.id !== rows[i]?.id).length;
    shown = merged;
  }
  kept = { key, rows: shown, waiting, fleet: model.fleet, version: version() };
  return kept;
}
const version = () => model.fleetVersion;

// ---------------------------------------------------------------- the table

function heads(query) {
  const columns = [["state"], ["id"], ["", "Labels"], ["load"], ["silence", `Silence at ${clock(model.fleetAt)}`], ["cpu", "", "num"], ["flaps", "", "num"], ["since", "", "num"]];
  return columns.map(([key, text, cls = ""]) => {
    if (!key) return html`<th scope="col">${text}</th>`;
    const isSorted = (query.sort ?? "state") === key;
    const turn = isSorted && !query.down ? "1" : "";
    return html`<th scope="col" class="${cls}"${isSorted ? html` aria-sort="${query.down ? "ascending" : "descending"}"` : ""}><a href="${changed({ sort: key === "state" ? "" : key, down: turn })}">${text || SORTS[key][0]}${isSorted ? (query.down ? " ↑" : " ↓") : ""}</a></th>`;
  });
}

function tableRow(row, index) {
  const [kind, word] = instanceWord(row);
  const s = silence(row);
  const r = rules();
  const isPlanned = ["maintenance", "inactive"].includes(row.state);
  const isLate = ["suspect", "failed"].includes(row.state);
  const fill = isPlanned ? "planned" : row.state === "failed" ? "fail" : row.state === "suspect" ? "late" : "run";
  return html`<tr data-key="${row.id}" data-href="${instanceLink(row.id)}" aria-rowindex="${index + 2}"><td>${state(kind, word)}</td><td class="p-r">${id(row.id, instanceLink(row.id))}</td><td class="dim p-hide" title="${labelText(row.labels)}"><bdi>${labelText(row.labels) || "–"}</bdi></td><td>${bar(row.streams, row.max)}<span>${n(row.streams)}</span><span class="dim"> / ${n(row.max)}</span></td><td class="p-r">${silenceBar(s, r, fill)}${isPlanned ? html`<span class="dim">planned</span>` : isLate ? html`<span class="st st-${isHeld(row.state) ? "held" : kind}" data-up="${row.beat}">${span((now() - row.beat) / 1_000)}</span>` : span(s)}</td><td class="num p-hide">${row.cpu === null || isLate || isPlanned ? NONE : percent(row.cpu, 0)}</td><td class="num p-hide${row.flaps ? "" : " dim"}">${n(row.flaps)}</td><td class="num p-hide dim" data-up="${row.since}">${span((now() - row.since) / 1_000)}</td></tr>`;
}

let top = 0;
function window_(count) {
  const height = rowHeight();
  const place = document.querySelector("[data-window] tbody");
  if (place) top = place.getBoundingClientRect().top + scrollY;
  const from = Math.max(0, Math.floor((scrollY - top) / height) - 12);
  const until = Math.min(count, Math.ceil((scrollY + innerHeight - top) / height) + 12);
  return [Math.min(from, count), Math.max(until, Math.min(count, 40)), height];
}

function table(query) {
  const { rows, waiting } = wanted(query);
  if (!rows.length) return quiet("No instance is like that.");
  const [from, until, height] = window_(rows.length);
  const space = (count, key) => (count > 0 ? html`<tr class="space" data-key="space-${key}" aria-hidden="true"><td colspan="8" data-height="${count * height}"></td></tr>` : "");
  return html`<div data-window><table class="tbl fix two" aria-rowcount="${rows.length + 1}"><caption class="vh">Instances</caption><colgroup><col width="15%"><col width="19%"><col width="18%"><col width="15%"><col width="18%"><col width="5%"><col width="4%"><col width="8%"></colgroup>
    <thead><tr>${heads(query)}</tr></thead><tbody>${space(from, "above")}${rows.slice(from, until).map((row, i) => tableRow(row, from + i))}${space(rows.length - until, "below")}</tbody></table></div>
    <p class="foot"><span>${plural(rows.length, "row")} of ${n(model.fleet.size)}</span>${waiting ? html`<span>${plural(waiting, "row")} will change place when the pointer leaves the table</span>` : ""}</p>`;
}

// ---------------------------------------------------------------- the view

let choices = { version: -1, list: [] };
function labelChoices() {
  if (choices.version === model.fleetVersion) return choices.list;
  const found = new Map();
  for (const row of model.fleet.values()) for (const [name, value] of Object.entries(row.labels)) found.set(`${name}=${value}`, (found.get(`${name}=${value}`) ?? 0) + 1);
  choices = { version: model.fleetVersion, list: [...found].sort((a, b) => b[1] - a[1]).slice(0, 200).map(([text]) => text).sort() };
  return choices.list;
}

export function render(address, _data) {
  const { query } = address;
  if (!model.fleet.size) return html`${head({ title: "Instances", say: "No worker has registered yet." })}<p class="quiet"><a href="#/overview">How to register the first one</a></p>`;
  const all = [...model.fleet.values()];
  const by = Object.fromEntries(INSTANCE_STATES.map((key) => [key, all.filter((row) => row.state === key).length]));
  const cordoned = all.filter((row) => row.state === "active" && !row.schedulable).length;
  const taking = all.filter((row) => row.schedulable && row.state === "active").length;
  const others = INSTANCE_STATES.filter((key) => key !== "active" && by[key]).map((key) => `${n(by[key])} ${stateWord(key)[1]}`);
  if (cordoned) others.push(`${n(cordoned)} cordoned`);
  const tab = (key, word, sign, count) => html`<a href="${changed({ state: key })}" class="st-${sign}${count || !key ? "" : " z"}"${flag('aria-current="true"', (query.state ?? "") === key)}>${sign ? glyph(sign) : ""}${word} <span class="dim">${n(count)}</span></a>`;
  const labels = labelChoices();
  const mode = query.mode === "silence" ? "silence" : "load";
  return html`${head({ title: "Instances", say: html`<b>${n(taking)} of ${n(all.length)} take streams.</b> ${others.length ? `${others.join(", ")}.` : ""}`, acts: html`${action("Roll…", "roll", "")}<button class="btn" type="button" data-do="act" data-act="register">Register a worker…</button>` })}
  ${section({ key: "map", title: "Map", note: "one cell is one instance", tools: seg("Colour by", "mode", mode, [["load", "Load"], ["silence", "Silence"]]), body: fleetMap("instances-map", kept.key && (query.q || query.state || query.label) ? wanted(query).rows : all, mode) })}
  <section class="sec" data-key="table"><header><div class="tabs" role="group" aria-label="State">${tab("", "All", "", all.length)}${INSTANCE_STATES.filter((key) => by[key] || !["inactive", "maintenance", "draining", "recovering"].includes(key)).map((key) => tab(key, stateWord(key)[1], stateWord(key)[0], by[key]))}${cordoned ? tab("cordoned", "cordoned", "cordoned", cordoned) : ""}</div>
  <div class="tools"><label class="vh" for="q">Name contains</label><input id="q" class="find" type="search" data-keep data-filter="q" value="${query.q ?? ""}" placeholder="Name contains" maxlength="128" spellcheck="false">${labels.length ? html`<label class="vh" for="l">Label</label><select id="l" data-filter="label"><option value="">any label</option>${labels.map((text) => html`<option value="${text}"${flag("selected", text === query.label)}>${text}</option>`)}</select>` : ""}</div></header>${table(query)}</section>`;
}
