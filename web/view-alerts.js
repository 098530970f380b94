// Alerts and silences.

import { now } from "./model.js";
import { get, url } from "./net.js";
import { action, at, head, marked, quiet, section, table } from "./parts.js";
import { changed, instanceLink, streamLink } from "./route.js";
import { flag, html, id, ms, n, plural, span, state } from "./text.js";
import { alertWord, sentence } from "./words.js";

export const reading = "Reading alerts…";
const PAGE = 100;

export async function load({ query }) {
  const [list, silences] = await Promise.all([
    get(url("/resilience/alerts", { limit: PAGE, after: query.after, kind: query.kind, open: query.all ? "" : "true" })),
    get("/resilience/silences"),
  ]);
  return { ...list, silences: silences.silences };
}

export const needs = ["figures"];
export const concerns = () => true;
/** Alerts open and close without an event of their own: other counts mean another list. */
export const follows = (figures) => JSON.stringify(figures.alerts);

function subject(alert) {
  if (alert.instances.length === 1) return id(alert.instances[0], instanceLink(alert.instances[0]));
  const stream = /^stream (\d+)$/.exec(alert.subject);
  if (stream) return html`<a href="${streamLink(stream[1])}">${alert.subject}</a>`;
  return html`<bdi>${alert.subject}</bdi>`;
}

function entry(alert) {
  const [sign, word] = alertWord(alert.kind);
  const kind = !alert.open ? "off" : sign === "held" ? "held" : alert.severity === "critical" ? "emergency" : "late";
  const isSilenced = alert.silenced_by.length > 0;
  return html`<article class="strip strip-${kind}" data-key="${alert.id}"><div class="stt">${state(alert.open ? sign : "note", word)}<small>${alert.severity}${alert.open ? "" : ", closed"}</small></div>
    <div class="who"><b>${subject(alert)}</b><small>${alert.instances.length > 1 ? plural(alert.instances.length, "instance") : ""}${alert.repeats ? ` ${n(alert.repeats)} repeats` : ""}</small></div>
    <p class="what"><bdi>${marked(sentence(alert.detail, alert.instances))}</bdi></p>
    <div class="todo"><p>${marked(alert.advice)} <span class="dim">${alert.runbook.replace("docs/", "")}</span></p>${alert.acknowledged ? html`<p class="dim">Seen by ${alert.acknowledged.by} at ${at(alert.acknowledged.at)}${alert.acknowledged.note ? html`: “<bdi>${alert.acknowledged.note}</bdi>”` : ""}</p>` : ""}${isSilenced ? html`<p class="dim">Silenced</p>` : ""}
      ${alert.open ? html`<div class="acts">${alert.acknowledged ? "" : action("Acknowledge…", "acknowledge", alert.id, { small: true })}${isSilenced ? "" : action("Silence…", "silence", `${alert.kind}|${alert.instances[0] ?? ""}`, { small: true })}</div>` : ""}</div>
    <div class="cl">${alert.open ? html`<b data-up="${ms(alert.opened_at)}">${span((now() - ms(alert.opened_at)) / 1_000)}</b><small>since ${at(alert.opened_at)}</small>` : html`<b>${span((ms(alert.closed_at) - ms(alert.opened_at)) / 1_000)}</b><small>until ${at(alert.closed_at)}</small>`}</div></article>`;
}

export function render({ query }, data) {
  const list = data.alerts;
  const open = list.filter((alert) => alert.open);
  const unseen = open.filter((alert) => !alert.acknowledged && !alert.silenced_by.length).length;
  const kinds = [...new Set([...list.map((alert) => alert.kind), query.kind].filter(Boolean))].sort();
  const tab = (all, word) => html`<a href="${changed({ all, after: "" })}"${flag('aria-current="true"', (query.all ?? "") === all)}>${word}</a>`;
  return html`${head({ title: "Alerts", say: html`<b>${open.length ? `${n(open.length)} open${unseen ? `, ${n(unseen)} of them not acknowledged` : ", all seen"}.` : "None open."}</b> ${data.silences.length ? `${plural(data.silences.length, "silence")} in force.` : ""}`, acts: action("Silence…", "silence", "|") })}
  <section class="sec" data-key="list"><header><div class="tabs" role="group" aria-label="Which">${tab("", "Open")}${tab("1", "All")}</div><div class="tools"><label class="vh" for="k">Kind</label><select id="k" data-filter="kind"><option value="">any kind</option>${kinds.map((kind) => html`<option value="${kind}"${flag("selected", kind === query.kind)}>${alertWord(kind)[1]}</option>`)}</select></div></header>
  ${list.length ? html`<div class="strip-h" aria-hidden="true"><span>State</span><span>Subject</span><span>What happened</span><span>What to do</span><span>Clock</span></div>${list.map(entry)}<p class="foot"><span>${plural(list.length, "alert")}</span>${query.after ? html`<a href="${changed({ after: "" })}">First page</a>` : ""}${data.next ? html`<a href="${changed({ after: data.next })}">Next page</a>` : ""}</p>` : quiet(query.all ? "No alert is remembered." : "Nothing asks for attention.")}</section>
  ${section({ key: "silences", title: "Silences", note: "alerts that match are sent nowhere; they are shown here all the same", body: data.silences.length ? table({ label: "Silences", heads: ["Alerts with", "Until", "Reason", "By", { text: "", cls: "num" }], rows: data.silences.map((one) => html`<tr data-key="${one.id}"><td>${one.matchers.map((m, i) => html`${i ? ", " : ""}<code><bdi>${m.name}${m.is_regex ? "~" : "="}${m.value}</bdi></code>`)}</td><td>${at(one.until)}</td><td class="sub"><bdi>${one.reason}</bdi></td><td>${one.by}</td><td class="num">${action("End…", "end-silence", one.id, { small: true })}</td></tr>`) }) : quiet("None.") })}`;
}
