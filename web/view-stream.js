// One stream: who runs it and why, where it ran, and where it would go.

import { now } from "./model.js";
import { find, get, url } from "./net.js";
import { action, at, facts, head, marked, NONE, quiet, section, table, tale } from "./parts.js";
import { instanceLink, link } from "./route.js";
import { trainGraph } from "./scale.js";
import { clock, html, id, labelText, moment, ms, n, percent, plural, span, state } from "./text.js";
import { reasonWord, streamWord } from "./words.js";

export async function load(address) {
  const path = `/streams/${encodeURIComponent(address.subject)}`;
  const [it, story] = await Promise.all([find(path), get(url("/resilience/events", { stream: address.subject, order: "desc", limit: 200 }))]);
  if (!it) return { gone: true, story: story.events };
  return { it: it.data, explain: await get(`${path}/explain`), story: story.events };
}

export const concerns = (event, address) => String(event.stream) === address.subject;

/** Returns the periods in which an instance owned it, oldest first, as the events tell them. */
function runs(story) {
  const all = [];
  for (const event of [...story].reverse()) {
    const at_ = ms(event.at);
    const open = all.at(-1);
    if (event.kind === "stream_assigned") {
      if (open && open.to === null) open.to = at_;
      all.push({ server: event.instance, from: at_, to: null, epoch: event.epoch, reason: event.reason });
    } else if (["stream_orphaned", "stream_released", "stream_returned", "stream_withdrawn", "stream_deleted", "stream_quarantined"].includes(event.kind) && open && open.to === null) open.to = at_;
  }
  return all;
}

const score = (candidate) => (candidate.score ? percent(candidate.score.load * 100) : "");
const EXCLUDED = { no_room: "no room", no_capacity: "no capacity left", status: "its state", cordoned: "cordoned", requires: "lacks a required label", is_owner: "owns it", released_it: "gave it back" };

const candidates = (list, label) => table({
  label, heads: [{ text: "Rank", cls: "num rk" }, "Instance", { text: "Load", cls: "num" }, { text: "Streams", cls: "num" }, "Excluded by"],
  rows: list.map((one) => html`<tr class="${one.chosen ? "chosen" : one.excluded_by && one.excluded_by !== "is_owner" ? "out" : ""}"><td class="num">${one.rank ?? ""}</td><td>${id(one.server_id, instanceLink(one.server_id))}</td><td class="num">${score(one) || NONE}</td><td class="num">${one.score ? n(one.score.streams) : NONE}</td><td>${one.chosen ? state(one.excluded_by === "is_owner" ? "active" : "ok", one.excluded_by === "is_owner" ? "owner" : "chosen") : one.excluded_by ? EXCLUDED[one.excluded_by] ?? one.excluded_by : NONE}</td></tr>`),
});

function say({ it, explain }) {
  if (it.state === "assigned") return html`<b>Runs on ${id(it.server_id, instanceLink(it.server_id))}</b> since ${at(it.assigned_at)}, epoch ${n(it.epoch)}.${it.running ? "" : " Its owner is silent: it may not be running."} ${it.delivered ? "The owner has heard." : "The owner has not heard yet."}`;
  if (it.state === "quarantined") return html`<b>Kept away from the fleet</b>, because its last owners failed with it. ${it.quarantine?.retry_at ? `It is tried again at ${clock(ms(it.quarantine.retry_at))}.` : "It is not tried again by itself."}`;
  if (it.state === "disabled") return html`<b>Disabled:</b> it is not to be run.`;
  return html`<b>Has no owner</b>${it.waiting_since ? html` since ${at(it.waiting_since)}` : ""}. ${marked(explain.now?.because)}`;
}

