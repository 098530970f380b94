// The program: it follows the address, reads what a view needs, and shows it again when something has changed.

import { act } from "./actions.js";
import { announce, setUp } from "./dialog.js";
import { drawAll } from "./draw.js";
import { banner, masthead, moreView, rail, tabbar, TITLES } from "./frame.js";
import { find, moveRow, openRow, showKeys } from "./keyboard.js";
import { Live } from "./live.js";
import { model, now, outage, readAlerts, readFleet, readMe, setClock, takeEvent, takeFigures, takeNothingForGranted, whenChanged } from "./model.js";
import { ask, whenUnauthorized } from "./net.js";
import { head, reading, refused } from "./parts.js";
import { askForKey } from "./key-form.js";
import { here, link, refine } from "./route.js";
import { clock, html, show, span } from "./text.js";
import { HEALTH } from "./words.js";
import * as alerts from "./view-alerts.js";
import * as balance from "./view-balance.js";
import * as cluster from "./view-cluster.js";
import * as events from "./view-events.js";
import * as incident from "./view-incident.js";
import * as incidents from "./view-incidents.js";
import * as instance from "./view-instance.js";
import * as instances from "./view-instances.js";
import * as keys from "./view-keys.js";
import * as overview from "./view-overview.js";
import * as settings from "./view-settings.js";
import * as stream from "./view-stream.js";
import * as streams from "./view-streams.js";
import * as webhooks from "./view-webhooks.js";
import * as work from "./view-work.js";

const VIEWS = { overview, instances, instance, streams, stream, incidents, incident, alerts, events, work, balance, cluster, settings, webhooks, keys, more: { render: moreView } };
const unknown = { render: (address) => head({ title: "There is no such view", say: html`<code>${address.view}</code> is no view of the console. <a href="#/overview">Overview</a>` }) };

let address = here();
let view = VIEWS[address.view] ?? unknown;
/** What the view has read, whether it is being read, and why it could not be. */
let page = { data: null, isReading: false, error: null, slow: false, serial: 0 };
const part = (name) => document.getElementById(name);

// ---------------------------------------------------------------- showing

let isDue = false;
/** Shows everything again, once, before the next picture. */
function render() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; renderNow(); });
}

let slowTimer = null;
let renderedAt = 0;
/** The same for what comes often: a few times a second are enough for a person. */
function renderSoon() {
  if (slowTimer !== null) return;
  slowTimer = setTimeout(() => { slowTimer = null; render(); }, Math.max(0, 200 - (performance.now() - renderedAt)));
}

function content() {
  if (page.error && !page.data) return refused(page.error, TITLES[address.view] ?? "This");
  if (view.load && !page.data) return page.slow ? reading(view.reading ?? "Reading…") : "";
  const needs = view.needs ?? [];
  if (needs.includes("figures") && !model.figures) return page.slow && model.phase !== "lost" ? reading("Waiting for the first figures…") : "";
  if (needs.includes("fleet") && !model.fleet) return page.slow ? reading("Reading all instances…") : "";
  return html`${page.error ? refused(page.error, "The newest state") : ""}${view.render(address, page.data)}`;
}

function renderNow() {
  renderedAt = performance.now();
  document.body.classList.toggle("lost", model.phase === "lost" || model.phase === "held");
  document.body.classList.toggle("stale", outage() !== null);
  show(part("board"), masthead());
  show(part("rail"), rail(address.view));
  show(part("tabbar"), tabbar(address.view));
  show(part("banner"), banner());
  show(part("view"), content());
  const health = model.figures && HEALTH[model.figures.health.system_health];
  document.title = `${model.phase === "lost" ? "Not live" : health ? health[1] : "…"}: ${address.subject || TITLES[address.view] || "Console"} · Orchestrator`;
  view.after?.(part("view"), address, page.data);
  drawAll(part("view"));
  document.documentElement.dataset.ready = String(isReady());
  // How long the first view took: the tests look at it.
  if (isReady() && model.figures) window.firstView ??= performance.now();
}

const isReady = () => !page.isReading && (!view.load || Boolean(page.data ?? page.error)) && (!(view.needs ?? []).includes("fleet") || model.fleet !== null) && (!(view.needs ?? []).includes("figures") || model.figures !== null);

// ---------------------------------------------------------------- reading

async function read(isFirst) {
  const mine = ++page.serial;
  page.isReading = true;
  const work = [];
  if (view.load) work.push(view.load(address, page.data).then((data) => { if (mine === page.serial) { page.data = data; page.error = null; } }));
  if ((view.needs ?? []).includes("fleet") && (!model.fleet || (isFirst && now() - model.fleetAt > 10_000))) work.push(readFleet());
  if ((view.needs ?? []).includes("alerts") && !model.alerts) work.push(readAlerts());
  const done = await Promise.allSettled(work);
  if (mine !== page.serial) return;
  page.isReading = false;
  const failed = done.find((one) => one.status === "rejected");
  // Many consoles ask at once after one event: one that is refused for that keeps what it has, and asks later.
  if (failed?.reason.status === 503 && page.data && model.phase === "live" && !outage()) reload();
  else if (failed) page.error = failed.reason;
  render();
}

let reloadTimer = null;
let reloadedAt = 0;
/** Reads the view again, at most once a second. */
export function reload() {
  if (reloadTimer !== null) return;
  const wait = Math.max(60, 1_000 - (performance.now() - reloadedAt)) + Math.random() * 200;
  reloadTimer = setTimeout(() => { reloadTimer = null; reloadedAt = performance.now(); read(false); }, wait);
}

