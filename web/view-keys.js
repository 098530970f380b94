// Keys: who may do what.

import { model, now } from "./model.js";
import { get } from "./net.js";
import { action, at, head, quiet, section, table } from "./parts.js";
import { html, id, ms, n, plural, state } from "./text.js";

export const load = () => get("/keys?limit=1000");

const isOver = (key) => Boolean(key.revoked_at) || (key.expires_at ? ms(key.expires_at) <= now() : false);

const row = (key) => html`<tr data-key="${key.id}"><td>${isOver(key) ? state("inactive", key.revoked_at ? "revoked" : "over") : state("active", "valid")}</td><td class="num">${id(String(key.id))}</td><td><bdi>${key.name}</bdi></td><td>${key.role}</td><td class="dim"><bdi>${(key.server_ids ?? []).join(", ") || "–"}</bdi></td><td class="dim">${at(key.created_at)}</td><td class="dim">${key.expires_at ? at(key.expires_at) : "never"}</td><td class="dim">${at(key.last_used_at)}</td><td class="num">${isOver(key) ? "" : action("Revoke…", "key-revoke", `${key.id}|${key.name}`, { role: "admin", small: true })}</td></tr>`;

export function render(_address, data) {
  const valid = data.keys.filter((key) => !isOver(key)).length;
  return html`${head({ title: "Keys", say: html`<b>${plural(valid, "valid key")}.</b> ${model.me.auth === "off" ? "They are not asked for: authentication is off." : html`This one is <bdi>${model.me.name}</bdi>, ${model.me.role}.`}`, acts: action("New key…", "key-create", "", { role: "admin" }) })}
  ${section({ key: "list", title: "Keys", note: "a key is shown once, when it is made", body: data.keys.length ? table({ label: "Keys", heads: ["State", { text: "Key", cls: "num" }, "Name", "Role", "For workers", "Made", "Until", "Last used", { text: "", cls: "num" }], rows: data.keys.map(row), foot: html`<span>${data.next ? "The first " : ""}${n(data.keys.length)}${data.next ? "" : " in all"}</span>` }) : quiet("None.") })}`;
}
