// Events: live, or of a period; filtered by what they are about.

import { model, now } from "./model.js";
import { get, url } from "./net.js";
import { head, quiet, tale } from "./parts.js";
import { changed } from "./route.js";
import { clock, flag, html, ms, n, plural } from "./text.js";

export const reading = "Reading events…";
const PAGE = 200;

const GROUPS = {
  failures: ["Failures", "instance_suspected,instance_failed,instance_returned,instance_trusted,instance_flapping,instance_on_time,mass_failure_held,mass_failure_ended,emergency_recovered,recovery_escalated,recovery_ended,lease_withdrawn"],
  orders: ["Orders", "brake_ordered,instance_cordoned,instance_uncordoned,drain_started,drain_ended,maintenance_started,maintenance_ended,roll_changed,rebalance_begun,silence_added,silence_ended,alert_acknowledged,emergency_recovered,instance_removed,takeover_ordered,step_down_ordered,member_forgotten"],
  moves: ["Moves", "stream_assigned,stream_releasing,stream_released,stream_orphaned,stream_withdrawn,handover_abandoned,overlap_ended,stream_quarantined,quarantine_retried,quarantine_over"],
  catalogue: ["Catalogue", "stream_created,stream_updated,stream_deleted"],
};

const kinds = (query) => (GROUPS[query.group] ? GROUPS[query.group][1] : query.kind);
const isLive = (query) => !query.to && !query.before;

export async function load({ query }) {
  const list = await get(url("/resilience/events", { order: "desc", limit: PAGE, kind: kinds(query), instance: query.instance, stream: query.stream, incident: query.incident, actor: query.actor, from: query.from, to: query.to, after: query.before }));
  return { ...list, newest: model.events[0]?.id ?? 0 };
}

/** Whether an event that just came belongs to what is shown. */
function isWanted(event, query) {
  const wanted = kinds(query);
  return (!wanted || wanted.split(",").includes(event.kind)) && (!query.instance || event.instance === query.instance) && (!query.stream || String(event.stream) === query.stream)
    && (!query.incident || String(event.incident) === query.incident) && (!query.actor || event.actor === query.actor);
}

export function render({ query }, data) {
  const known = new Set(data.events.map((event) => event.id));
  const newer = isLive(query) ? model.events.filter((event) => !known.has(event.id) && isWanted(event, query) && event.id > (data.events[0]?.id ?? 0)) : [];
  const all = [...newer, ...data.events].slice(0, 400);
  const tab = (key, word) => html`<a href="${changed({ group: key, kind: "", before: "" })}"${flag('aria-current="true"', (query.group ?? "") === key && !query.kind)}>${word}</a>`;
  const field = (name, word, most = 128) => html`<label class="vh" for="f-${name}">${word}</label><input id="f-${name}" class="find" type="search" data-keep data-filter="${name}" value="${query[name] ?? ""}" placeholder="${word}" maxlength="${most}" spellcheck="false">`;
  const moment = new Date(now()).toISOString().slice(0, 19);
  return html`${head({ title: "Events", say: isLive(query) ? html`<b>Live.</b> ${all.length ? html`The newest was at ${clock(ms(all[0].at))}.` : ""} <a href="${changed({ to: `${moment}Z` })}">Hold this moment</a>, to send its address to another person.` : html`<b>Until ${query.to ? html`<bdi>${query.to}</bdi>` : `event ${query.before}`}.</b> <a href="${changed({ to: "", before: "" })}">Back to what happens now</a>` })}
  <section class="sec" data-key="list"><header><div class="tabs" role="group" aria-label="Kind">${tab("", "All")}${Object.entries(GROUPS).map(([key, [word]]) => tab(key, word))}${query.kind ? html`<a href="${changed({ kind: "" })}" aria-current="true">${query.kind} ×</a>` : ""}</div><div class="tools">${field("instance", "Instance")}${field("stream", "Stream, number", 16)}${field("from", "From: 2h, or a time", 32)}</div></header>
  ${all.length ? html`<div class="wide">${tale(all)}</div><p class="foot"><span>${plural(all.length, "event")}${data.events.length ? `, down to ${n(data.events.at(-1).id)}` : ""}</span>${query.before ? html`<a href="${changed({ before: "" })}">Newest</a>` : ""}${data.next ? html`<a href="${changed({ before: data.next })}">Older</a>` : ""}</p>` : quiet("No event is like that.")}</section>`;
}
