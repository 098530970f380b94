// What is in force, and where it is from.

import { get } from "./net.js";
import { head, quiet, table } from "./parts.js";
import { changed } from "./route.js";
import { flag, html, id, n, plural, state } from "./text.js";

export const load = () => get("/settings");

export function render({ query }, data) {
  const text = (query.q ?? "").toLowerCase();
  const isSet = (one) => one.origin !== "default" && !one.origin.startsWith("derived");
  const set = data.settings.filter(isSet).length;
  const rows = data.settings.filter((one) => (!query.set || isSet(one)) && (!text || one.name.toLowerCase().includes(text) || one.value.toLowerCase().includes(text)));
  const tab = (key, word, count) => html`<a href="${changed({ set: key })}"${flag('aria-current="true"', (query.set ?? "") === key)}>${word} <span class="dim">${n(count)}</span></a>`;
  return html`${head({ title: "Settings", say: html`<b>${n(set)} of ${n(data.settings.length)} are set;</b> the others have their defaults. Passwords are not shown. A setting with ${state("ok", "SIGHUP")} takes a new value without a restart.` })}
  <section class="sec" data-key="list"><header><div class="tabs" role="group" aria-label="Which">${tab("", "All", data.settings.length)}${tab("1", "Set", set)}</div><div class="tools"><label class="vh" for="q">Name or value contains</label><input id="q" class="find" type="search" data-keep data-filter="q" value="${query.q ?? ""}" placeholder="Name or value contains" maxlength="128" spellcheck="false"></div></header>
  ${rows.length ? table({ label: "Settings", heads: ["Setting", "Value", "From", "Applied by"], rows: rows.map((one) => html`<tr data-key="${one.name}"><td>${id(one.name)}</td><td class="wrap"><code><bdi>${one.value}</bdi></code></td><td class="${isSet(one) ? "" : "dim"}">${one.origin}</td><td>${one.reloadable ? state("ok", "SIGHUP") : html`<span class="dim">a restart</span>`}</td></tr>`), foot: html`<span>${plural(rows.length, "setting")}</span>` }) : quiet("No setting is like that.")}</section>`;
}
