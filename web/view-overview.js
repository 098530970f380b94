// The overview: the sentence first, then the line, then what to do, then evidence.

import { bar, swatch, theLine } from "./draw.js";
import { fleetMap } from "./map.js";
import { curlKey, model, now, outage } from "./model.js";
import { find, get, url } from "./net.js";
import { action, lead, marked, quiet, section, seg, tale, typed } from "./parts.js";
import { recorder, regular } from "./recorder.js";
import { incidentLink, instanceLink, link } from "./route.js";
import { clock, html, id, moment, ms, n, NB, percent, plural, span, state } from "./text.js";
import { alertWord, ruleWords, sentence, stateWord } from "./words.js";

export const needs = ["figures", "fleet", "alerts"];
export const keeps = true;

/** The periods of the charts: how long, and a point for how long; seconds. */
const SPANS = { "1h": [3_600, 20], "6h": [21_600, 60], "24h": [86_400, 300], "7d": [604_800, 1_800] };
const FLAGS = "instance_failed,emergency_recovered,mass_failure_held,drain_started,maintenance_started";
const NOTED = "instance_registered,instance_suspected,instance_on_time,instance_failed,instance_returned,instance_trusted,instance_flapping,instance_removed,lease_withdrawn,duplicate_identity,streams_differ,mass_failure_held,mass_failure_ended,brake_ordered,leader_handed_over,emergency_recovered,maintenance_started,maintenance_ended,instance_cordoned,instance_uncordoned,drain_started,drain_ended,roll_changed,recovery_escalated,recovery_ended,stream_quarantined,quarantine_over,stream_orphaned,handover_abandoned,rebalance_begun,silence_added,alert_acknowledged,takeover_ordered,step_down_ordered";
const NOTED_SET = new Set(NOTED.split(","));

/** Reads a history of the program; `null` if it keeps none. */
const series = (name, from, to, step) => find(url("/resilience/series", { name, from: new Date(from).toISOString(), to: new Date(to).toISOString(), step: `${step}s` })).catch(() => null);

export async function load(address) {
  const period = SPANS[address.query.span] ? address.query.span : "6h";
  const [whole, step] = SPANS[period];
  const to = address.query.to ? ms(address.query.to) : now();
  // Not before the period: older points are kept only in longer steps.
  const from = Math.ceil((to - whole * 1_000) / (step * 1_000)) * step * 1_000;
  const count = Math.floor((to - from) / (step * 1_000)) + 1;
  const [capacity, latest, flags, incidents, ...histories] = await Promise.all([
    get("/capacity"),
    get(url("/resilience/events", { order: "desc", limit: 14, kind: NOTED })),
    get(url("/resilience/events", { order: "desc", limit: 40, kind: FLAGS, from: new Date(from).toISOString(), to: new Date(to).toISOString() })).catch(() => ({ events: [] })),
    get("/resilience/incidents?limit=1"),
    ...["heartbeats", "failures", "moves", "waiting"].map((name) => series(name, from, to, step)),
  ]);
  const data = histories.map((history) => (history ? regular(history.points, from, step * 1_000, count) : null));
  return { capacity, latest: latest.events, flags: flags.events, incident: incidents.incidents[0], period, from, to, step, data };
}

export const concerns = (event) => NOTED_SET.has(event.kind);

// ---------------------------------------------------------------- the sentence

function parts() {
  const { streams, moves } = model.figures.status;
  const stopped = streams.owned - streams.running;
  const held = model.figures.brake.state === "held";
  return [
    { name: "Running", kind: "run", count: streams.running },
    { name: held ? "On held instances" : "On silent instances", kind: held ? "held" : "fail", count: stopped },
    { name: "Waiting for room", kind: "wait", count: streams.by_state.orphaned ?? 0 },
    { name: "Waiting for a worker", kind: "wait", count: streams.by_state.unclaimed ?? 0 },
    { name: "Quarantined", kind: "fail", count: streams.quarantined },
    { name: "Moving", kind: "move", count: moves.under_way, isBeside: true },
  ];
}

