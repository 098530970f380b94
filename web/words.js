// The words of the wire, as people read them: states, kinds of events and of alerts.

import { model } from "./model.js";

/** Glyph and word of the state of an instance. */
const INSTANCE = {
  active: ["active", "active"], suspect: ["late", "late"], failed: ["failed", "failed"], recovering: ["probation", "on probation"],
  draining: ["draining", "draining"], maintenance: ["maintenance", "maintenance"], inactive: ["inactive", "left"],
};
export const INSTANCE_STATES = ["failed", "suspect", "recovering", "draining", "maintenance", "inactive", "active"];

export const isHeld = (state) => state === "suspect" && model.figures?.brake?.state === "held";

/** Returns glyph and word of an instance. */
export function instanceWord(row) {
  if (isHeld(row.state)) return ["held", "late, held"];
  if (row.state === "active" && row.schedulable === false) return ["cordoned", row.isCordoned === false ? "active, takes none" : "active, cordoned"];
  return INSTANCE[row.state] ?? ["info", row.state];
}
export const stateWord = (state) => (isHeld(state) ? ["held", "late, held"] : INSTANCE[state] ?? ["info", state]);

const STREAM = {
  assigned: ["active", "runs"], unclaimed: ["waiting", "waits for a worker"], orphaned: ["waiting", "waits for room"],
  quarantined: ["quarantined", "quarantined"], disabled: ["inactive", "disabled"], releasing: ["moving", "moving"],
};
export const STREAM_STATES = ["assigned", "orphaned", "unclaimed", "quarantined", "disabled"];

/** Returns glyph and word of a stream. */
export function streamWord(stream) {
  if (stream.state === "assigned" && stream.running === false) return ["failed", "may not run"];
  return STREAM[stream.state] ?? ["info", stream.state];
}
export const streamStateWord = (state) => STREAM[state] ?? ["info", state];

const EVENT = {
  instance_registered: "active", instance_suspected: "late", instance_on_time: "ok", instance_failed: "failed", instance_returned: "probation",
  instance_trusted: "ok", instance_flapping: "late", instance_forgiven: "ok", instance_removed: "inactive", lease_withdrawn: "late",
  duplicate_identity: "failed", streams_differ: "late", mass_failure_held: "held", mass_failure_ended: "note", brake_ordered: "held", leader_handed_over: "note",
  emergency_recovered: "emergency", maintenance_started: "maintenance", maintenance_ended: "active", instance_cordoned: "cordoned",
  instance_uncordoned: "active", drain_started: "draining", drain_ended: "draining", recovery_escalated: "emergency", recovery_ended: "ok",
  stream_assigned: "moving", stream_releasing: "moving", handover_abandoned: "late", stream_orphaned: "waiting", stream_quarantined: "quarantined",
  stream_returned: "late", rebalance_begun: "moving", takeover_ordered: "leader", step_down_ordered: "leader", member_forgotten: "leader", roll_changed: "draining", stream_deleted: "inactive",
};

/** Returns the glyph of an event. */
export function eventGlyph(event) {
  if (event.kind === "recovery_ended" && event.severity !== "info") return "waiting";
  return EVENT[event.kind] ?? "note";
}

/** Returns a sentence that begins with a capital letter, unless it begins with the name of something. */
export const sentence = (text, names = []) => (text && !names.some((name) => text.startsWith(name)) ? text[0].toUpperCase() + text.slice(1) : text ?? "");

const ALERT = {
  mass_failure: ["held", "Mass failure"], instance_failed: ["failed", "Failed"], recovery_exhausted: ["emergency", "Recovery stuck"],
  emergency_recovery: ["emergency", "Emergency"], flapping: ["late", "Flapping"], store_unavailable: ["database", "Database out"],
  breaker_forced: ["late", "Breaker by hand"], instance_quarantined: ["quarantined", "Quarantined"], duplicate_identity: ["failed", "Two workers, one name"],
  clock_stepped: ["late", "Clock jumped"], leader_unproven: ["leader", "Leader unproven"], failsafe: ["leader", "Failsafe"], streams_differ: ["late", "Streams differ"],
  runs_what_was_taken: ["failed", "Runs what was taken"], release_refused: ["late", "Does not release"], overlap_unfinished: ["late", "Overlap lasts"],
  handover_abandoned: ["late", "Move given up"], stream_returned: ["late", "Given back"], stream_quarantined: ["quarantined", "Quarantined"],
  streams_orphaned: ["waiting", "Waiting for room"], streams_waiting_long: ["waiting", "Waiting long"], no_room_for_failure: ["late", "No reserve"],
  invariant_broken: ["emergency", "Invariant broken"], webhook_failing: ["late", "Webhook failing"], member_away: ["leader", "Standby away"], settings_differ: ["late", "Settings differ"],
  releases_differ: ["late", "Releases differ"], replication_is_asynchronous: ["database", "Asynchronous"],
  database_went_back: ["database", "Changes lost"], auth_failures: ["late", "Wrong keys"], certificate_expiring: ["late", "Certificate ends"], system_health: ["emergency", "System health"],
};

/** Returns glyph and word of a kind of alert. */
export const alertWord = (kind) => ALERT[kind] ?? ["info", sentence(kind.replaceAll("_", " "))];

const RULES = {
  active_ratio_critical: "too few instances are active", active_ratio_degraded: "few instances are active",
  instance_failure_rate: "many instances have failed", capacity_utilization: "nearly all places are used",
  emergency_unresolved: "an emergency recovery is not over", mass_failure_held: "a mass failure is held",
  store_unavailable: "the database does not answer", recent_critical_failures: "there were critical failures not long ago",
};
export const ruleWords = (rules) => (rules ?? []).map(({ rule }) => RULES[rule] ?? rule.replaceAll("_", " "));

/** Glyph, word and lamp of the health of the system. */
export const HEALTH = {
  healthy: ["ok", "Healthy", "healthy"], degraded: ["late", "Degraded", "late"], critical: ["failed", "Critical", "critical"],
  emergency: ["emergency", "Emergency", "emergency"],
};

export const REASONS = { manual: "by hand", requested: "requested", failover: "failover", balance: "balance", planned_move: "planned move" };
export const reasonWord = (reason) => REASONS[reason] ?? (reason ?? "–").replaceAll("_", " ");
