// The scale of silence of one instance, and the train graph of one stream.

import { drawer, specify } from "./draw.js";
import { clock, dayOf, html, NB, show, span } from "./text.js";

/** Returns the markup of the scale. `spec`: `{silence, rules, leased, held, planned}`; seconds. */
export function silenceScale(name, spec) {
  specify(name, spec);
  return html`<div class="scale" data-draw="scale" data-spec="${name}"><div data-keep></div></div>`;
}

drawer("scale", (box, spec) => {
  const { silence: s, rules, leased } = spec;
  const width = box.clientWidth;
  const narrow = width < 620;
  const left = narrow ? 0 : 84;
  const whole = Math.max(rules.emergency * 1.1, Math.min(s * 1.1, rules.emergency * 1.6));
  const x = (t) => left + Math.min(1, t / whole) * (width - left - 2);
  const at = Math.min(s, whole);
  const zone = (from, to, kind, word) => html`<rect class="z-${kind}" x="${x(from)}" y="30" width="${Math.max(0, x(to) - x(from) - 2)}" height="18"/>${narrow || x(to) - x(from) < word.length * 5.6 + 12 ? "" : html`<text class="in" x="${x(at >= from && at < to && x(at) - x(from) < 30 ? at : from) + 8}" y="43">${word}</text>`}`;
  const tick = (t, word, small, anchor = "start") => html`<line class="h-ctl" x1="${x(t)}" x2="${x(t)}" y1="28" y2="84"/><text class="k" text-anchor="${narrow ? "middle" : anchor}" x="${x(t) + (narrow ? 0 : anchor === "end" ? -5 : 5)}" y="98">${word}</text><text text-anchor="${narrow ? "middle" : anchor}" x="${x(t) + (narrow ? 0 : anchor === "end" ? -5 : 5)}" y="112">${small}</text>`;
  const lease = !leased ? "" : s < rules.lease ? `${span(rules.lease - s)} of lease left` : `lease ended ${span(s - rules.lease)} ago`;
  const kind = spec.planned ? "run" : s >= rules.failed ? (spec.held ? "late" : "fail") : s >= rules.late ? "late" : "run";
  const crowded = Math.abs(x(rules.lease) - x(rules.failed)) < 66;
  const said = `Silent for ${span(s)}${lease ? `; ${lease}` : ""}. Late at ${span(rules.late)}, ${leased ? `the lease ends at ${span(rules.lease)}, ` : ""}failed at ${span(rules.failed)}, emergency at ${span(rules.emergency)}.`;
  show(box.firstElementChild, html`<svg height="120" role="img" aria-label="${said}">
    ${tick(rules.late, span(rules.late), "late", crowded ? "end" : "start")}${leased && !(narrow && crowded) ? tick(rules.lease, span(rules.lease), narrow ? "lease" : "lease ends", crowded ? "end" : "start") : ""}${tick(rules.failed, span(rules.failed), "failed")}${tick(rules.emergency, span(rules.emergency), narrow ? "emerg." : "emergency", "end")}
    ${narrow ? "" : html`<text class="k" x="0" y="43">Silence</text>${leased ? html`<text class="k" x="0" y="72">Lease</text>` : ""}`}
    ${zone(0, rules.late, "ok", "in time")}${zone(rules.late, rules.failed, "late", "late: receives no new streams")}${zone(rules.failed, rules.emergency, "fail", spec.held ? "failed: its streams would move; held by the brake" : "failed: its streams move, each with a new epoch")}${zone(rules.emergency, whole, "fail", "")}
    <rect class="f-${kind}" x="${x(0)}" y="48" width="${Math.max(1, x(at) - x(0))}" height="6"/>
    ${leased ? html`<rect class="z-ok" x="${x(0)}" y="65" width="${x(rules.lease) - x(0)}" height="7"/>${s < rules.lease ? html`<rect class="f-run" x="${x(at)}" y="65" width="${x(rules.lease) - x(at)}" height="7"/>` : ""}` : ""}
    <line class="h-ink" x1="${x(at)}" x2="${x(at)}" y1="18" y2="${leased ? 76 : 58}" stroke-width="2"/>
    <text class="big" text-anchor="${x(at) > width - 180 ? "end" : "start"}" x="${x(at) + (x(at) > width - 180 ? -6 : 6)}" y="22">${span(s)} silent<tspan class="soft" dx="10">${spec.planned ? "on purpose" : lease}</tspan></text>
  </svg>`);
});