function theSentence(data) {
  const f = model.figures;
  const { streams, instances } = f.status;
  const down = streams.total - streams.running;
  const open = Object.values(f.alerts).reduce((sum, count) => sum + count, 0);
  const rules = ruleWords(f.health.rules);
  const suspect = instances.by_status.suspect;
  const late = suspect ? html` <a href="${link("instances", "", { state: "suspect" })}">${plural(suspect, "instance")} ${suspect === 1 ? "is" : "are"} late</a> with the heartbeat.` : "";
  const because = rules.length ? html` The system counts as <b>${f.health.system_health}</b>: ${rules.join("; ")}.` : "";
  const last = data?.incident ? html` Last failure: <a href="${incidentLink(data.incident.id)}">${moment(ms(data.incident.detected_at), now())}, <bdi>${data.incident.server_id}</bdi>, ${plural(data.incident.streams_moved ?? 0, "stream")} moved</a>.` : "";
  if (model.phase === "lost" || model.phase === "held") {
    return lead(down ? `At ${clock(model.heardAt)} ${n(down)} of ${plural(streams.total, "stream")} did not run.` : `At ${clock(model.heardAt)} everything ran.`, html`${plural(streams.total, "stream")} on ${plural(instances.active, "active instance")}. What has happened since then is not known here.`);
  }
  if (!streams.total) return lead("No stream is to be run.", html`${plural(instances.total, "instance")}, ${n(instances.active)} of them active. The catalogue has ${streams.disabled ? `${plural(streams.disabled, "stream")}, all disabled` : "no stream"}.${because}`);
  if (!down) {
    return lead(open ? `Everything runs. ${plural(open, "alert")} ${open === 1 ? "is" : "are"} open.` : "Everything runs. There is nothing to do.", html`${plural(streams.total, "stream")}, each with one owner, on ${plural(instances.active, "active instance")}.${late}${because}${last}`);
  }
  const [, stopped, orphaned, unclaimed, quarantined] = parts();
  const word = stopped.count ? "may not be running" : down === 1 ? "does not run" : "do not run";
  const pieces = [
    stopped.count && html`<b>${plural(stopped.count, "stream")}</b> on ${stopped.kind === "held" ? "instances that the brake holds" : "instances that are silent"}`,
    orphaned.count && html`<b>${n(orphaned.count)}</b> ${orphaned.count === 1 ? "waits" : "wait"} for room`,
    unclaimed.count && html`<b>${n(unclaimed.count)}</b> ${unclaimed.count === 1 ? "waits" : "wait"} for a worker that asks`,
    quarantined.count && html`<b>${n(quarantined.count)}</b> quarantined, because the owners failed`,
  ].filter(Boolean);
  return lead(`${n(down)} of ${plural(streams.total, "stream")} ${word}.`, html`${pieces.map((piece, i) => html`${i ? "; " : ""}${piece}`)}. The other ${n(streams.running)} run.${because}`);
}

function line() {
  const all = parts();
  const { streams } = model.figures.status;
  return html`<div class="line"><div role="img" aria-label="${all.map((part) => `${part.name}: ${n(part.count)}`).join(", ")}">${theLine(all.filter((part) => !part.isBeside))}</div>
    <dl>${all.filter((part) => part.name !== "Waiting for a worker" || part.count).map((part) => html`<div class="${part.count ? "" : "z"}"><dt>${swatch(part.kind)}${part.name}</dt><dd>${n(part.count)}</dd></div>`)}<div class="end z"><dt>of ${n(streams.total)} to be run${streams.disabled ? `; ${n(streams.disabled)} disabled` : ""}</dt></div></dl></div>`;
}

// ---------------------------------------------------------------- what to do

const URGENT = { critical: 0, warning: 1 };