export function render(address, data) {
  const crumb = html`<a href="#/streams">Streams</a> / ${/^\d+$/.test(address.subject) ? n(Number(address.subject)) : address.subject}`;
  if (data.gone) return html`${head({ crumb, title: html`Stream ${address.subject}`, say: html`<b>There is no such stream.</b> ${data.story.length ? "It was deleted; this is its story." : ""}` })}${section({ key: "story", title: "Story", body: tale(data.story) })}`;
  const { it, explain } = data;
  const all = runs(data.story);
  const end = now();
  const periods = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, all: Infinity };
  const chosen = periods[address.query.span] ? address.query.span : "all";
  const first = all[0]?.from ?? ms(it.created_at);
  const start = Math.max(end - periods[chosen], Math.min(first, end - 60_000));
  for (const run of all) run.to ??= end;
  const gaps = all.slice(1).reduce((sum, run, i) => sum + Math.max(0, run.from - all[i].to), 0);
  return html`${head({ crumb, title: html`${id(it.name)}${state(...streamWord(it))}`, say: say(data), acts: html`${action("Move…", "move", it.id, { why: it.state === "assigned" ? "" : "It has no owner to move it from" })}${action(it.pinned ? "Unpin…" : "Pin…", "pin", it.id)}${it.state === "quarantined" ? action("Release…", "release-quarantine", it.id) : ""}${action(it.enabled ? "Disable…" : "Enable…", it.enabled ? "disable" : "enable", it.id)}` })}
  ${facts([
    ["Requires", html`<bdi>${labelText(it.requires) || html`<span class="dim">nothing</span>`}</bdi>`], ["Group", it.group ? html`<a href="${link("streams", "", { group: it.group })}"><bdi>${it.group}</bdi></a>` : html`<span class="dim">none</span>`], ["Priority, weight", `${n(it.priority)}, ${n(it.weight)}`], ["Hand-over", it.handoff],
    ["Pinned to", it.pinned ? id(it.pinned, instanceLink(it.pinned)) : html`<span class="dim">nothing</span>`], ["Labels", html`<bdi>${labelText(it.labels) || html`<span class="dim">none</span>`}</bdi>`], ["Source", it.url ? html`<span class="id"><bdi>${it.url}</bdi></span>` : html`<span class="dim">none</span>`, "", true],
  ])}
  ${section({ key: "graph", title: "Where it ran", note: all.length ? `${plural(new Set(all.map((run) => run.server)).size, "instance")}, ${plural(Math.max(0, all.length - 1), "move")}${gaps > 1_000 ? `, ${span(gaps / 1_000)} without an owner` : ""}` : "", tools: html`<div class="seg" role="group" aria-label="Period">${Object.keys(periods).map((key) => html`<button type="button" data-do="refine" data-name="span" data-value="${key}" aria-pressed="${String(key === chosen)}">${key}</button>`)}</div>`, body: all.length ? trainGraph("graph", { runs: all, start, end, isRunning: it.state === "assigned" && it.running }) : quiet("It has not run yet, as far as the events go back.") })}
  <div class="cols even">
    ${section({ key: "placed", title: "Why it is there", note: explain.placed ? html`decided ${at(explain.placed.at)}, ${reasonWord(explain.placed.reason)}` : "", body: explain.placed ? candidates(explain.placed.candidates, "Candidates when it was placed") : quiet("It has not been placed yet.") })}
    ${section({ key: "now", title: explain.now?.would_move ? "Would it move now? Yes." : "Would it move now? No.", body: html`<p class="sub">${marked(explain.now?.because)}</p>${explain.now?.candidates?.length ? candidates(explain.now.candidates, "Candidates now") : ""}` })}
  </div>
  ${section({ key: "epochs", title: "Epochs", note: it.epoch ? `a sink that checks epochs refuses every one but ${n(it.epoch)}` : "", body: explain.history?.length ? table({ label: "Epochs of this stream", heads: [{ text: "Epoch", cls: "num c-n" }, "From", "Owner", "Came from", "Reason"], rows: [...explain.history].sort((a, b) => b.epoch - a.epoch).map((one) => html`<tr class="${one.epoch === it.epoch ? "chosen" : ""}"><td class="num">${n(one.epoch)}</td><td>${moment(ms(one.at), now())}</td><td>${one.to ? id(one.to, instanceLink(one.to)) : NONE}</td><td>${one.from ? id(one.from, instanceLink(one.from)) : NONE}</td><td class="sub">${reasonWord(one.reason)}</td></tr>`) }) : quiet("None yet.") })}
  ${section({ key: "story", title: "Story", note: "newest first", tools: html`<a href="${link("events", "", { stream: it.id })}">Events of this stream</a>`, body: tale(data.story.slice(0, 40)) })}`;
}