// ---------------------------------------------------------------- the train graph

/** Returns the markup of a train graph: instances are stations, a move is a vertical. `spec`:
    `{runs: [{server, from, to, epoch, reason}], start, end, isRunning}`; milliseconds. */
export function trainGraph(name, spec) {
  specify(name, spec);
  return html`<div class="graph" data-draw="graph" data-spec="${name}"><div data-keep></div></div>`;
}

drawer("graph", (box, spec) => {
  const width = box.clientWidth;
  const stations = [...new Set(spec.runs.map((run) => run.server))];
  const narrow = width < 620;
  const left = Math.min(narrow ? 110 : 190, 24 + Math.max(...stations.map((name) => name.length), 4) * 7);
  const x = (t) => left + (Math.max(t, spec.start) - spec.start) / Math.max(1, spec.end - spec.start) * (width - left - 8);
  const y = (server) => 26 + stations.indexOf(server) * 40;
  const bottom = 26 + (stations.length - 1) * 40;
  const whole = spec.end - spec.start;
  const every = [60, 300, 900, 3_600, 10_800, 43_200, 86_400, 604_800].map((v) => v * 1_000).find((tick) => whole / tick <= Math.max(2, width / 140)) ?? whole;
  const ticks = [];
  for (let t = Math.ceil(spec.start / every) * every; t <= spec.end; t += every) ticks.push(t);
  const cut = (text) => (text.length * 7 > left ? `${text.slice(0, Math.floor(left / 7) - 2)}…` : text);
  const runs = spec.runs.filter((run) => run.to > spec.start);
  show(box.firstElementChild, html`<svg height="${bottom + 46}" role="img" aria-label="${runs.map((run) => `epoch ${run.epoch} on ${run.server} from ${clock(run.from)}`).join(", then ")}">
    ${ticks.map((t) => html`<line class="h-rule" x1="${x(t)}" x2="${x(t)}" y1="4" y2="${bottom + 22}"/><text text-anchor="${x(t) > width - 30 ? "end" : "middle"}" x="${x(t)}" y="${bottom + 38}">${every >= 86_400_000 ? dayOf(t) : clock(t).slice(0, 5)}</text>`)}
    ${stations.map((server) => html`<line class="h-rule2" x1="0" x2="${width}" y1="${y(server)}" y2="${y(server)}" stroke-dasharray="1 3"/><text class="id" x="0" y="${y(server) - 5}">${cut(server)}</text>`)}
    ${runs.map((run, k) => {
      const next = runs[k + 1];
      const gap = next ? next.from - run.to : 0;
      const isLost = gap > 5_000;
      return html`<line class="h-ink" x1="${x(run.from)}" x2="${Math.max(x(run.to), x(run.from) + 2)}" y1="${y(run.server)}" y2="${y(run.server)}" stroke-width="4"/>
      ${x(run.to) - x(run.from) > 90 || k === runs.length - 1 ? html`<text class="k" text-anchor="${x(run.from) + 110 > width ? "end" : "start"}" x="${x(run.from) + 110 > width ? width - 4 : x(run.from) + 8}" y="${y(run.server) - 8}">epoch${NB}${run.epoch}</text>` : ""}
      ${next ? html`<line class="${isLost ? "h-fail" : "h-ink"}" x1="${x(run.to)}" x2="${x(next.from)}" y1="${y(run.server)}" y2="${y(next.server)}" stroke-width="${isLost ? 2 : 1.25}" stroke-dasharray="${isLost ? "3 2" : "none"}"/><circle class="f-paper ${isLost ? "h-fail" : "h-ink"}" cx="${x(run.to)}" cy="${y(run.server)}" r="3.5" stroke-width="1.75"/>` : ""}`;
    })}
    ${spec.isRunning && runs.length ? html`<circle class="f-ink" cx="${x(spec.end)}" cy="${y(runs.at(-1).server)}" r="5"/>` : ""}
  </svg>`);
});