function go() {
  const before = address;
  address = here();
  const isSame = before.view === address.view && before.subject === address.subject;
  view = VIEWS[address.view] ?? unknown;
  if (!isSame || view.keeps !== true) page = { data: isSame ? page.data : null, isReading: false, error: null, slow: false, serial: page.serial, followed: model.figures ? view.follows?.(model.figures) : undefined };
  live.follow(address.view === "instance" ? address.subject : null);
  model.beat = null;
  if (!isSame) {
    scrollTo(0, 0);
    part("main").focus({ preventScroll: true });
    setTimeout(() => { page.slow = true; render(); }, 1_000);
  }
  read(!isSame);
  render();
}

// ---------------------------------------------------------------- the stream

/** How long a page that no person sees keeps its connection. */
const HIDDEN_FOR = 30_000;

const live = new Live({
  onFrame(kind, data) {
    model.heardAt = now();
    if (kind === "figures") {
      takeFigures(data);
      const followed = view.follows?.(data);
      if (followed !== undefined && page.followed !== undefined && followed !== page.followed) reload();
      page.followed = followed;
    }
    else if (kind === "beat") { setClock(data.now); model.beat = data; }
    else if (kind === "lagged") takeNothingForGranted();
    else {
      takeEvent(data);
      if (view.concerns?.(data, address)) reload();
    }
    renderSoon();
  },
  onPhase(phase, why) {
    if (phase === "refused") { signIn(); return; }
    const wasLost = model.phase === "lost" || model.phase === "held";
    model.phase = phase;
    model.why = why ?? "";
    if (phase === "live" && wasLost) { takeNothingForGranted(); reload(); }
    render();
  },
});
whenChanged(render);

// ---------------------------------------------------------------- keys

let isAsked = false;
/** Asks for a key; with one, the page begins anew. */
async function signIn(why) {
  if (isAsked) return;
  isAsked = true;
  live.stop();
  await askForKey(why ?? (model.me.name ? "The key is over, or was revoked." : ""));
  isAsked = false;
  begin();
}
whenUnauthorized(() => signIn());

async function leave() {
  await ask("DELETE", "/session").catch(() => {});
  location.reload();
}

// ---------------------------------------------------------------- what a person does

const DO = {
  refine: (button) => refine({ [button.dataset.name]: button.dataset.value }),
  act: (button) => act(button.dataset.act, button.dataset.subject, { data: page.data, reload, go: (to) => { location.hash = to; } }),
  retry: () => live.retry(),
  find, keys: showKeys, leave,
  copy(button) {
    const text = button.parentElement.querySelector("pre");
    getSelection().selectAllChildren(text);
    // Without TLS a browser lets no page write there: the text is chosen, and Ctrl+C copies it.
    if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(() => announce("Copied."));
  },
};

addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button && (!button.closest("dialog") || button.dataset.do === "copy") && DO[button.dataset.do]) { event.preventDefault(); DO[button.dataset.do](button); return; }
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input") && !getSelection().toString()) location.hash = row.dataset.href;
});
addEventListener("input", (event) => {
  const name = event.target.dataset?.filter;
  if (!name || !event.target.closest("main")) return;
  clearTimeout(event.target.ownTimer);
  event.target.ownTimer = setTimeout(() => refine({ [name]: event.target.value, after: "" }), 200);
});

const GO = { o: "overview", i: "instances", s: "streams", n: "incidents", a: "alerts", e: "events", c: "cluster", w: "work" };
let isPrefixed = false;
addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog") || event.metaKey || event.ctrlKey || event.altKey) return;
  if (isPrefixed && GO[event.key]) { location.hash = link(GO[event.key]); isPrefixed = false; return; }
  isPrefixed = event.key === "g";
  if (event.key === "j" || event.key === "k") moveRow(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter" && !event.target.closest("a, button, canvas")) openRow();
  else if (event.key === "?") showKeys();
  else if (event.key === "/") { event.preventDefault(); find(); }
  else if (event.key === "Escape" && address.subject && !document.querySelector("dialog[open]")) history.back();
  else if ("cdm".includes(event.key) && address.view === "instance") document.querySelector(`main [data-act="${{ c: "cordon", d: "drain", m: "maintenance" }[event.key]}"]:not([disabled])`)?.click();
});

// A browser has few connections for each host. A page that is left, or that no person has looked at for a
// while, gives its own back, and reads what it missed when it is looked at again.
let hiddenTimer = null;
addEventListener("pagehide", () => live.stop());
addEventListener("pageshow", (event) => { if (event.persisted) live.start(); });
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(() => live.stop(), HIDDEN_FOR);
  else if (live.isStopped && !isAsked) { live.start(); takeNothingForGranted(); reload(); }
});
addEventListener("hashchange", go);
addEventListener("resize", render);
addEventListener("scroll", () => { if (view.isWindowed) render(); }, { passive: true });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);

// Ages and countdowns run by the server's clock; nothing is asked for them.
setInterval(() => {
  const at = now();
  for (const one of document.querySelectorAll("[data-clock]")) one.textContent = clock(at);
  for (const one of document.querySelectorAll("[data-up]")) one.textContent = span((at - Number(one.dataset.up)) / 1_000);
  for (const one of document.querySelectorAll("[data-down]")) one.textContent = span((Number(one.dataset.down) - at) / 1_000);
  if (view.ticks) render();
}, 1_000);

async function begin() {
  try { await readMe(); } catch (error) { if (error.status === 401) return; }
  live.start();
  go();
  if (!model.alerts) readAlerts().then(render, () => {});
}

setUp();
setTimeout(() => { page.slow = true; render(); }, 1_000);
renderNow();
begin();
