// One recovery as a timeline, from the last heartbeat to the moment at which each new owner had heard.

import { bar } from "./draw.js";
import { find } from "./net.js";
import { at, facts, head, quiet, section, table } from "./parts.js";
import { instanceLink, link, streamLink } from "./route.js";
import { clock, glyph, html, id, ms, n, NB, plural, span, state } from "./text.js";
import { causeWord, outcome, took } from "./view-incidents.js";
import { sentence } from "./words.js";

export async function load(address) {
  const found = await find(`/resilience/incidents/${encodeURIComponent(address.subject)}`);
  return found ? found.data : { gone: true };
}
export const concerns = (event, address) => String(event.incident) === address.subject || event.kind === "streams_delivered";

const WORDS = { detect: "detected", await_lease: "waits for its lease", refresh: "looked again", reconfirm: "confirmed", plan: "planned", apply: "saved", verify: "verified" };
const SIGNS = { last_heartbeat: "active", late: "late", failed: "failed", apply: "database", moved: "moving", recovery_ended: "ok", verify: "ok", heard: "ok", lease_withdrawn: "late", withdrawn: "late", escalated: "emergency", emergency: "emergency", returned: "probation", orphaned: "waiting" };

function offset(from, moment) {
  const d = moment - from;
  const size = Math.abs(d);
  const text = size < 1_000 ? `${n(size)}${NB}ms` : size < 120_000 ? `${(size / 1_000).toFixed(1)}${NB}s` : span(size / 1_000);
  return d === 0 ? "0" : `${d < 0 ? "−" : "+"}${text}`;
}

/** The story, with the time that a step took; steps that the story does not tell follow in their place. */
function timeline(it) {
  const steps = [...(it.steps ?? [])];
  const line = (moment, what, text, step) => ({ at: ms(moment), sign: step?.status === "failed" ? "failed" : SIGNS[what] ?? "note", text: sentence(text, [it.server_id]), took: step?.duration_ms });
  const lines = (it.story ?? []).map((one) => {
    const k = steps.findIndex((step) => step.name === one.what);
    const [step] = k >= 0 ? steps.splice(k, 1) : [];
    return line(one.at, one.what, one.text.replace(one.what, WORDS[one.what] ?? one.what), step);
  });
  for (const step of steps) lines.push(line(step.started_at, step.name, `${WORDS[step.name] ?? step.name.replaceAll("_", " ")}${step.status === "done" ? "" : ` (${step.status})`}${step.detail ? `: ${step.detail}` : ""}`, step));
  return lines.sort((a, b) => a.at - b.at);
}

export function render(address, it) {
  const crumb = html`<a href="#/incidents">Incidents</a> / ${/^\d+$/.test(address.subject) ? n(Number(address.subject)) : address.subject}`;
  if (it.gone) return head({ crumb, title: html`Incident ${address.subject}`, say: html`<b>There is no such incident</b>, or it is forgotten.` });
  const zero = ms(it.detected_at);
  const lines = timeline(it);
  const longest = Math.max(1, ...lines.map((line) => line.took ?? 0));
  const phases = [["Before", lines.filter((line) => line.at < zero)], ["Recovery", lines.filter((line) => line.at >= zero && (!it.ended_at || line.at <= ms(it.ended_at)))], ["Afterwards", lines.filter((line) => it.ended_at && line.at > ms(it.ended_at))]];
  const where = new Map();
  for (const move of it.moves ?? []) where.set(move.to, (where.get(move.to) ?? 0) + 1);
  const targets = [...where].sort((a, b) => b[1] - a[1]);
  const most = Math.max(1, ...targets.map(([, count]) => count));
  const heard = (it.moves ?? []).filter((move) => move.heard_at);
  const last = heard.length ? Math.max(...heard.map((move) => ms(move.heard_at))) : null;
  const isOpen = it.state !== "ended";
  return html`${head({
    crumb, title: html`${id(it.server_id, instanceLink(it.server_id))} ${it.cause === "heartbeat_timeout" ? "fell silent" : it.cause === "emergency" ? "was emptied" : "failed"}${state(...outcome(it))}`,
    say: html`<b>${n(it.streams_moved)} of ${plural(it.streams_affected, "stream")} moved${targets.length ? ` to ${plural(targets.filter(([to]) => to).length, "instance")}` : ""}${isOpen ? ", so far" : ""}.</b> ${it.streams_orphaned ? `${n(it.streams_orphaned)} found no room and wait.` : isOpen ? "" : "No action was needed."}`,
    acts: html`<a class="btn" href="${link("incidents", "", { instance: it.server_id })}">Incidents of this instance</a>`,
  })}
  ${facts([["Cause", causeWord(it.cause), it.reason && it.reason_given !== false ? html`“<bdi>${it.reason}</bdi>”` : ""], ["Detected", html`<time datetime="${it.detected_at}">${clock(zero, true)}</time>`], ["Took", took(it)], ["Last new owner heard", last ? offset(zero, last) : isOpen ? "not yet" : "–"], ["Attempts", n(it.attempts)], ["Last heartbeat", at(it.last_heartbeat)]])}
  <div class="cols">
    ${section({ key: "line", title: "Timeline", note: "counted from the detection", body: lines.length ? html`<ol class="inc">${phases.filter(([, list]) => list.length).map(([name, list]) => html`<li class="phase"><b>${name}</b></li>${list.map((line) => html`<li><span class="off">${offset(zero, line.at)}</span><span class="at">${clock(line.at, true)}</span><span class="st st-${line.sign}">${glyph(line.sign)}</span><p><bdi>${line.text}</bdi></p><div class="took">${line.took === undefined ? "" : html`${line.took.toFixed(1)}${NB}ms<svg aria-hidden="true"><rect class="f-free" width="100%" height="4"/><rect class="f-run" width="${(line.took / longest * 100).toFixed(1)}%" height="4"/></svg>`}</div></li>`)}`)}</ol>` : quiet(it.unknown_because ?? "Its events are forgotten.") })}
    <div>${section({ key: "where", title: `Where the ${n((it.moves ?? []).length)} went`, note: it.moves_left_out ? `${n(it.moves_left_out)} more are not shown` : "", body: targets.length ? html`<table class="tbl"><caption class="vh">New owners</caption><tbody>${targets.slice(0, 20).map(([to, count]) => html`<tr><td>${to ? id(to, instanceLink(to)) : state("waiting", "nowhere: no room")}</td><td>${bar(count, most)}</td><td class="num">${n(count)}</td></tr>`)}</tbody></table>` : quiet("No stream had to move.") })}
    ${it.moves?.length ? section({ key: "moves", title: "Streams", note: "epoch, and when the new owner had heard", body: table({ label: "Moves of this incident", heads: [{ text: "Stream", cls: "num" }, "New owner", { text: "Epoch", cls: "num" }, { text: "Heard", cls: "num" }], rows: it.moves.slice(0, 60).map((move) => html`<tr data-href="${streamLink(move.stream)}"><td class="num"><a href="${streamLink(move.stream)}">${n(move.stream)}</a></td><td>${move.to ? id(move.to, instanceLink(move.to)) : "–"}</td><td class="num">${move.epoch ? n(move.epoch) : "–"}</td><td class="num">${move.heard_at ? offset(zero, ms(move.heard_at)) : "–"}</td></tr>`), foot: it.moves.length > 60 ? html`<span>60 of ${n(it.moves.length)}</span>` : "" }) }) : ""}</div>
  </div>`;
}
