// What the page knows, and how it learns more: the figures come with the stream, lists are asked for, and what
// an event cannot say is asked again after it, at most once a second. Nothing is asked on a timer.

import { find, get, seg } from "./net.js";
import { ms } from "./text.js";

/** How many events are kept for lists that are live. */
const KEPT_EVENTS = 500;
/** Up to so many instances are asked for one by one; more by the table of all. */
const FEW = 6;

export const model = {
  /** The newest figures of the stream; `null` before the first. */
  figures: null,
  /** The instances by name, if a view needs them; `null` before. */
  fleet: null,
  fleetAt: 0,
  /** Grows with each change of the instances. */
  fleetVersion: 0,
  /** Open alerts, newest first; `null` before they are read. */
  alerts: null,
  /** The newest events, newest first. */
  events: [],
  /** Who this is: `{auth, name, role}`. */
  me: { auth: "on", role: "worker" },
  /** The state of the connection. */
  phase: "opening",
  why: "",
  /** The moment at which the last thing was heard, by the server's clock. */
  heardAt: 0,
  beat: null,
};

// ---------------------------------------------------------------- the server's clock

let offset = 0;

/** Returns the server's time now. */
export const now = () => performance.timeOrigin + performance.now() + offset;

/** Sets the clock by what the server just said. */
export function setClock(moment) {
  const at = ms(moment);
  if (Number.isFinite(at)) offset = at - (performance.timeOrigin + performance.now());
}

// ---------------------------------------------------------------- the fleet

function rowOf(values, place, table, at) {
  const value = (name) => values[place[name]];
  return {
    id: value("server_id"), state: table.states[value("status")], streams: value("owned"), max: value("max_streams"),
    capacity: value("capacity"), schedulable: value("schedulable"), leased: value("leased"), beat: at - value("silence_ms"),
    since: at - value("status_age_ms"), flaps: value("flaps"), cpu: value("cpu_percent"), labels: table.labels[value("labels")],
  };
}

/** Reads all instances, in one short table. */
export async function readFleet() {
  const table = await get("/fleet");
  setClock(table.now);
  const at = ms(table.now);
  const place = Object.fromEntries(table.columns.map((name, i) => [name, i]));
  model.fleet = new Map(table.rows.map((values) => [values[place.server_id], rowOf(values, place, table, at)]));
  model.fleetAt = at;
  model.fleetVersion++;
}

/** Reads one instance anew, in the form of the table. */
async function readOne(id) {
  const answer = await find(`/instances/${seg(id)}`);
  if (!model.fleet) return;
  model.fleetVersion++;
  if (!answer) { model.fleet.delete(id); return; }
  const it = answer.data;
  const before = model.fleet.get(id);
  model.fleet.set(id, {
    id, state: it.status, streams: it.owned, max: it.max_streams, capacity: it.capacity ?? null, schedulable: it.schedulable,
    leased: before?.leased ?? false, beat: ms(it.last_heartbeat), since: ms(it.status_since), flaps: it.flaps, cpu: before?.cpu ?? null, labels: it.labels,
  });
}

/** How silent an instance is, in seconds. That of one in time is known from the last table: since then it has
    beaten, or an event would have said that it is late. */
export function silence(row) {
  const isLate = ["suspect", "failed", "inactive", "maintenance"].includes(row.state);
  return Math.max(0, ((isLate ? now() : model.fleetAt) - row.beat) / 1_000);
}

// ---------------------------------------------------------------- alerts, and who this is

export async function readAlerts() {
  const answer = await get("/resilience/alerts?open=true&limit=200");
  model.alerts = answer.alerts;
}

export async function readMe() {
  model.me = await get("/whoami", { quiet: false });
}

const RANK = { worker: 0, viewer: 1, operator: 2, admin: 3 };

/** What a command of curl needs to be let in. */
export const curlKey = () => (model.me.auth === "off" ? "" : ' -H "Authorization: Bearer $ORCHESTRATOR_KEY"');

/** Returns whether this key may do what a role may. */
export const may = (role) => model.me.auth === "off" || (RANK[model.me.role] ?? 0) >= RANK[role];

/** Returns whether the database is out, and since when: `{isWhole, since}`; `null` if it answers. */
export function outage() {
  const f = model.figures;
  if (!f) return null;
  const isOut = (name) => (f.breakers[name] ?? "closed") !== "closed";
  if (!f.stale_since && !isOut("store_writes") && !isOut("store_reads")) return null;
  const alert = model.alerts?.find((one) => one.kind === "store_unavailable" || one.kind === "breaker_forced");
  const since = ms(f.stale_since ?? alert?.opened_at);
  return { isWhole: Boolean(f.stale_since) || isOut("store_reads"), since: Number.isFinite(since) ? since : null };
}

// ---------------------------------------------------------------- after an event

const dirty = new Set();
let alertsAreDirty = false;
let timer = null;
let lastAt = 0;
let onChange = () => {};

/** Names what is done when the model has changed. */
export const whenChanged = (call) => { onChange = call; };

function namedBy(event) {
  const names = [event.instance, event.from].filter((name) => typeof name === "string");
  return event.kind?.startsWith("stream_") || event.kind?.startsWith("instance_") || names.length ? names : [];
}

/** Takes an event in, and has asked again what it does not say. */
export function takeEvent(event) {
  model.events.unshift(event);
  model.events.length = Math.min(model.events.length, KEPT_EVENTS);
  for (const name of namedBy(event)) dirty.add(name);
  if (/alert|silence|failed|mass|quarantin|recover|flapping|emergency|drain|orphan|differ|duplicate|removed|trusted|registered|on_time|returned/.test(event.kind)) alertsAreDirty = true;
  soon();
}

let countsBefore = "";
/** Takes the figures in; other counts of alerts mean that their list has changed. */
export function takeFigures(figures) {
  setClock(figures.now);
  model.figures = figures;
  const counts = JSON.stringify(figures.alerts);
  if (counts !== countsBefore && model.alerts) alertsAreDirty = true;
  countsBefore = counts;
  if (alertsAreDirty) soon();
}

/** Everything may have changed: the stream was interrupted. */
export function takeNothingForGranted() {
  alertsAreDirty = model.alerts !== null;
  if (model.fleet) for (let i = 0; i <= FEW; i++) dirty.add(`\u0000${i}`);
  soon();
}

function soon() {
  if (timer !== null || (!dirty.size && !alertsAreDirty)) return;
  const wait = Math.max(80, 1_000 - (performance.now() - lastAt));
  timer = setTimeout(askAgain, wait);
}

async function askAgain() {
  lastAt = performance.now();
  const names = [...dirty];
  dirty.clear();
  const wants = alertsAreDirty;
  alertsAreDirty = false;
  const work = [];
  if (model.fleet && names.length) {
    if (names.length > FEW) work.push(readFleet());
    else for (const name of names) work.push(readOne(name));
  }
  if (wants && model.alerts) work.push(readAlerts());
  const done = await Promise.allSettled(work);
  timer = null;
  // What was refused is asked again with the next event or figures.
  if (done.some((one) => one.status === "rejected")) alertsAreDirty = alertsAreDirty || wants;
  onChange();
  soon();
}
