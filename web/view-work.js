// Planned work: instances that drain, are cordoned or in maintenance, and rolls.

import { model, now } from "./model.js";
import { get, url } from "./net.js";
import { action, at, head, NONE, quiet, section, table } from "./parts.js";
import { instanceLink, link } from "./route.js";
import { bar } from "./draw.js";
import { html, id, n, plural, span, state } from "./text.js";
import { instanceWord } from "./words.js";

export const needs = ["figures", "fleet"];

export const load = () => get(url("/rolls", { limit: 50 }));
export const concerns = (event) => /^(drain|maintenance|instance_cordoned|instance_uncordoned|roll)/.test(event.kind);

const ROLL = { running: ["draining", "running"], paused: ["held", "paused"], done: ["ok", "done"], cancelled: ["inactive", "cancelled"] };

function roll(one) {
  const count = (word) => one.instances.filter((entry) => entry.state === word).length;
  const done = count("back") + count("drained") + count("skipped");
  const busy = one.instances.filter((entry) => entry.state === "draining").map((entry) => entry.server_id);
  return html`<tr data-key="${one.id}"><td>${state(...(ROLL[one.state] ?? ["note", one.state]))}</td><td class="num">${n(one.id)}</td><td>${bar(done, one.instances.length)}<span>${n(done)}</span><span class="dim"> / ${n(one.instances.length)}</span></td><td>${busy.length ? id(busy[0], instanceLink(busy[0])) : NONE}</td><td class="sub"><bdi>${one.because ?? one.reason ?? ""}</bdi></td><td class="dim">${at(one.started_at)}</td><td class="num">${one.state === "running" ? html`${action("Pause…", "roll-pause", one.id, { small: true })} ` : one.state === "paused" ? html`${action("Resume…", "roll-resume", one.id, { small: true })} ` : ""}${["running", "paused"].includes(one.state) ? action("Cancel…", "roll-cancel", one.id, { small: true }) : ""}</td></tr>`;
}

export function render(_address, data) {
  const all = [...model.fleet.values()].filter((row) => ["draining", "maintenance"].includes(row.state) || !row.schedulable && row.state === "active");
  const moving = model.figures.status.moves.under_way;
  const running = data.rolls.filter((one) => one.state === "running").length;
  return html`${head({ title: "Drains and rolls", say: html`<b>${all.length ? `${plural(all.length, "instance")} taken out of use on purpose.` : "Nothing is planned or under way."}</b> ${moving ? `${plural(moving, "stream")} on the move. ` : ""}${running ? `${plural(running, "roll")} running.` : ""}`, acts: html`${action("Roll…", "roll", "")}<a class="btn" href="${link("instances")}">Choose an instance</a>` })}
  ${section({ key: "now", title: "Instances", note: "drained, in maintenance, or cordoned", body: all.length ? table({ label: "Instances out of use", heads: ["State", "Instance", { text: "Streams left", cls: "num" }, { text: "For", cls: "num" }], rows: all.map((row) => html`<tr data-key="${row.id}" data-href="${instanceLink(row.id)}"><td>${state(...instanceWord(row))}</td><td>${id(row.id, instanceLink(row.id))}</td><td class="num">${n(row.streams)}</td><td class="num dim" data-up="${row.since}">${span((now() - row.since) / 1_000)}</td></tr>`) }) : quiet("None. A drain empties an instance before it is switched off; it begins on the page of the instance.") })}
  ${section({ key: "rolls", title: "Rolls", note: "a drain of many instances, one batch after the other", body: data.rolls.length ? table({ label: "Rolls", heads: ["State", { text: "Roll", cls: "num" }, "Instances", "Now", "Why", "Begun", { text: "", cls: "num" }], rows: data.rolls.map(roll) }) : quiet("None.") })}`;
}
