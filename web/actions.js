// What can be done, as plans: each shows what would happen before it happens.

import { bar } from "./draw.js";
import { open } from "./dialog.js";
import { curlKey, model, now, readFleet } from "./model.js";
import { ask, get, seg as part, url } from "./net.js";
import { typed } from "./parts.js";
import { streamLink } from "./route.js";
import { clock, html, id, ms, n, plural, span, state } from "./text.js";
import { MORE } from "./actions-more.js";

const REASON = { name: "reason", label: "Reason", placeholder: "Why: the story will show it", most: 512, required: true };
/** Returns a word of a command: a shell takes it as it is. */
const quoted = (text) => (/^[\w.:=/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const given = (values, names) => Object.fromEntries(names.filter((name) => values[name] !== "" && values[name] !== undefined).map((name) => [name, values[name]]));

// ---------------------------------------------------------------- where streams would go

function targets(moves) {
  const to = new Map();
  for (const move of moves) to.set(move.to, (to.get(move.to) ?? 0) + 1);
  return [...to].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** The table of a plan: who would receive how many, and what fits nowhere. */
export function planned(moves, unfit) {
  const where = targets(moves);
  const most = 200;
  return html`${where.length ? html`<h3>Where they would go <span>${plural(where.length, "instance")}, most streams first</span></h3>
    <div class="scroll" tabindex="0" role="region" aria-label="Instances that would receive streams"><table class="tbl"><thead><tr><th scope="col">Instance</th><th scope="col" class="num">Streams</th><th scope="col">Places, before → after</th><th scope="col" class="p-hide">Left</th></tr></thead><tbody>${where.slice(0, most).map(([name, count]) => {
    const row = model.fleet?.get(name);
    return html`<tr><td>${id(name)}</td><td class="num">+${n(count)}</td><td>${row ? html`${bar(row.streams, row.max, count)}${n(row.streams)} → ${n(row.streams + count)} <span class="dim">of ${n(row.max)}</span>` : ""}</td><td class="p-hide dim">${row ? `${n(Math.max(0, row.max - row.streams - count))} places` : ""}</td></tr>`;
  })}</tbody></table></div>${where.length > most ? html`<p class="dim">And ${n(where.length - most)} more.</p>` : ""}` : ""}
  ${unfit.length ? html`<h3>What fits nowhere <span>${plural(unfit.length, "stream")}</span></h3><p class="unfit">${unfit.slice(0, 60).map((stream) => html`<a href="${streamLink(stream)}">${state("waiting", n(stream))}</a> `)}${unfit.length > 60 ? html`<span class="dim">and ${n(unfit.length - 60)} more</span>` : ""}</p>` : ""}`;
}

/** Plans a move of everything off an instance, as a drain would; `null` if it cannot drain. */
async function emptying(server) {
  if (!model.fleet) await readFleet().catch(() => {});
  return ask("POST", `/instances/${part(server)}/drain?dry_run=true`, { force: true }).catch((error) => { if (error.status === 409) return null; throw error; });
}

/** Plans a recovery: what the order of this path would do. */
async function recovery(path) {
  if (!model.fleet) await readFleet().catch(() => {});
  return ask("POST", `${path}?dry_run=true`, {});
}

const sayLease = (plan) => (plan.waiting_until
  ? html`<b>Its lease is withdrawn:</b> exclusive streams start elsewhere when its worker has released them, at <b>${clock(ms(plan.waiting_until))}</b> at the latest.`
  : html`No lease runs: they start elsewhere at once.`);

const sayMoves = (plan) => {
  const unfit = plan.would_not_fit.length;
  const where = targets(plan.moves).length;
  const first = plan.streams === 0 ? html`<b>It has no stream: nothing moves.</b>` : html`Moves <b>${n(plan.moves.length)} of ${plural(plan.streams, "stream")} to ${plural(where, "instance")}</b>.`;
  return html`${first}${unfit ? html` <b>${n(unfit)} ${unfit === 1 ? "fits" : "fit"} nowhere.</b>` : ""}`;
};

// ---------------------------------------------------------------- instances

const instance = (server) => `/instances/${part(server)}`;

export const ACTIONS = {
  drain: (server) => ({
    title: html`Drain ${id(server)}`,
    fields: [REASON, { name: "deadline", label: "Deadline", value: "1h", small: true, hint: "30m, 2h, or a moment" }, { name: "force", label: "What fits nowhere", type: "check", when: (plan) => plan?.unfit > 0, text: "Drain all the same: it stays here until the deadline, then waits without an owner until there is room." }],
    async plan() {
      const plan = await emptying(server);
      if (!plan) return ask("POST", `${instance(server)}/drain?dry_run=true`, {});
      const unfit = plan.would_not_fit;
      return {
        say: html`Dry run of ${clock(now())}: ${sayMoves(plan)} They move a few at a time; an exclusive stream is released before it starts elsewhere.`,
        sections: planned(plan.moves, unfit), unfit: unfit.length, button: `Drain ${plural(plan.streams, "stream")}`,
        stop: (values) => (unfit.length && !values.force ? `${plural(unfit.length, "stream")} ${unfit.length === 1 ? "fits" : "fit"} nowhere: make room, or tick the box.` : ""),
      };
    },
    command: (values) => `orchestrator drain ${quoted(server)} --deadline ${quoted(values.deadline || "1h")}${values.force ? " --force" : ""} --reason ${quoted(values.reason)}`,
    button: "Drain", run: (values) => ask("POST", `${instance(server)}/drain`, { ...given(values, ["reason", "deadline"]), ...(values.force ? { force: true } : {}) }),
    done: `The drain of ${server} has begun.`,
  }),
  "cancel-drain": (server) => ({
    title: html`Cancel the drain of ${id(server)}`, fields: [{ ...REASON, required: false }],
    async plan() {
      const drain = await get(`${instance(server)}/drain`);
      return { say: html`It takes streams again. <b>${plural(drain.moved, "stream")} that ${drain.moved === 1 ? "has" : "have"} moved ${drain.moved === 1 ? "stays" : "stay"} elsewhere;</b> ${n(drain.streams_left)} stay here.` };
    },
    button: "Cancel the drain", run: (values) => ask("DELETE", url(`${instance(server)}/drain`, given(values, ["reason"]))), done: `The drain of ${server} is cancelled.`,
  }),
  cordon: (server) => ({
    title: html`Cordon ${id(server)}`, fields: [REASON, { name: "until", label: "Ends by itself", small: true, placeholder: "never", hint: "30m, 2h, or a moment; empty: until it is ended" }],
    async plan() {
      await ask("POST", `${instance(server)}/cordon?dry_run=true`, {});
      const { data } = await get(instance(server));
      const capacity = await get("/capacity");
      const free = Math.max(0, data.max_streams - data.owned);
      return { say: html`Dry run of ${clock(now())}. Nothing moves: it keeps its <b>${plural(data.owned, "stream")}</b> and is given no others, asking included. The fleet has <b>${plural(free, "free place")} less</b>: ${n(Math.max(0, capacity.free - free))} instead of ${n(capacity.free)}.` };
    },
    command: (values) => `orchestrator cordon ${quoted(server)}${values.until ? ` --until ${quoted(values.until)}` : ""} --reason ${quoted(values.reason)}`,
    button: "Cordon", run: (values) => ask("POST", `${instance(server)}/cordon`, given(values, ["reason", "until"])), done: `${server} is cordoned.`,
  }),
  uncordon: (server) => ({
    title: html`Uncordon ${id(server)}`, fields: [{ ...REASON, required: false }],
    async plan() {
      await ask("POST", `${instance(server)}/uncordon?dry_run=true`, {});
      const explain = await get(`${instance(server)}/explain`);
      const waiting = explain.waiting_it_could_take.length;
      return { say: html`It takes streams again. ${waiting ? html`<b>${n(waiting)}${waiting === 20 ? " or more" : ""} waiting ${waiting === 1 ? "stream" : "streams"}</b> could go there at once.` : "No stream waits for it now."}` };
    },
    command: (values) => `orchestrator uncordon ${quoted(server)}${values.reason ? ` --reason ${quoted(values.reason)}` : ""}`,
    button: "Uncordon", run: (values) => ask("POST", `${instance(server)}/uncordon`, given(values, ["reason"])), done: `${server} takes streams again.`,
  }),
  maintenance: (server) => ({
    title: html`Maintenance of ${id(server)}`, fields: [REASON, { name: "for", label: "For", value: "1h", small: true, required: true, hint: "30m, 2h, 1d", replan: true }],
    async plan(values) {
      if (!model.fleet) await readFleet().catch(() => {});
      const wanted = values.for || "1h";
      const plan = await ask("POST", `${instance(server)}/maintenance?dry_run=true`, { for: wanted });
      return {
        say: html`Dry run of ${clock(now())}: ${sayMoves(plan)} Then its silence is expected until <b>${clock(ms(plan.until))}</b>: no failure, no alert. It takes streams again when it registers.`,
        sections: planned(plan.moves, plan.would_not_fit), button: plan.streams ? `Drain ${plural(plan.streams, "stream")}, then maintenance` : "Begin maintenance",
      };
    },
    command: (values) => `orchestrator maintenance ${quoted(server)} --for ${quoted(values.for || "1h")} --reason ${quoted(values.reason)}`,
    button: "Begin maintenance", run: (values) => ask("POST", `${instance(server)}/maintenance`, given(values, ["reason", "for"])), done: `The maintenance of ${server} has begun.`,
  }),
  recover: (server) => ({
    title: html`Recover ${id(server)}`, fields: [],
    async plan() {
      const { data } = await get(instance(server));
      if (data.status === "maintenance") {
        const silent = (now() - ms(data.last_heartbeat)) / 1_000;
        const isLate = silent > model.figures.status.heartbeat_config.warning_threshold_seconds;
        return { say: html`Ends its maintenance. It was last heard <b>${span(silent)}</b> ago: it is ${isLate ? "not active before its next heartbeat, and counts as silent from now on" : "active at once and takes streams"}.`, button: "End the maintenance" };
      }
      if (!data.owned) return { say: html`It has failed and owns no stream: <b>there is nothing left to move.</b>` };
      const plan = await recovery(`${instance(server)}/failure`);
      return { say: html`Dry run of ${clock(now())}: tries the recovery now, without the pause before the next attempt. ${sayMoves(plan)} ${sayLease(plan)}`, sections: planned(plan.moves, plan.would_not_fit) };
    },
    command: () => `orchestrator recover ${quoted(server)}`, button: "Recover now", run: async () => { const done = await ask("POST", `/resilience/recovery/${part(server)}`, {}); return { ...done, said: done.message }; }, done: "Done.",
  }),
  report: (server) => ({
    title: html`Report ${id(server)} as failed`, fields: [], danger: true,
    async plan() {
      const plan = await recovery(`${instance(server)}/failure`);
      return { say: html`Dry run of ${clock(now())}: declares it failed now. ${sayMoves(plan)} ${sayLease(plan)}`, sections: planned(plan.moves, plan.would_not_fit), button: plan.streams ? `Report failed, move ${plural(plan.streams, "stream")}` : "Report failed" };
    },
    button: "Report failed", run: () => ask("POST", `${instance(server)}/failure`, {}), done: `${server} is reported as failed.`,
  }),
  emergency: (server) => ({
    title: html`Emergency: empty ${id(server)}`, danger: true, fields: [{ ...REASON, most: 1_000 }],
    async plan() {
      const plan = await recovery(`/resilience/emergency/${part(server)}`);
      return {
        say: html`Dry run of ${clock(now())}: ${sayMoves(plan)} All at once, although it may beat. It is in maintenance afterwards, until it registers again or is recovered. ${sayLease(plan)}`,
        sections: planned(plan.moves, plan.would_not_fit), button: `Take ${plural(plan.streams, "stream")}`,
      };
    },
    command: (values) => `orchestrator emergency ${quoted(server)} --reason ${quoted(values.reason)}`,
    button: "Empty it now", run: async (values) => { const done = await ask("POST", url(`/resilience/emergency/${part(server)}`, { reason: values.reason })); return { ...done, said: done.message }; }, done: `${server} is emptied.`,
  }),
  remove: (server) => ({
    title: html`Remove ${id(server)}`, danger: true, fields: [{ ...REASON, required: false }],
    async plan() {
      const plan = await ask("DELETE", `${instance(server)}?dry_run=true`);
      return { say: html`It is forgotten; a worker of this name registers anew. ${plan.waiting_until ? html`Its streams move when its lease is over, at <b>${clock(ms(plan.waiting_until))}</b>.` : html`<b>${plural(plan.streams_redistributed, "stream")}</b> move to ${plural(plan.instances_affected, "instance")}${plan.streams_orphaned ? html`, <b>${n(plan.streams_orphaned)} fit nowhere</b>` : ""}.`}` };
    },
    button: "Remove", run: (values) => ask("DELETE", url(instance(server), given(values, ["reason"]))), done: `${server} is removed.`,
  }),
  register: () => ({
    title: "Register a worker", fields: [], command: () => "",
    say: html`A worker registers itself. By hand, to try it: ${typed(`curl -s${curlKey()} ${location.origin}/register -H 'content-type: application/json' -d '{"server_id":"alpha","ip":"10.0.0.1","port":9000,"max_streams":10}'`)} Or the complete example: ${typed(`cargo run --release --example worker -- ${location.origin} alpha`)}`,
    button: "Understood", run: async () => ({ said: "The row appears when the worker registers." }),
  }),
  ...MORE({ REASON, given, quoted, planned, targets }),
};

/** Opens the plan of an action. */
export function act(name, subject, page) {
  const definition = ACTIONS[name]?.(subject, page);
  if (definition) open({ then: page.reload, ...definition });
}
