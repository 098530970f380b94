// The keyboard: find anything, go anywhere, choose rows.

import { model, readFleet } from "./model.js";
import { find as ask, get, url } from "./net.js";
import { incidentLink, instanceLink, streamLink } from "./route.js";
import { html, id, n, show, state } from "./text.js";
import { instanceWord, streamWord } from "./words.js";

const MAP = [
  ["/", "find an instance, a stream or an incident"], ["g o", "overview"], ["g i", "instances"], ["g s", "streams"], ["g n", "incidents"], ["g a", "alerts"],
  ["g e", "events"], ["g w", "drains and rolls"], ["g c", "orchestrators"], ["j k", "next and previous row"], ["Enter", "open the row or the cell"],
  ["c d m", "cordon, drain, maintenance: opens the dry run"], ["← → ↑ ↓", "choose in the map and in the charts"], ["Esc", "close, or back"], ["?", "this map"],
];

export function showKeys() {
  const box = document.getElementById("keymap");
  show(box, html`<form method="dialog"><div class="in"><h2 id="keymap-t">Keyboard map</h2><dl>${MAP.map(([keys, what]) => html`<dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd>`)}</dl></div><footer><span class="cmd"></span><button class="btn" value="close">Close</button></footer></form>`);
  box.showModal();
}

// ---------------------------------------------------------------- rows

/** Chooses the next or the previous row of the first table. */
export function moveRow(step) {
  const rows = [...document.querySelectorAll("main tbody tr[data-href]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => "ownOn" in row.dataset);
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
  if (rows[at]) delete rows[at].dataset.ownOn;
  next.dataset.ownOn = "";
  (next.querySelector("a") ?? next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

export function openRow() {
  const row = document.querySelector("main tr[data-own-on]");
  if (row) location.hash = row.dataset.href;
}

// ---------------------------------------------------------------- search

let serial = 0;
let found = [];
let chosen = 0;

async function search(text) {
  const mine = ++serial;
  const wanted = text.trim().toLowerCase();
  if (!wanted) { found = []; return; }
  const number = /^\d+$/.test(wanted) ? wanted : null;
  const [streams, one, incident] = await Promise.all([
    get(url("/streams", { name: text.trim(), limit: 6 })).catch(() => ({ streams: [] })),
    number ? ask(`/streams/${number}`).catch(() => null) : null,
    number ? ask(`/resilience/incidents/${number}`).catch(() => null) : null,
    model.fleet ? null : readFleet().catch(() => null),
  ]);
  if (mine !== serial) return;
  const instances = [...(model.fleet?.values() ?? [])].filter((row) => row.id.toLowerCase().includes(wanted)).slice(0, 8);
  found = [
    ...instances.map((row) => ({ href: instanceLink(row.id), kind: "instance", what: html`${state(...instanceWord(row))} ${id(row.id)}` })),
    ...(one ? [{ href: streamLink(one.data.id), kind: "stream", what: html`${state(...streamWord(one.data))} ${n(one.data.id)} ${id(one.data.name)}` }] : []),
    ...streams.streams.map((stream) => ({ href: streamLink(stream.id), kind: "stream", what: html`${state(...streamWord(stream))} ${n(stream.id)} ${id(stream.name)}` })),
    ...(incident ? [{ href: incidentLink(incident.data.id), kind: "incident", what: html`${state("note", n(incident.data.id))} ${id(incident.data.server_id)}` }] : []),
  ];
  chosen = 0;
}

function drawFound(box) {
  const text = box.querySelector("input").value;
  show(box.querySelector("#found"), html`${found.map((one, i) => html`<li role="option" id="found-${i}" aria-selected="${String(i === chosen)}"><a href="${one.href}" tabindex="-1"><span class="what">${one.what}</span><span class="dim">${one.kind}</span></a></li>`)}${!found.length && text.trim() ? html`<li class="quiet">Nothing has this in its name.</li>` : ""}`);
  box.querySelector("input").setAttribute("aria-activedescendant", found.length ? `found-${chosen}` : "");
}

/** Opens the search. */
export function find() {
  const box = document.getElementById("finder");
  found = [];
  show(box, html`<div class="in"><h2 class="vh" id="finder-t">Find anything</h2><input type="text" role="combobox" aria-expanded="true" aria-controls="found" aria-labelledby="finder-t" placeholder="Name of an instance or a stream, number of a stream or an incident" maxlength="256" autocomplete="off" spellcheck="false"><ul id="found" role="listbox" aria-labelledby="finder-t"></ul></div>`);
  const input = box.querySelector("input");
  input.value = "";
  let timer = null;
  input.oninput = () => { clearTimeout(timer); timer = setTimeout(async () => { await search(input.value); drawFound(box); }, 150); };
  input.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) { event.preventDefault(); chosen = (chosen + step + found.length) % found.length; drawFound(box); }
    if (event.key === "Enter" && found[chosen]) { event.preventDefault(); box.close(); location.hash = found[chosen].href; }
  };
  box.onclick = (event) => { if (event.target.closest("a") || event.target === box) box.close(); };
  box.showModal();
  input.focus();
}
