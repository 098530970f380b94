// Receivers that are notified, and their deliveries.

import { now } from "./model.js";
import { find, get, seg as part, url } from "./net.js";
import { action, at, head, NONE, quiet, section, table } from "./parts.js";
import { changed } from "./route.js";
import { flag, html, id, ms, n, plural, span, state } from "./text.js";

export async function load({ query }) {
  const list = await get("/webhooks");
  const deliveries = query.of ? await find(url(`/webhooks/${part(query.of)}/deliveries`, { limit: 50, state: query.state })) : null;
  return { webhooks: list.webhooks, deliveries: deliveries?.deliveries ?? null };
}
export const concerns = () => true;
export const follows = (figures) => String(figures.alerts.webhook_failing ?? 0);

function word(one) {
  if (one.gone) return ["inactive", "stopped by 410"];
  if (!one.enabled) return ["inactive", "off"];
  if (one.breaker !== "closed") return ["failed", "failing"];
  return one.waiting ? ["moving", "delivering"] : ["active", "delivers"];
}

const row = (one) => html`<tr data-key="${one.name}"><td>${state(...word(one))}</td><td>${id(one.name, changed({ of: one.name, state: "" }))}</td><td class="wrap"><span class="id"><bdi>${one.url}</bdi></span></td><td>${one.format}</td><td class="dim">${one.types.join(", ")}${one.min_severity ? `, from ${one.min_severity}` : ""}</td><td class="num${one.waiting ? "" : " dim"}">${n(one.waiting)}</td><td class="num${one.given_up ? "" : " dim"}">${n(one.given_up)}</td><td class="dim">${at(one.last_success_at)}</td><td class="num acts1">${action("Test…", "webhook-test", one.name, { role: "admin", small: true })} ${one.source === "api" ? html`${action("Change…", "webhook", one.name, { role: "admin", small: true })} ${action("Delete…", "webhook-delete", one.name, { role: "admin", small: true })}` : html`<span class="dim">from the file</span>`}</td></tr>`;

const DELIVERY = { delivered: ["ok", "delivered"], pending: ["waiting", "under way"], failed: ["failed", "given up"] };

export function render({ query }, data) {
  const bad = data.webhooks.filter((one) => one.enabled && (one.breaker !== "closed" || one.gone));
  const chosen = data.webhooks.find((one) => one.name === query.of);
  const tab = (key, text) => html`<a href="${changed({ state: key })}"${flag('aria-current="true"', (query.state ?? "") === key)}>${text}</a>`;
  return html`${head({ title: "Webhooks", say: html`<b>${data.webhooks.length ? bad.length ? `${plural(bad.length, "receiver")} ${bad.length === 1 ? "does" : "do"} not accept messages.` : `${plural(data.webhooks.length, "receiver")}, all well.` : "No receiver outside is notified."}</b> ${bad[0]?.last_failure ? html`<bdi>${bad[0].name}</bdi>: ${bad[0].last_failure.reason}, ${span((now() - ms(bad[0].last_failure.at)) / 1_000)} ago.` : ""}`, acts: action("New webhook…", "webhook", "", { role: "admin" }) })}
  ${section({ key: "list", title: "Receivers", body: data.webhooks.length ? table({ label: "Webhooks", heads: ["State", "Name", "Address", "Format", "Types", { text: "Waiting", cls: "num" }, { text: "Given up", cls: "num" }, "Last delivered", { text: "", cls: "num" }], rows: data.webhooks.map(row) }) : quiet("None. A webhook has alerts and events sent to another program, signed.") })}
  ${chosen && data.deliveries ? section({ key: "deliveries", title: html`Deliveries to <bdi>${chosen.name}</bdi>`, tools: html`<div class="tabs">${tab("", "All")}${tab("pending", "Under way")}${tab("failed", "Given up")}${tab("delivered", "Delivered")}</div>`, body: data.deliveries.length ? table({ label: "Deliveries", heads: ["State", "Type", "Made", { text: "Tries", cls: "num" }, "Last answer", "Message"], rows: data.deliveries.map((one) => html`<tr data-key="${one.id}"><td>${state(...(DELIVERY[one.state] ?? ["note", one.state]))}</td><td>${one.type}</td><td class="dim">${at(one.created_at)}</td><td class="num">${n(one.attempts)}</td><td class="wrap"><bdi>${one.last_status ?? ""} ${one.last_answer ?? ""}</bdi></td><td class="dim">${one.id ? id(one.id) : NONE}</td></tr>`) }) : quiet("None.") }) : ""}`;
}