/** One strip for each cause: the most urgent alert about it leads, the others are named beside it. */
function causes() {
  const groups = new Map();
  for (const alert of model.alerts ?? []) {
    if (alert.silenced_by.length) continue;
    const key = alert.cause?.key ?? alert.kind;
    if (!groups.has(key)) groups.set(key, { key, text: alert.cause?.text ?? alert.subject, alerts: [] });
    groups.get(key).alerts.push(alert);
  }
  const rank = (alert) => (alert.kind === "mass_failure" ? -1 : URGENT[alert.severity] ?? 2);
  for (const group of groups.values()) {
    group.alerts.sort((a, b) => rank(a) - rank(b) || a.id - b.id);
    [group.lead] = group.alerts;
    group.at = Math.min(...group.alerts.map((alert) => ms(alert.opened_at)));
  }
  return [...groups.values()].sort((a, b) => rank(a.lead) - rank(b.lead) || a.at - b.at);
}

function strip(group) {
  const first = group.lead;
  const [sign, word] = alertWord(first.kind);
  const names = [...new Set(group.alerts.flatMap((alert) => alert.instances))];
  const others = [...new Set(group.alerts.slice(1).map((alert) => alertWord(alert.kind)[1]))].filter((one) => one !== word);
  const { brake } = model.figures;
  const isHeld = first.kind === "mass_failure" && brake.state === "held";
  const until = isHeld ? ms(brake.until) : null;
  const kind = { held: "held", emergency: "emergency", failed: "emergency", waiting: "waiting", quarantined: "emergency", database: "emergency", leader: "changed" }[sign] ?? "late";
  const advice = first.advice.split(/(?<=[.])\s/);
  const seen = group.alerts.every((alert) => alert.acknowledged);
  return html`<article class="strip strip-${kind}" data-key="${group.key}"><div class="stt">${state(sign, word)}<small>${first.severity}${seen ? ", seen" : ""}</small></div>
    <div class="who"><b>${isHeld ? plural(brake.mass_size, "instance") : names.length === 1 ? id(names[0], instanceLink(names[0])) : html`<bdi>${group.text}</bdi>`}</b><small>${names.length > 1 ? plural(names.length, "instance") : ""}</small></div>
    <p class="what"><bdi>${marked(sentence(first.detail, first.instances))}</bdi>${others.length ? html` <span class="dim">With it: ${others.join(", ").toLowerCase()}.</span>` : ""}</p>
    <div class="todo"><p><b>${marked(advice[0])}</b> ${marked(advice.slice(1).join(" "))}</p><div class="acts">${isHeld ? html`${action("Release…", "brake-release", "", { small: true })}${action("Prolong…", "brake-prolong", "", { small: true })}` : ""}${names.length === 1 ? html`<a class="btn small" href="${instanceLink(names[0])}">Look at it</a>` : html`<a class="btn small" href="${link("alerts", "", { kind: first.kind })}">${group.alerts.length > 1 ? `The ${n(group.alerts.length)} alerts` : "The alert"}</a>`}</div></div>
    <div class="cl">${until ? html`<b><span data-down="${until}">${span((until - now()) / 1_000)}</span> left</b><small>held until ${clock(until)},<br>then the streams move</small>` : html`<b data-up="${group.at}">${span((now() - group.at) / 1_000)}</b><small>since ${moment(group.at, now())}</small>`}</div></article>`;
}

function toDo(data) {
  const all = causes();
  if (!all.length) {
    const worst = data.capacity.by_label.find((one) => one.streams_without_home > 0);
    if (data.capacity.survives_one_instance && worst) return html`<p class="calm">${state("info", "Worth knowing")}<span>If everything with <code><bdi>${worst.label}=${worst.value}</bdi></code> is lost, ${n(worst.streams_without_home)} of its ${plural(worst.streams, "stream")} have no other place.</span><a href="#/balance">Capacity by label</a></p>`;
    return "";
  }
  const open = all.reduce((sum, group) => sum + group.alerts.length, 0);
  return section({
    key: "todo", label: "To do, most urgent first", title: `To do: ${n(all.length)}`, note: "most urgent first, grouped by cause", tools: html`<a href="#/alerts">${plural(open, "alert")}</a>`,
    body: html`<div class="strip-h" aria-hidden="true"><span>State</span><span>Subject</span><span>What happened</span><span>What to do</span><span>Clock</span></div>${all.slice(0, 5).map(strip)}${all.length > 5 ? html`<p class="foot"><a href="#/alerts">And ${n(all.length - 5)} more</a></p>` : ""}`,
  });
}

