// Recoveries, newest first, and what they have in common.

import { get, url } from "./net.js";
import { at, head, quiet, section, table } from "./parts.js";
import { changed, incidentLink, instanceLink } from "./route.js";
import { flag, html, id, n, plural, span, state } from "./text.js";

export const reading = "Reading incidents…";
const PAGE = 100;

const CAUSES = { heartbeat_timeout: "heartbeat timeout", reported: "reported", forced: "ordered", emergency: "emergency" };
export const causeWord = (cause) => CAUSES[cause] ?? cause.replaceAll("_", " ");

/** Glyph and word of how a recovery ended. */
export function outcome(incident) {
  if (incident.state !== "ended") return incident.escalated_at ? ["emergency", "open, escalated"] : ["moving", "under way"];
  return { recovered: ["ok", "recovered"], recovered_partially: ["waiting", "partly recovered"], averted: ["ok", "averted"], interrupted: ["note", "interrupted"] }[incident.outcome] ?? ["note", (incident.outcome ?? "ended").replaceAll("_", " ")];
}

export const took = (incident) => (incident.duration_ms === null ? "open" : incident.duration_ms < 1_000 ? `${n(incident.duration_ms)}\u00a0ms` : span(incident.duration_ms / 1_000));

export async function load({ query }) {
  const [list, patterns] = await Promise.all([
    get(url("/resilience/incidents", { limit: PAGE, after: query.after, instance: query.instance, state: query.state, from: query.from, to: query.to })),
    get("/resilience/patterns"),
  ]);
  return { ...list, patterns: patterns.patterns };
}

export const concerns = (event) => event.incident !== undefined || event.kind.startsWith("recovery");

const row = (one) => html`<tr data-key="${one.id}" data-href="${incidentLink(one.id)}"><td>${state(...outcome(one))}</td><td class="num">${id(n(one.id), incidentLink(one.id))}</td><td>${id(one.server_id, instanceLink(one.server_id))}</td><td class="sub">${causeWord(one.cause)}</td><td>${at(one.detected_at)}</td><td class="num">${n(one.streams_moved)}<span class="dim"> / ${n(one.streams_affected)}</span></td><td class="num${one.streams_orphaned ? "" : " dim"}">${n(one.streams_orphaned)}</td><td class="num">${took(one)}</td></tr>`;

export function render({ query }, data) {
  const list = data.incidents;
  const open = list.filter((one) => one.state !== "ended").length;
  const tab = (key, word) => html`<a href="${changed({ state: key, after: "" })}"${flag('aria-current="true"', (query.state ?? "") === key)}>${word}</a>`;
  return html`${head({ title: "Incidents", say: html`<b>${open ? `${n(open)} open.` : "None open."}</b> Each is the recovery of one instance: from its last heartbeat to the moment at which each new owner had heard.` })}
  <section class="sec" data-key="table"><header><div class="tabs" role="group" aria-label="State">${tab("", "All")}${tab("open", "Open")}${tab("ended", "Ended")}</div><div class="tools"><label class="vh" for="i">Instance</label><input id="i" class="find" type="search" data-keep data-filter="instance" value="${query.instance ?? ""}" placeholder="Instance" maxlength="128" spellcheck="false"></div></header>
  ${list.length ? table({ label: "Incidents", heads: ["Outcome", { text: "Incident", cls: "num c-n" }, "Instance", "Cause", "Detected", { text: "Moved", cls: "num" }, { text: "Wait", cls: "num" }, { text: "Took", cls: "num" }], rows: list.map(row), foot: html`<span>${plural(list.length, "row")}</span>${query.after ? html`<a href="${changed({ after: "" })}">First page</a>` : ""}${data.next ? html`<a href="${changed({ after: data.next })}">Next page</a>` : ""}` }) : quiet(query.instance || query.state ? "No incident is like that." : "No instance has failed, as far as is remembered.")}</section>
  ${section({ key: "patterns", title: "What failures have in common", note: "the last 7 days", body: data.patterns.length ? html`<ol class="tale plain">${data.patterns.map((one) => html`<li><span class="st st-late"><svg class="g" aria-hidden="true"><use href="#g-info"/></svg></span><p>${one.summary}<small>${one.incidents.slice(0, 8).map((number, i) => html`${i ? ", " : ""}<a href="${incidentLink(number)}">${n(number)}</a>`)}${one.incidents.length > 8 ? ` and ${n(one.incidents.length - 8)} more` : ""}</small></p></li>`)}</ol>` : quiet("Nothing: the failures share neither an instance nor a label, a network or an hour.") })}`;
}
