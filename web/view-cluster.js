// The orchestrators: who leads, who stands by, and the breakers in front of the database.

import { now } from "./model.js";
import { get } from "./net.js";
import { action, at, facts, head, quiet, section, table } from "./parts.js";
import { clock, html, id, ms, n, NB, span, state } from "./text.js";

export async function load() {
  const [cluster, breakers] = await Promise.all([get("/cluster"), get("/resilience/breakers").catch(() => null)]);
  return { cluster, breakers: breakers?.breakers ?? null, readAt: now() };
}
/** Another leader, another number of members, the begin or the end of failsafe, another state of a breaker. */
export const follows = (figures) => JSON.stringify([figures.leader, figures.breakers]);
export const concerns = () => false;

const age = (milliseconds) => (milliseconds < 10_000 ? `${n(milliseconds)}${NB}ms` : span(milliseconds / 1_000));
/** A standby that is cut off from the leader hears workers in its place. */
const reach = ({ reaches_leader: reaches, hears }) => (reaches === undefined ? html`<span class="dim">leads</span>` : reaches ? "yes" : hears ? `no; hears ${n(hears)} ${hears === 1 ? "instance" : "instances"}` : "no");
const BREAKER = { closed: ["active", "closed: calls go through"], open: ["failed", "open: calls are kept away"], half_open: ["probation", "half open: one call tries"] };

export function render(_address, { cluster, breakers, readAt }) {
  const { leader, failsafe } = cluster;
  const leads = cluster.role === "leader";
  const title = cluster.no_leader ? html`No orchestrator leads, and ${id(cluster.node)} does not take over by itself.` : leads ? html`${id(cluster.node)} leads.` : leader ? html`${id(leader.node)} leads; ${id(cluster.node)} is a ${cluster.role}.` : html`${id(cluster.node)} is a ${cluster.role}; no leader is seen.`;
  const alone = !cluster.members.length;
  return html`${head({
    title: "Orchestrators",
    say: html`<b>${title}</b> ${!leads && leader?.url ? html`<a href="${leader.url}">Open the console of the leader</a>` : alone ? "No standby: if this process ends, no other takes over before it is back. Workers keep their streams for the length of their leases." : `${n(cluster.members.length)} other ${cluster.members.length === 1 ? "process" : "processes"} on this database.`}${failsafe.active ? html` <b>The database answers no orchestrator: failsafe until ${clock(ms(failsafe.until))}.</b> Bring the database back before, and end or restart no standby meanwhile.` : ""}`,
    acts: leads
      ? action("Step down…", "step-down", cluster.node, { role: "admin", why: alone ? "No other orchestrator could lead" : "" })
      : action("Take over…", "take-over", cluster.node, { role: "admin" }),
  })}
  ${facts([cluster.barred && ["May not lead", html`<bdi>${cluster.barred}</bdi>`, "", true], ["This process", id(cluster.node), `run ${cluster.run}`], ["Role", leads ? state("leader", "leads") : state("inactive", cluster.role)], ["Term", cluster.term ?? html`<span class="dim">none: one process on SQLite</span>`], leader && ["Leads since", at(leader.since)], leader && [leads ? "Newest proof" : "Seen alive", `${age(leader.proof_age_ms)} ago`, leader.state], failsafe.active ? ["Without the database", html`failsafe until ${at(failsafe.until)}`, html`since ${at(failsafe.since)}`] : ["Without the database", "leases would go on", failsafe.horizon_seconds < 1e9 ? `at most ${span(failsafe.horizon_seconds)}` : ""]])}
  ${section({ key: "members", title: "Members", note: `as this process saw them at ${new Date(readAt).toISOString().slice(11, 19)}`, body: alone ? quiet("Only this one. A second process on the same PostgreSQL becomes a standby by itself.") : table({ label: "Other orchestrators", heads: ["Role", "Node", "Address", "Release", "May lead", "Reaches the leader", { text: "Seen", cls: "num" }, { text: "", cls: "num" }], rows: cluster.members.map((one) => html`<tr data-key="${one.node}${one.run}"><td>${state(one.role === "leader" ? "leader" : one.state === "away" ? "late" : "inactive", one.state ? `${one.role}, ${one.state}` : one.role)}</td><td>${id(one.node)}</td><td>${id(one.address)}</td><td class="dim">${one.release}</td><td>${one.admitted ? "yes" : "no"}</td><td>${reach(one)}</td><td class="num">${age(one.seen_ms)} ago</td><td class="num">${one.state === "away" ? action("Forget…", "forget-member", one.node, { role: "admin", small: true }) : ""}</td></tr>`) }) })}
  ${breakers ? section({ key: "breakers", title: "Breakers", note: "in front of the database", body: table({ label: "Breakers", heads: ["State", "Breaker", { text: "Failures in a row", cls: "num" }, "Since", "Next probe", "Forced", { text: "", cls: "num" }], rows: breakers.map((one) => html`<tr data-key="${one.name}"><td>${state(...(BREAKER[one.state] ?? ["note", one.state]))}</td><td>${id(one.name)}</td><td class="num${one.failures ? "" : " dim"}">${n(one.failures)}</td><td class="dim">${at(one.since)}</td><td>${one.next_probe_seconds === null ? html`<span class="dim">–</span>` : html`in <span data-down="${readAt + one.next_probe_seconds * 1_000}">${span(one.next_probe_seconds - (now() - readAt) / 1_000)}</span>`}</td><td>${one.forced ? html`${one.forced}: “<bdi>${one.reason}</bdi>”` : html`<span class="dim">no</span>`}</td><td class="num">${action("Force…", "breaker", one.name, { small: true })}</td></tr>`) }) }) : ""}`;
}