// ---------------------------------------------------------------- evidence

function lane(name, unit, data, kind, color) {
  const known = data.filter(Number.isFinite);
  const most = Math.max(0, ...known);
  const least = Math.min(...(known.length ? known : [0]));
  const last = data.findLast(Number.isFinite);
  const isLine = kind === "line";
  const [min, max] = isLine ? [Math.max(0, Math.floor(least * 0.9)), Math.ceil(most * 1.1) || 1] : [0, Math.max(4, most * 1.15)];
  const shown = (value) => (value === undefined ? "–" : value >= 100 || Number.isInteger(value) ? n(value) : value.toFixed(1));
  return { name, unit, data, kind, color, min, max, value: shown(last), note: `peak ${shown(most)}`, marks: isLine ? [min ? n(min) : "", n(max)] : null };
}

function charts(data) {
  const tools = seg("Period", "span", data.period, Object.keys(SPANS).map((key) => [key, key.replace(/(\d+)(\w)/, `$1${NB}$2`)]));
  const [beats, failures, moves, waiting] = data.data;
  const title = `Last ${{ "1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days" }[data.period]}`;
  if (!data.data.some(Boolean)) return section({ key: "charts", title, tools, body: quiet("This orchestrator keeps no history of its figures. Prometheus can: GET /metrics.") });
  const per = data.step >= 60 ? `in ${data.step / 60}${NB}min` : `in ${data.step}${NB}s`;
  const lanes = [
    beats && lane("Heartbeats", "a second", beats, "line"), failures && lane("Failures", `instances ${per}`, failures, "stick", "fail"),
    moves && lane("Moves", `streams ${per}`, moves, "stick"), waiting && lane("Waiting", "streams without an owner", waiting, "step", "fail"),
  ].filter(Boolean);
  const flags = data.flags.slice(0, 6).reverse().map((event) => ({
    at: ms(event.at), kind: { instance_failed: "fail", emergency_recovered: "fail", mass_failure_held: "late", drain_started: "move", maintenance_started: "ink" }[event.kind],
    text: `${event.instance ?? `${event.late} silent`} ${{ instance_failed: "failed", emergency_recovered: "emptied", mass_failure_held: "held", drain_started: "drains", maintenance_started: "in maintenance" }[event.kind]}`,
  }));
  return section({ key: "charts", title, note: `to ${moment(data.to, now())}, ${per.replace("in ", "")} a point`, tools, body: recorder("overview", { from: data.from, step: data.step * 1_000, lanes, flags }) });
}

function ledger(data) {
  const f = model.figures;
  const { instances, moves } = f.status;
  const out = outage();
  const { capacity } = data;
  const row = (name, value, note = "", cls = "") => html`<tr class="${cls}"><td>${name}</td><td>${value}</td><td>${note}</td></tr>`;
  const all = ["active", "suspect", "failed", "recovering", "draining", "maintenance", "inactive"];
  const of = (key) => instances.by_status[key] ?? 0;
  const worst = capacity.worst_instance;
  const labels = capacity.by_label.filter((one) => one.streams_without_home > 0).sort((a, b) => b.streams_without_home - a.streams_without_home).slice(0, 2);
  return section({
    key: "ledger", title: "Ledger", note: out ? (out.since ? `remembered from ${clock(out.since)}` : "remembered") : "now",
    body: html`<table class="ledger${out ? " stale" : ""}"><caption class="vh">Instances, places and reserves</caption><tbody>${row("Instances", n(instances.total), "", "t")}${all.filter((key) => of(key) || ["active", "suspect", "failed", "recovering", "draining", "maintenance"].includes(key)).map((key) => row(of(key) ? html`<a href="${link("instances", "", { state: key })}">${state(...stateWord(key))}</a>` : state(...stateWord(key)), n(of(key)), "", of(key) ? "" : "z"))}</tbody>
    <tbody>${row("Places for streams", n(capacity.max_streams), "", "t")}${row("used", n(capacity.assigned), capacity.max_streams ? html`${bar(capacity.assigned, capacity.max_streams)}` : "")}${row("free", n(capacity.free), capacity.max_streams ? percent(capacity.free / capacity.max_streams * 100) : "")}${row("reserve", n(capacity.headroom_streams), "if one is lost", capacity.headroom_streams < 0 ? "bad" : "")}</tbody>
    <tbody>${row("Would wait, if lost", "", "", "t")}${worst ? row("the worst instance", n(worst.streams_without_home), id(worst.server_id, instanceLink(worst.server_id)), worst.streams_without_home ? "" : "z") : row("any instance", "0", "", "z")}${labels.map((one) => row(html`all <bdi>${one.label}=${one.value}</bdi>`, n(one.streams_without_home), "", one.streams_without_home ? "" : "z"))}</tbody>
    <tbody>${row("Moving now", n(moves.under_way), "", "t")}${row("being released", n(moves.releasing), "", moves.releasing ? "" : "z")}${row("on both for a moment", n(moves.overlapping), "", moves.overlapping ? "" : "z")}${moves.given_up ? row("given up", n(moves.given_up), "", "") : ""}</tbody></table>`,
  });
}

