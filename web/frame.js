// The frame of every view: the masthead, the rail, the bar of a phone, and the banner of what is wrong.

import { may, model, now, outage } from "./model.js";
import { link } from "./route.js";
import { clock, flag, glyph, html, n, span } from "./text.js";
import { HEALTH } from "./words.js";

const GROUPS = [
  ["Fleet", [["overview", "Overview"], ["instances", "Instances"], ["streams", "Streams"], ["incidents", "Incidents"], ["alerts", "Alerts"], ["events", "Events"]]],
  ["Planned work", [["work", "Drains and rolls"], ["balance", "Balance"]]],
  ["Control", [["cluster", "Orchestrators"], ["settings", "Settings"], ["webhooks", "Webhooks"], ["keys", "Keys"]]],
];
const PARENTS = { instance: "instances", stream: "streams", incident: "incidents" };
export const TITLES = Object.fromEntries([...GROUPS.flatMap(([, views]) => views), ["instance", "Instance"], ["stream", "Stream"], ["incident", "Incident"], ["more", "More"]]);

/** What is counted beside a view: `[count, glyph, how many are not as they should be]`. */
function counts() {
  const f = model.figures;
  if (!f) return {};
  const by = f.status.instances.by_status;
  const s = f.status.streams;
  const down = s.total - s.running;
  const open = Object.values(f.alerts).reduce((sum, count) => sum + count, 0);
  return {
    instances: [n(f.status.instances.total), by.failed ? "failed" : "late", by.failed + by.suspect],
    streams: [n(s.total), "waiting", down],
    alerts: [open ? "open" : "0 open", f.health.system_health === "healthy" ? "late" : "emergency", open],
    events: ["live"],
    work: [n(by.draining), "", 0],
    cluster: [n(f.leader.members + 1), "", 0],
  };
}

function lamp() {
  if (model.phase === "lost" || model.phase === "held") return ["inactive", "Not live", "empty"];
  const f = model.figures;
  if (!f) return ["inactive", "Opening", "empty"];
  if (!f.status.instances.total && !f.status.streams.total) return ["inactive", "Empty", "empty"];
  return HEALTH[f.health.system_health] ?? ["info", f.health.system_health, "empty"];
}

export function masthead() {
  const [sign, word, kind] = lamp();
  const f = model.figures;
  const out = outage();
  return html`<a class="brand" href="#/overview" aria-label="Resilient Orchestrator, overview"><svg aria-hidden="true"><use href="#mark"/></svg><span>Orchestrator</span></a>
    <div class="lamp lamp-${kind === "late" ? "degraded" : kind}" role="status">${glyph(sign)}${word}</div>
    <button class="bsearch" type="button" data-do="find">${glyph("search")}<span>Find anything</span><kbd>/</kbd></button>
    <ul class="bfacts">
      ${f ? html`<li class="b-wide"><span class="k">leader</span>${f.leader.node}${f.leader.term ? html`<span class="k">term</span>${f.leader.term}` : ""}</li>
      <li class="b-wide${out ? " warn" : ""}">${out ? glyph("failed") : ""}<span class="k">database</span>${out ? html`${out.isWhole ? "out" : "no changes"}${out.since ? html` <span data-up="${out.since}">${span((now() - out.since) / 1_000)}</span>` : ""}` : "answers"}</li>` : ""}
      ${model.me.auth === "off" ? "" : html`<li class="b-wide b-opt"><span class="k">${model.me.role}</span>${model.me.name ?? ""}<button class="blink" type="button" data-do="leave">Leave</button></li>`}
      <li class="bclock"><span><span data-clock>${clock(now())}</span><small>UTC</small></span></li>
    </ul>`;
}

