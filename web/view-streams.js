// The catalogue: pages that the server makes.

import { model } from "./model.js";
import { get, url } from "./net.js";
import { action, at, head, NONE, quiet, table } from "./parts.js";
import { changed, instanceLink, streamLink } from "./route.js";
import { flag, glyph, html, id, labelText, n, plural, state } from "./text.js";
import { reasonWord, STREAM_STATES, streamStateWord, streamWord } from "./words.js";

export const needs = ["figures"];
export const reading = "Reading streams…";
const PAGE = 100;

export const load = ({ query }) => get(url("/streams", { limit: PAGE, after: query.after, state: query.state, name: query.name, instance: query.instance, group: query.group, label: query.label?.replace("=", ":") }));

/** A page of a filter that is busy changes with every event about a stream. */
export const concerns = (event) => event.kind.startsWith("stream_") || event.kind.startsWith("quarantine");

const row = (stream) => html`<tr data-key="${stream.id}" data-href="${streamLink(stream.id)}"><td>${state(...streamWord(stream))}</td><td class="num">${n(stream.id)}</td><td class="p-r">${id(stream.name, streamLink(stream.id))}</td><td>${stream.server_id ? id(stream.server_id, instanceLink(stream.server_id)) : html`<span class="dim">no owner</span>`}</td><td class="num">${stream.epoch ? n(stream.epoch) : NONE}</td><td class="sub p-hide">${stream.server_id ? reasonWord(stream.reason) : NONE}</td><td class="dim p-hide"><bdi>${labelText(stream.requires) || "–"}</bdi></td><td class="dim p-hide">${at(stream.assigned_at ?? stream.waiting_since)}</td></tr>`;

export function render(address, data) {
  const { query } = address;
  const { streams } = model.figures.status;
  const down = streams.total - streams.running;
  const isFiltered = ["state", "name", "instance", "group", "label"].some((key) => query[key]);
  const tab = (key, word, sign, count) => html`<a href="${changed({ state: key, after: "" })}" class="${sign ? `st-${sign}` : ""}${count ? "" : " z"}"${flag('aria-current="true"', (query.state ?? "") === key)}>${sign ? glyph(sign) : ""}${word} <span class="dim">${n(count)}</span></a>`;
  const field = (name, word, most) => html`<label class="vh" for="f-${name}">${word}</label><input id="f-${name}" class="find" type="search" data-keep data-filter="${name}" value="${query[name] ?? ""}" placeholder="${word}" maxlength="${most}" spellcheck="false">`;
  return html`${head({ title: "Streams", say: html`<b>${n(streams.running)} of ${n(streams.total)} run.</b> ${down ? `${n(down)} do not or may not. ` : ""}${streams.disabled ? `${n(streams.disabled)} more are disabled.` : ""}`, acts: action("Balance…", "rebalance", "") })}
  <section class="sec" data-key="table"><header><div class="tabs" role="group" aria-label="State">${tab("", "All", "", streams.total + streams.disabled)}${STREAM_STATES.filter((key) => streams.by_state[key] || ["assigned", "orphaned", "quarantined"].includes(key)).map((key) => tab(key, streamStateWord(key)[1], streamStateWord(key)[0], streams.by_state[key] ?? 0))}</div>
  <div class="tools">${field("name", "Name contains", 256)}${field("instance", "Instance", 128)}${field("group", "Group", 128)}</div></header>
  ${data.streams.length ? table({ label: "Streams", cls: "two of-streams", scroll: false, heads: ["State", { text: "Stream", cls: "num" }, "Name", "Owner", { text: "Epoch", cls: "num" }, { text: "Came by", cls: "p-hide" }, { text: "Requires", cls: "p-hide" }, { text: "Since", cls: "p-hide" }], rows: data.streams.map(row), foot: html`<span>${plural(data.streams.length, "row")}${isFiltered ? "" : ` of ${n(streams.total + streams.disabled)}`}</span>${query.after ? html`<a href="${changed({ after: "" })}">First page</a>` : ""}${data.next ? html`<a href="${changed({ after: data.next })}">Next page</a>` : ""}` }) : quiet(isFiltered ? "No stream is like that." : "The catalogue is empty: orchestrator streams import channels.csv")}</section>`;
}