function latest(data) {
  const newest = new Map();
  for (const event of [...model.events.filter((one) => NOTED_SET.has(one.kind)), ...data.latest]) newest.set(event.id, event);
  const events = [...newest.values()].sort((a, b) => b.id - a.id).slice(0, 12);
  return section({ key: "latest", title: "Latest events", tools: html`<a href="#/events">All, live</a>`, body: tale(events) });
}

function firstRun() {
  const here = location.origin;
  const { streams } = model.figures.status;
  const step = (isDone, text) => (isDone ? state("ok", text) : html`<span class="st st-inactive">${text}</span>`);
  return html`<div class="first">${lead("No worker has registered yet.", html`The orchestrator is ready on <b>${here}</b>. Three steps lead to a stream that runs; each ticks itself off here.`)}
  <ol>
    <li><div><h2>Put streams into the catalogue ${step(streams.total > 0, `${plural(streams.total, "stream")} so far`)}</h2>${typed(`curl -s${curlKey()} ${here}/streams -H 'content-type: application/json' -d '{"streams":[{"name":"news"},{"name":"jazz"},{"name":"rock"}]}'`)}<p class="sub">Or from a file: <code>orchestrator streams import channels.csv --dry-run</code> (CSV, JSON lines or M3U).</p></div></li>
    <li><div><h2>Register a worker ${step(false, "waiting for the first registration")}</h2>${typed(`curl -s${curlKey()} ${here}/register -H 'content-type: application/json' -d '{"server_id":"alpha","ip":"10.0.0.1","port":9000,"max_streams":10}'`)}<p class="sub">Or start the complete example: <code>cargo run --release --example worker -- ${here} alpha</code>. It registers, asks, beats and stops by itself.</p></div></li>
    <li><div><h2>Ask for streams, and beat ${step(false, "after step 2")}</h2>${typed(`curl -s${curlKey()} ${here}/streams/assign -H 'content-type: application/json' -d '{"server_id":"alpha","requested_count":10}'\ncurl -s${curlKey()} ${here}/heartbeat -H 'content-type: application/json' -d '{"server_id":"alpha","current_streams":3}'`)}<p class="sub">An instance that is silent for ${span(model.figures.status.heartbeat_config.timeout_seconds)} has failed; its streams move to the others. To see it in seconds, start with <code>HEARTBEAT_TIMEOUT=6</code>.</p></div></li>
  </ol></div>`;
}

export function render(address, data) {
  if (!model.figures.status.instances.total) return firstRun();
  const mode = address.query.mode === "silence" ? "silence" : "load";
  return html`${theSentence(data)}${line()}${toDo(data)}
  <div class="cols"><div>${charts(data)}${section({ key: "map", title: "Fleet map", note: plural(model.fleet.size, "instance"), tools: seg("Colour by", "mode", mode, [["load", "Load"], ["silence", "Silence"]]), body: fleetMap("overview-map", [...model.fleet.values()], mode) })}</div>
  <div>${ledger(data)}${latest(data)}</div></div>`;
}
