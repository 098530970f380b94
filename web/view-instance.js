// One instance: its silence and lease, its streams, its machine, its story, and what can be done with it.

import { silenceScale } from "./scale.js";
import { model, now } from "./model.js";
import { find, get, seg as part, url } from "./net.js";
import { action, at, facts, head, marked, NONE, quiet, section, table, tale } from "./parts.js";
import { recorder } from "./recorder.js";
import { link, streamLink } from "./route.js";
import { clock, html, id, labelText, ms, n, NB, percent, plural, span, state } from "./text.js";
import { instanceWord, isHeld, reasonWord, streamWord } from "./words.js";
import { rules } from "./view-instances.js";

export const needs = ["figures"];
const HOURS = 6;
const SHOWN = 100;

export async function load(address) {
  const path = `/instances/${part(address.subject)}`;
  const it = await find(path);
  const story = await get(url("/resilience/events", { instance: address.subject, order: "desc", limit: 60 }));
  if (!it) return { gone: true, story: story.events };
  const [explain, drain, metrics, streams] = await Promise.all([
    get(`${path}/explain`), ["draining", "maintenance"].includes(it.data.status) ? find(`${path}/drain`) : null, get(url(`${path}/metrics`, { hours: HOURS })), get(url("/streams", { instance: address.subject, limit: SHOWN })),
  ]);
  return { it: it.data, explain, drain, metrics, streams: streams.streams, story: story.events, readAt: now() };
}

export const concerns = (event, address) => event.instance === address.subject || event.from === address.subject;

/** The moment of the last heartbeat: the stream reports it as it comes. */
const lastBeat = (data) => Math.max(ms(data.it.last_heartbeat), model.beat?.server_id === data.it.server_id ? ms(model.beat.last_heartbeat) : 0);

function say(data, silent) {
  const { it } = data;
  const free = Math.max(0, it.max_streams - it.owned);
  if (it.status === "failed") return html`<b>Has failed, ${span(silent)} after its last heartbeat.</b> ${it.owned ? `It still owns ${plural(it.owned, "stream")}.` : "Its streams run elsewhere or wait."} ${marked(data.explain.because)}`;
  if (it.status === "suspect") return html`<b>Silent for <span data-up="${lastBeat(data)}">${span(silent)}</span> with ${plural(it.current_streams, "stream")}.</b> ${isHeld(it.status) ? `The brake holds its recovery until ${clock(ms(model.figures.brake.until))}.` : `At ${span(rules().failed)} it has failed and its streams move.`}`;
  if (it.status === "maintenance") return html`<b>In maintenance${it.absence ? ` until ${clock(ms(it.absence.until))}` : ""}.</b> Its silence raises no alert. ${it.absence?.reason ? html`“<bdi>${it.absence.reason}</bdi>”` : ""}`;
  if (it.status === "draining") {
    const d = data.drain;
    return html`<b>${d?.state === "draining" ? `Drains: ${plural(d.streams_left, "stream")} left of ${n(d.streams_left + d.moved)}.` : "Has drained and is kept empty."}</b> ${d?.state === "draining" ? `Deadline ${clock(ms(d.deadline_at))}${d.expected_end ? `, done by about ${clock(ms(d.expected_end))}` : ""}.` : ""} ${d?.reason ? html`“<bdi>${d.reason}</bdi>”` : ""}`;
  }
  return html`<b>Runs ${plural(it.current_streams, "stream")} and has room for ${n(free)}.</b> Last heartbeat <span data-up="${lastBeat(data)}">${span(silent)}</span> ago. ${data.explain.takes_streams ? "" : marked(data.explain.because)}`;
}

function buttons(it) {
  const is = (...states) => states.includes(it.status);
  const cordoned = Boolean(it.cordon);
  return html`${cordoned ? action("Uncordon…", "uncordon", it.server_id) : action("Cordon…", "cordon", it.server_id, { why: is("draining", "maintenance", "failed", "inactive") ? `An instance that is ${it.status} is given no streams anyway` : "" })}
    ${is("draining") ? action("Cancel drain…", "cancel-drain", it.server_id) : action("Drain…", "drain", it.server_id, { why: is("failed", "inactive", "maintenance") ? `An instance that is ${it.status} cannot be drained` : "" })}
    ${is("maintenance") ? "" : action("Maintenance…", "maintenance", it.server_id, { why: is("failed", "inactive") ? `An instance that is ${it.status} cannot go into maintenance` : "" })}
    ${is("failed", "maintenance") ? action(is("maintenance") ? "End maintenance…" : "Recover…", "recover", it.server_id) : action("Recover…", "recover", it.server_id, { why: "Only an instance that has failed, or is in maintenance, can be recovered" })}
    ${is("suspect") ? action("Report failed…", "report", it.server_id) : ""}
    ${is("failed", "inactive", "maintenance") ? action("Remove…", "remove", it.server_id, { danger: true }) : action("Emergency…", "emergency", it.server_id, { danger: true, why: "" })}`;
}