export function rail(view) {
  const here = PARENTS[view] ?? view;
  const known = counts();
  return html`${GROUPS.map(([title, views]) => html`<h2>${title}</h2><ul>${views.filter(([key]) => may(key === "webhooks" || key === "keys" ? "admin" : "viewer")).map(([key, word]) => {
    const [count, sign, bad] = known[key] ?? [""];
    return html`<li><a href="${link(key)}"${flag('aria-current="page"', key === here)}>${word}<span class="n">${bad ? html`<i class="st-${sign}">${glyph(sign)}${n(bad)}</i>` : ""}<u>${count}</u></span></a></li>`;
  })}</ul>`)}
  <footer><p><kbd>?</kbd> <button class="asLink" type="button" data-do="keys">keyboard map</button></p><p>${model.figures ? model.figures.version : ""} · <a href="/docs">API</a></p></footer>`;
}

export function tabbar(view) {
  const here = PARENTS[view] ?? view;
  const f = model.figures;
  const known = counts();
  const [sign] = lamp();
  const tab = (key, word, sign_, bad, count) => html`<a href="${link(key)}"${flag('aria-current="page"', key === here)}><b class="${bad ? `st-${sign_}` : ""}">${bad ? html`${glyph(sign_)}${n(bad)}` : count}</b>${word}</a>`;
  const [instances, streams, alerts] = [known.instances ?? [""], known.streams ?? [""], known.alerts ?? [""]];
  const isMore = !["overview", "instances", "streams", "alerts"].includes(here);
  return html`<a href="#/overview"${flag('aria-current="page"', here === "overview")}><b>${glyph(sign)}</b>Overview</a>${tab("instances", "Instances", instances[1], instances[2], instances[0])}${tab("streams", "Streams", streams[1], streams[2], streams[0])}${tab("alerts", "Alerts", alerts[1], alerts[2], f ? "0" : "")}<a href="#/more"${flag('aria-current="page"', isMore)}><b>${glyph("more")}</b>More</a>`;
}

/** The list of all views, for a phone. */
export const moreView = () => html`<div class="more"><h1 class="vh">More</h1>${GROUPS.map(([title, views]) => html`<h2>${title}</h2><ul>${views.filter(([key]) => may(key === "webhooks" || key === "keys" ? "admin" : "viewer")).map(([key, word]) => html`<li><a href="${link(key)}">${word}</a></li>`)}</ul>`)}</div>`;

/** What is wrong with what is shown: not live, held back by a proxy, the database is out. */
export function banner() {
  const host = location.host;
  if (model.phase === "lost") {
    return html`<div class="banner quiet" role="alert">${glyph("inactive")}<div><p><b>This page is not live</b>${model.heardAt ? html` since ${clock(model.heardAt)}` : ""}: ${model.why || `the connection to ${host} is lost`}.${model.heardAt ? html` What you see is <span data-up="${model.heardAt}">${span((now() - model.heardAt) / 1_000)}</span> old.` : ""}</p><p class="sub">The fleet does not depend on this page. It tries again by itself.</p></div><div class="acts"><button class="btn" type="button" data-do="retry">Try now</button></div></div>`;
  }
  if (model.phase === "held") {
    return html`<div class="banner quiet" role="alert">${glyph("inactive")}<div><p><b>This page is not live: something between this browser and ${host} holds back the event stream.</b></p><p class="sub">Requests are answered, events do not arrive: a proxy buffers <code>/resilience/events/stream</code>. Switch buffering off there (nginx: <code>proxy_buffering off</code>; the answer asks for it with <code>X-Accel-Buffering: no</code>). What you see is from when the page was opened.</p></div><div class="acts"><button class="btn" type="button" data-do="retry">Try now</button></div></div>`;
  }
  const out = outage();
  if (out) {
    return html`<div class="banner" role="alert">${glyph("database")}<div><p><b>The database ${out.isWhole ? "is out" : "takes no changes"}</b>${out.since ? html` since ${clock(out.since)}, for <span data-up="${out.since}">${span((now() - out.since) / 1_000)}</span>` : ""}. What is shown is what the orchestrator remembers.</p><p class="sub">Heartbeats are answered and silence is noticed, from memory. Changes are refused until it is back, and recoveries wait for it. <b>To do: bring the database back.</b></p></div><div class="acts"><a class="btn" href="${link("cluster")}">Breakers</a></div></div>`;
  }
  return "";
}
