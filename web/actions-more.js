// What can be done with streams, alerts, rolls, the brake, breakers, webhooks and keys.

import { curlKey, model, now, readFleet } from "./model.js";
import { ask, get, seg as part, url } from "./net.js";
import { typed } from "./parts.js";
import { clock, html, id, ms, n, plural } from "./text.js";
import { alertWord } from "./words.js";

/** Returns the actions; what they share with those of instances is given. */
export const MORE = ({ REASON, given, quoted, planned, targets }) => {
  const optional = { ...REASON, required: false };
  const curl = (path, body) => `curl -X POST${curlKey()} ${location.origin}${path} -d ${quoted(JSON.stringify(body))}`;

  const saveStream = (stream, change, title, say, button, done) => ({
    title, fields: change.fields ?? [],
    async plan(values) {
      const { data } = await get(`/streams/${stream}`);
      const tried = await ask("POST", "/streams?dry_run=true", { streams: [{ id: Number(stream), ...change.of(values) }] });
      return { say: html`${say(data)} ${tried.unchanged ? html`<b>It is so already.</b>` : ""}` };
    },
    button, run: (values) => ask("POST", "/streams", { streams: [{ id: Number(stream), ...change.of(values) }] }), done,
  });

  return {
    move: (stream, { data }) => ({
      title: html`Move stream ${n(Number(stream))} <span class="id"><bdi>${data.it.name}</bdi></span>`,
      fields: [{ name: "to", label: "To", type: "choice", value: "", choices: [["", `the best place${data.explain.now?.best ? `: ${data.explain.now.best}` : ""}`], ...(data.explain.now?.candidates ?? []).filter((one) => !one.chosen && !one.excluded_by).map((one) => [one.server_id, one.server_id])], replan: true }],
      async plan(values) {
        const tried = await ask("POST", "/streams/move?dry_run=true", { moves: [{ stream_id: Number(stream), ...given(values, ["to"]) }] });
        const { data: it } = await get(`/streams/${stream}`);
        const { to, state } = tried.moves[0];
        if (state === "unchanged") return { say: html`Dry run of ${clock(now())}: it is on ${id(to)} already, and stays there.` };
        return { say: html`Dry run of ${clock(now())}. From ${id(it.server_id)} to ${id(to)}, with a new epoch. ${it.handoff === "overlap" ? "It runs on both for a moment: the new owner starts first." : html`Its owner stops it first: <b>it pauses for about a second</b>, if the owner is leased. A classic owner hears of it later.`} It does not come back by itself.` };
      },
      command: (values) => curl("/streams/move", { moves: [{ stream_id: Number(stream), ...given(values, ["to"]) }] }),
      button: "Move", run: (values) => ask("POST", "/streams/move", { moves: [{ stream_id: Number(stream), ...given(values, ["to"]) }] }), done: "The move has begun.",
    }),
    pin: (stream, { data }) => (data.it.pinned
      ? saveStream(stream, { of: () => ({ pinned: "" }) }, html`Unpin stream ${n(Number(stream))}`, () => html`It may run anywhere again. It does not move for that.`, "Unpin", "The stream is unpinned.")
      : saveStream(stream, { fields: [{ name: "pinned", label: "To", value: data.it.server_id ?? "", most: 128, required: true, replan: true }], of: (values) => ({ pinned: values.pinned || data.it.server_id || "" }) }, html`Pin stream ${n(Number(stream))}`, (it) => html`Balance leaves it there; a recovery may move it, and it goes back when that instance is active again. It is on ${it.server_id ? id(it.server_id) : "no instance"} now.`, "Pin", "The stream is pinned.")),
    disable: (stream) => saveStream(stream, { of: () => ({ enabled: false }) }, html`Disable stream ${n(Number(stream))}`, (it) => html`It stops${it.server_id ? html` on ${id(it.server_id)}` : ""} and <b>runs nowhere</b> until it is enabled again. It stays in the catalogue.`, "Disable", "The stream is disabled."),
    enable: (stream) => saveStream(stream, { of: () => ({ enabled: true }) }, html`Enable stream ${n(Number(stream))}`, () => html`It is to run again: it is given to an instance with room, or waits for a worker that asks.`, "Enable", "The stream is enabled."),
    "release-quarantine": (stream) => ({
      title: html`Release stream ${n(Number(stream))} from quarantine`, fields: [optional],
      async plan() {
        const plan = await ask("POST", `/streams/${stream}/release-quarantine?dry_run=true`, {});
        return { say: html`The failures of its owners are forgotten. It ${plan.server_id ? html`goes to ${id(plan.server_id)} <b>at once</b>` : html`<b>${plan.state === "assigned" ? "stays where it is" : "waits for room"}</b>`}. If it ends its next owner too, it is quarantined again.` };
      },
      button: "Release", run: (values) => ask("POST", `/streams/${stream}/release-quarantine`, given(values, ["reason"])), done: "The stream is released.",
    }),
    rebalance: () => ({
      title: "Balance the fleet", fields: [],
      async plan() {
        if (!model.fleet) await readFleet().catch(() => {});
        const plan = await ask("POST", "/rebalance/smart?dry_run=true");
        return { say: plan.moves.length ? html`Dry run of ${clock(now())}: moves <b>${plural(plan.moves.length, "stream")} to ${plural(targets(plan.moves).length, "instance")}</b>, a few at a time.` : html`<b>${plan.message ?? "Nothing to do."}</b>`, sections: planned(plan.moves, []), button: plan.moves.length ? `Move ${plural(plan.moves.length, "stream")}` : "Balance" };
      },
      command: () => "orchestrator rebalance", button: "Balance", run: async () => { const done = await ask("POST", "/rebalance/smart"); return { ...done, said: done.message ?? `${plural(done.streams_moved, "move")} begun.` }; },
    }),

    // ------------------------------------------------------------ alerts
    acknowledge: (alert, { data }) => {
      const one = data?.alerts?.find((entry) => String(entry.id) === alert);
      return { title: "Acknowledge an alert", say: html`${one ? html`<bdi>${one.detail}</bdi> ` : ""}It stays open and is not sent again until it becomes more urgent.`, fields: [{ name: "note", label: "Note", placeholder: "Who looks at it", most: 512 }], button: "Acknowledge", run: (values) => ask("POST", `/resilience/alerts/${alert}/acknowledge`, given(values, ["note"])), done: "The alert is acknowledged." };
    },
    silence: (subject) => {
      const [kind, server] = subject.split("|");
      return {
        title: "Silence alerts", fields: [{ name: "kind", label: "Kind", value: kind, small: false, most: 64, replan: true, hint: "such as instance_failed" }, { name: "instance", label: "Instance", value: server, most: 128, replan: true }, { name: "label", label: "Label", placeholder: "zone=a", most: 300, replan: true }, { name: "for", label: "For", value: "2h", small: true, required: true }, REASON],
        async plan(values) {
          const { kind: k = kind, instance: i = server, label: l = "" } = values;
          const list = (await get("/resilience/alerts?open=true&limit=1000")).alerts;
          const hit = list.filter((one) => (!k || one.kind === k) && (!i || one.instances.includes(i) || one.subject === i));
          return { say: html`<b>${hit.length ? plural(hit.length, "open alert") : "No open alert"}</b> ${hit.length === 1 ? "is" : "are"} like that now${l ? ", as far as kind and instance go" : ""}${hit.length ? html`: ${[...new Set(hit.slice(0, 6).map((one) => `${alertWord(one.kind)[1]} (${one.subject})`))].join(", ")}` : ""}. Those that open later are silenced too. They are shown, and sent nowhere.`, stop: (v) => (v.kind || v.instance || v.label ? "" : "Needed: a kind, an instance or a label.") };
        },
        button: "Silence",
        run: (values) => {
          const [name, value] = (values.label ?? "").split(/[=:](.*)/s);
          const matchers = [values.kind && { name: "kind", value: values.kind }, values.instance && { name: "instance", value: values.instance }, name && { name: `label:${name}`, value: value ?? "" }].filter(Boolean);
          return ask("POST", "/resilience/silences", { matchers, for: values.for, reason: values.reason });
        },
        done: "The silence is in force.",
      };
    },
    "end-silence": (silence) => ({ title: "End a silence", say: "Its alerts are sent again, from now on.", fields: [], button: "End it", run: () => ask("DELETE", `/resilience/silences/${silence}`), done: "The silence is over." }),
    "brake-release": () => ({
      title: "Release the brake", danger: true, fields: [{ ...REASON, most: 1_000 }],
      async plan() {
        const brake = await get("/resilience/brake");
        return { say: html`${brake.why ?? "No mass failure is held."} <b>${plural(brake.waiting || brake.mass_size, "instance")}</b> ${(brake.waiting || brake.mass_size) === 1 ? "is" : "are"} recovered at once: their streams move to instances with room. If the instances live and only the network is out, prolong instead.` };
      },
      command: (values) => curl("/resilience/brake", { action: "release", reason: values.reason }), button: "Release", run: (values) => ask("POST", "/resilience/brake", { action: "release", reason: values.reason }), done: "The brake is released.",
    }),
    "brake-prolong": () => ({
      title: "Prolong the hold", fields: [{ name: "duration", label: "Longer by", value: "10m", small: true, required: true }, { ...REASON, most: 1_000 }],
      async plan() {
        const brake = await get("/resilience/brake");
        return { say: html`${brake.why ?? "No mass failure is held."} Nothing moves for longer: now until <b>${clock(ms(brake.until))}</b>. ${brake.promise.text}` };
      },
      command: (values) => curl("/resilience/brake", { action: "prolong", duration: values.duration, reason: values.reason }), button: "Prolong", run: (values) => ask("POST", "/resilience/brake", { action: "prolong", duration: values.duration, reason: values.reason }), done: "The hold is prolonged.",
    }),

    // ------------------------------------------------------------ rolls
    roll: () => {
      const body = (values) => ({ ...given(values, ["label", "wait", "reason", "deadline"]), max_unavailable: Number(values.max_unavailable) || 1 });
      return {
        title: "Roll the fleet", fields: [{ name: "label", label: "Instances with", placeholder: "zone:a, or empty for all", most: 300, replan: true }, { name: "max_unavailable", label: "At a time", value: "1", small: true, required: true, replan: true }, { name: "wait", label: "Wait until each", type: "choice", value: "healthy", choices: [["healthy", "is back and healthy"], ["drained", "has drained"]] }, { name: "deadline", label: "Each at most", value: "1h", small: true }, REASON],
        async plan(values) {
          const plan = await ask("POST", "/rolls?dry_run=true", body({ max_unavailable: "1", wait: "healthy", ...values }));
          return { say: html`Drains <b>${plural(plan.instances.length, "instance")}</b>, ${n(plan.max_unavailable)} at a time. It pauses by itself when the health of the system becomes worse.`, sections: html`<h3>In this order <span>${plural(plan.instances.length, "instance")}</span></h3><div class="scroll" tabindex="0" role="region" aria-label="Order of the roll"><p class="unfit">${plan.instances.slice(0, 300).map((one) => html`${id(one.server_id)} `)}</p></div>`, button: `Roll ${plural(plan.instances.length, "instance")}` };
        },
        button: "Begin", run: (values) => ask("POST", "/rolls", body(values)), done: "The roll has begun.",
      };
    },
    "roll-pause": (roll) => ({ title: html`Pause roll ${n(Number(roll))}`, say: "It begins nothing more. Drains under way go on.", fields: [optional], button: "Pause", run: (values) => ask("POST", `/rolls/${roll}/pause`, given(values, ["reason"])), done: "The roll is paused." }),
    "roll-resume": (roll) => ({ title: html`Resume roll ${n(Number(roll))}`, fields: [optional], async plan() { const plan = await ask("POST", `/rolls/${roll}/resume?dry_run=true`, {}); return { say: html`It goes on with <b>${plural(plan.instances.filter((one) => ["waiting", "draining"].includes(one.state)).length, "instance")}</b>.` }; }, button: "Resume", run: (values) => ask("POST", `/rolls/${roll}/resume`, given(values, ["reason"])), done: "The roll goes on." }),
    "roll-cancel": (roll) => ({ title: html`Cancel roll ${n(Number(roll))}`, say: "It ends, and so do the drains that it has under way. What has moved stays where it is.", fields: [optional], button: "Cancel the roll", run: (values) => ask("POST", `/rolls/${roll}/cancel`, given(values, ["reason"])), done: "The roll is cancelled." }),

    // ------------------------------------------------------------ the process
    breaker: (name) => ({
      title: html`Force breaker ${id(name)}`, danger: true, fields: [{ name: "force", label: "Force it", type: "choice", value: "none", choices: [["none", "not: it decides by itself"], ["open", "open: keep away from the database"], ["closed", "closed: let every call through"]] }, { ...REASON, most: 1_000 }],
      say: html`Open: nothing is saved, changes are refused with 503, heartbeats go on from memory. Closed: a database that does not answer holds callers up. A forced breaker is an alert until it decides by itself again.`,
      button: "Force", run: (values) => ask("POST", `/resilience/breakers/${part(name)}`, { force: values.force, reason: values.reason }), done: "Done.",
    }),
    "step-down": (node) => ({ title: html`Have ${id(node)} step down`, danger: true, fields: [{ ...REASON, most: 1_000 }, { name: "to", label: "To", most: 128, placeholder: "the standby that is ready" }], say: "It saves what is under way, hands its term over, and goes on as a standby. Workers notice nothing, and no stream moves. This page says where the next leader is.", button: "Step down", run: async (values) => { const done = await ask("POST", "/cluster/step-down", given(values, ["reason", "to"])); return { ...done, said: done.message }; } }),
    "forget-member": (node) => ({ title: html`Forget ${id(node)}`, say: "It is away. If it comes back, it is a member again.", fields: [], button: "Forget", run: () => ask("DELETE", `/cluster/members/${part(node)}`), done: "The member is forgotten." }),
    "take-over": (node) => ({ title: html`Have ${id(node)} take over`, danger: true, fields: [{ ...REASON, most: 1_000 }], say: "It becomes the leader as soon as the rules of leadership allow it; the present leader becomes a standby. No stream moves.", button: "Take over", run: (values) => ask("POST", url("/cluster/take-over", { reason: values.reason })), done: "The take-over is ordered." }),

    // ------------------------------------------------------------ webhooks and keys
    webhook: (name, { data }) => {
      const one = data.webhooks.find((entry) => entry.name === name);
      return {
        title: one ? html`Change webhook <bdi>${name}</bdi>` : "New webhook",
        say: html`Messages are signed. ${one ? "What is left as it is stays." : "The secret is shown once, after this."}`,
        fields: [...(one ? [] : [{ name: "name", label: "Name", most: 64, required: true }]), { name: "url", label: "Address", value: one?.url ?? "", placeholder: "https://…", most: 2_048, required: true }, { name: "format", label: "Format", type: "choice", value: one?.format ?? "generic", choices: [["generic", "generic"], ["slack", "slack"], ["alertmanager", "alertmanager"]] }, { name: "types", label: "Types", value: (one?.types ?? ["alert.*", "event.instance_*"]).join(", "), most: 512 }, { name: "min_severity", label: "From", type: "choice", value: one?.min_severity ?? "", choices: [["", "any severity"], ["warning", "warning"], ["critical", "critical"]] }, { name: "enabled", label: "Send", type: "check", value: one?.enabled ?? true, text: "Messages are sent." }],
        button: one ? "Save" : "Create",
        async run(values) {
          const body = { format: values.format, enabled: values.enabled, types: values.types.split(",").map((text) => text.trim()).filter(Boolean), ...given(values, ["min_severity"]) };
          if (values.url !== one?.url) body.url = values.url;
          const done = await ask("PUT", `/webhooks/${part(name || values.name)}`, body);
          return { ...done, said: "The webhook is saved.", shownOnce: done.secret ? html`The secret of <b><bdi>${done.name}</bdi></b>. It is shown once: copy it to the receiver now.${typed(done.secret)}` : null };
        },
      };
    },
    "webhook-test": (name) => ({ title: html`Send a test to <bdi>${name}</bdi>`, say: "One message, now, and no second try.", fields: [], button: "Send", run: async () => { const done = await ask("POST", `/webhooks/${part(name)}/test`, {}); return { said: `The test ${done.state}.`, shownOnce: html`<b>${done.state === "delivered" ? "The receiver accepted it" : "It was not accepted"}</b>${done.last_status ? ` (HTTP ${done.last_status})` : ""}. <bdi>${done.last_answer ?? ""}</bdi>` }; } }),
    "webhook-delete": (name) => ({ title: html`Delete webhook <bdi>${name}</bdi>`, danger: true, say: "Nothing is sent there any more; messages on their way are dropped.", fields: [], button: "Delete", run: () => ask("DELETE", `/webhooks/${part(name)}`), done: "The webhook is deleted." }),
    "key-create": () => ({
      title: "New key", say: "It is shown once, after this.",
      fields: [{ name: "name", label: "Name", most: 128, required: true, placeholder: "Who uses it" }, { name: "role", label: "Role", type: "choice", value: "viewer", choices: [["viewer", "viewer: sees the fleet, changes nothing"], ["operator", "operator: acts on the fleet"], ["admin", "admin: also keys, webhooks, the log, and who leads"], ["worker", "worker: the calls of a worker"]] }, { name: "server_ids", label: "For workers", placeholder: "edge-*, for the role worker", most: 512 }, { name: "expires", label: "Until", placeholder: "never", hint: "30d, or a moment", small: true }],
      button: "Make the key",
      async run(values) {
        const body = { name: values.name, role: values.role, ...given(values, ["expires"]) };
        if (values.server_ids) body.server_ids = values.server_ids.split(",").map((text) => text.trim()).filter(Boolean);
        const done = await ask("POST", "/keys", body);
        return { said: "The key is made.", shownOnce: html`The key of <b><bdi>${values.name}</bdi></b>, ${values.role}. It is shown once: copy it now.${typed(done.key)}` };
      },
    }),
    "key-revoke": (subject) => {
      const [key, ...name] = subject.split("|");
      return { title: html`Revoke the key of <bdi>${name.join("|")}</bdi>`, danger: true, say: "It is refused from now on, also where it is in use.", fields: [], button: "Revoke", run: () => ask("DELETE", `/keys/${part(key)}`), done: "The key is revoked." };
    },
  };
};