function machine(data) {
  const { metrics } = data.metrics;
  if (!metrics.length) return section({ key: "machine", title: `Last ${HOURS} hours`, body: quiet("The worker has reported nothing about its machine.") });
  const step = 60_000;
  const to = now();
  const from = to - HOURS * 3_600_000;
  const count = HOURS * 60 + 1;
  const put = (name) => {
    const points = new Array(count).fill(NaN);
    for (const one of metrics) { const i = Math.floor((ms(one.recorded_at) - from) / step); if (i >= 0 && i < count && one[name] !== null) points[i] = one[name]; }
    return points;
  };
  const newest = metrics[0];
  const beats = put("uptime_seconds").map((value) => (Number.isFinite(value) ? 1 : 0));
  const share = (name) => (newest[name] === null ? "–" : percent(newest[name], 0));
  return section({
    key: "machine", title: `Last ${HOURS} hours`, note: "as the worker reports",
    body: recorder("machine", { from, step, flags: [], lanes: [
      { name: "Heartbeats", unit: "with figures, by the minute", data: beats, min: 0, max: 1, kind: "beats", value: n(metrics.length), note: "records" },
      { name: "CPU", unit: "%", data: put("cpu_percent"), min: 0, max: 100, kind: "line", value: share("cpu_percent"), note: `at ${clock(ms(newest.recorded_at))}` },
      { name: "Memory", unit: "%", data: put("memory_percent"), min: 0, max: 100, kind: "line", value: share("memory_percent"), note: newest.memory_total_gb ? `of ${n(newest.memory_total_gb)}${NB}GB` : "" },
      { name: "Disk", unit: "%", data: put("disk_percent"), min: 0, max: 100, kind: "line", value: share("disk_percent"), note: newest.disk_free_gb ? `${n(newest.disk_free_gb)}${NB}GB free` : "" },
    ] }),
  });
}

export function render(address, data) {
  const crumb = html`<a href="#/instances">Instances</a>`;
  if (data.gone) return html`${head({ crumb, title: html`${id(address.subject)}`, say: html`<b>No instance of this name is registered.</b> ${data.story.length ? "It has left; this is its story." : ""}` })}${section({ key: "story", title: "Story", body: tale(data.story) })}`;
  const { it } = data;
  const silent = Math.max(0, (now() - lastBeat(data)) / 1_000);
  const isLeased = data.it.incarnation && (model.fleet?.get(it.server_id)?.leased ?? true);
  const place = labelText(it.labels);
  return html`${head({ crumb, title: html`${id(it.server_id)}${state(...instanceWord({ state: it.status, schedulable: it.schedulable, isCordoned: Boolean(it.cordon) }))}`, say: say(data, silent), acts: buttons(it) })}
  ${it.duplicate_identity ? html`<p class="calm">${state("failed", "Two workers, one name")}<span>An older process (incarnation ${n(it.duplicate_identity.older_incarnation)}) lives under this name since ${at(it.duplicate_identity.since)}. Stop one of the two.</span></p>` : ""}
  ${section({ key: "silence", title: "Silence and lease", note: "what happens when, if no further heartbeat comes", body: silenceScale("silence", { silence: silent, rules: rules(), leased: isLeased, held: isHeld(it.status), planned: it.status === "maintenance" }) })}
  ${facts([
    ["Address", html`<span class="id">${it.ip}:${it.port}</span>`], ["Labels", html`<bdi>${place || html`<span class="dim">none</span>`}</bdi>`, "", true], ["Incarnation", n(it.incarnation), `since ${clock(ms(it.registered_at))}`],
    ["Worker says", html`<bdi>${it.reported_status ?? "nothing"}</bdi>`, it.reported_streams === null ? "" : plural(it.reported_streams, "stream")], ["Beats every", it.heartbeat_interval_seconds ? span(it.heartbeat_interval_seconds) : html`<span class="dim">not said</span>`],
    ["Fair share", n(data.explain.balance?.fair_share ?? 0), `has ${n(it.owned)}`], ["Flaps", n(it.flaps)], it.cordon && ["Cordoned", at(it.cordon.since), it.cordon.reason ?? ""],
  ])}
  <div class="cols story"><div>
    ${section({ key: "streams", title: `Streams: ${n(it.owned)}`, note: it.owned > SHOWN ? `the first ${SHOWN}` : "", tools: html`<a href="${link("streams", "", { instance: it.server_id })}">All ${n(it.owned)}</a>`, body: data.streams.length ? table({ label: "Streams of this instance", cls: "", heads: [{ text: "State" }, { text: "Stream", cls: "num" }, "Name", { text: "Epoch", cls: "num" }, { text: "Priority", cls: "num" }, "Here since", "Came by"], rows: data.streams.map((stream) => html`<tr data-key="${stream.id}" data-href="${streamLink(stream.id)}"><td>${state(...streamWord(stream))}</td><td class="num">${n(stream.id)}</td><td>${id(stream.name, streamLink(stream.id))}</td><td class="num">${stream.epoch ? n(stream.epoch) : NONE}</td><td class="num">${n(stream.priority)}</td><td class="dim">${at(stream.assigned_at)}</td><td class="sub">${reasonWord(stream.reason)}</td></tr>`) }) : quiet("It owns no stream.") })}
  </div><div>
    ${machine(data)}
    ${section({ key: "story", title: "Story", note: "newest first", tools: html`<a href="${link("events", "", { instance: it.server_id })}">Events of this instance</a>`, body: tale(data.story.slice(0, 25)) })}
  </div></div>`;
}

/** The silence grows without an event: it is drawn again each second. */
export const ticks = true;
