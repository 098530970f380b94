// How the streams are spread, and what would wait for room if something were lost.

import { bar } from "./draw.js";
import { get } from "./net.js";
import { action, head, marked, quiet, section, table } from "./parts.js";
import { instanceLink, link } from "./route.js";
import { html, id, n, percent, plural } from "./text.js";

export const needs = ["figures"];
export const reading = "Comparing the instances…";
const SHOWN = 30;

export async function load() {
  const [check, capacity] = await Promise.all([get("/rebalance/check"), get("/capacity")]);
  return { check, capacity };
}
export const concerns = (event) => /^(rebalance|stream_assigned|stream_orphaned|instance_)/.test(event.kind);

export function render(_address, { check, capacity }) {
  const away = (one) => (one.fair_share === null || one.fair_share === undefined ? 0 : one.current_streams - one.fair_share);
  const rows = [...check.instances].sort((a, b) => Math.abs(away(b)) - Math.abs(away(a))).slice(0, SHOWN);
  const s = check.statistics;
  const worst = capacity.worst_instance;
  const least = capacity.survives_one_instance ? `The loss of any one instance could be absorbed: ${n(capacity.headroom_streams)} more streams would still fit.` : `If ${worst?.server_id ?? "one instance"} is lost, ${n(worst?.streams_without_home ?? 0)} of its streams wait for room.`;
  return html`${head({ title: "Balance", say: html`<b>${marked(check.reason)}</b> ${least}`, acts: action("Balance…", "rebalance", "") })}
  <div class="cols even">
  ${section({ key: "fair", title: "Fair share", note: `${n(s.total_streams)} streams on ${plural(s.total_instances, "instance")}; furthest away first`, body: rows.length ? table({ label: "Instances by their distance from the fair share", heads: ["Instance", "Streams of places", { text: "Fair share", cls: "num" }, { text: "Away", cls: "num" }], rows: rows.map((one) => html`<tr data-key="${one.server_id}" data-href="${instanceLink(one.server_id)}"><td>${id(one.server_id, instanceLink(one.server_id))}</td><td>${bar(one.current_streams, one.max_streams)}${n(one.current_streams)}<span class="dim"> / ${n(one.max_streams)}</span></td><td class="num">${one.fair_share?.toFixed(1) ?? "–"}</td><td class="num">${away(one) > 0 ? "+" : ""}${away(one).toFixed(1)}</td></tr>`), foot: html`<span>${n(rows.length)} of ${n(check.instances.length)}</span>${check.moves_under_way ? html`<span>${plural(check.moves_under_way, "move")} under way</span>` : ""}` }) : quiet("No instance takes streams.") })}
  ${section({ key: "loss", title: "If it were lost", note: `${n(capacity.free)} of ${n(capacity.max_streams)} places are free`, body: html`${!worst && !capacity.by_label.length ? quiet("There is no instance to lose.") : table({ label: "What would wait for room", heads: ["Lost", { text: "Streams", cls: "num" }, { text: "Would wait", cls: "num" }, "Share"], rows: [...(worst ? [html`<tr><td>${id(worst.server_id, instanceLink(worst.server_id))}</td><td class="num">${n(worst.streams)}</td><td class="num">${n(worst.streams_without_home)}</td><td>${bar(worst.streams_without_home, worst.streams)}</td></tr>`] : []), ...[...capacity.by_label].sort((a, b) => b.streams_without_home - a.streams_without_home).slice(0, SHOWN).map((one) => html`<tr><td><a href="${link("instances", "", { label: `${one.label}=${one.value}` })}">all <code><bdi>${one.label}=${one.value}</bdi></code></a></td><td class="num">${n(one.streams)}</td><td class="num${one.streams_without_home ? "" : " dim"}">${n(one.streams_without_home)}</td><td>${one.streams ? html`${bar(one.streams_without_home, one.streams)}${percent(one.streams_without_home / one.streams * 100, 0)}` : ""}</td></tr>`)] })}` })}
  </div>`;
}
