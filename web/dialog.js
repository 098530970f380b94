// The dialog: a plan with its cost, a reason, and the command that does the same. Nothing acts before it has
// shown its plan.
//
//   planning ──▶ planned ──▶ acting ──▶ done (closed, or shows what is shown once)
//      │            ▲           │
//      └─▶ refused ─┴───────────┘

import { marked } from "./parts.js";
import { flag, html, show } from "./text.js";

let current = null;
let opener = null;
let box = null;

function values() {
  const all = {};
  for (const field of box.querySelectorAll("[data-field]")) all[field.dataset.field] = field.type === "checkbox" ? field.checked : field.value.trim();
  return all;
}

function fieldMarkup(field, error) {
  const name = `f-${field.name}`;
  const why = error ? html`<small class="why" id="${name}-why">${error}</small>` : field.hint ? html`<small id="${name}-why">${field.hint}</small>` : "";
  const said = why ? html` aria-describedby="${name}-why"` : "";
  const bad = flag('aria-invalid="true"', Boolean(error));
  if (field.type === "check") return html`<span class="l">${field.label}</span><label class="chk"><input type="checkbox" id="${name}" data-field="${field.name}"${flag("checked", field.value)}><span>${field.text}${why}</span></label>`;
  if (field.type === "choice") return html`<label for="${name}">${field.label}</label><div><select id="${name}" data-field="${field.name}"${said}${bad}>${field.choices.map(([value, word]) => html`<option value="${value}"${flag("selected", value === field.value)}>${word}</option>`)}</select>${why}</div>`;
  return html`<label for="${name}">${field.label}</label><div><input type="${field.type ?? "text"}" id="${name}" data-field="${field.name}" value="${field.value ?? ""}" maxlength="${field.most ?? 512}" placeholder="${field.placeholder ?? ""}" class="${field.small ? "w" : ""}" autocomplete="off" spellcheck="false"${flag("required", field.required)}${said}${bad}>${why}</div>`;
}

function draw() {
  const { definition: d, plan, error, phase, shownOnce } = current;
  const given = box.isConnected && box.querySelector("[data-field]") ? values() : Object.fromEntries((d.fields ?? []).map((field) => [field.name, field.value ?? ""]));
  const missing = (d.fields ?? []).filter((field) => field.required && !given[field.name]).map((field) => field.label.toLowerCase());
  const stop = phase === "planning" ? "The dry run is under way." : plan?.stop?.(given) || (missing.length ? `Needed: ${missing.join(", ")}.` : "");
  const known = (d.fields ?? []).map((field) => field.name);
  const misplaced = error && !(error.problem?.errors ?? []).some((one) => known.includes(one.field.split("[")[0]));
  show(box, html`<form method="dialog"><div class="in">
    <h2 id="dialog-t">${d.title}</h2>
    <div class="say" aria-live="polite">${shownOnce ?? (phase === "planning" ? "Dry run…" : plan?.say ?? d.say ?? "")}</div>
    ${shownOnce ? "" : html`${plan?.sections ?? ""}
    ${d.fields?.length && !plan?.isRefused ? html`<div class="form">${d.fields.filter((field) => field.when?.(plan) ?? true).map((field) => fieldMarkup(field, error?.field?.(field.name)))}</div>` : ""}
    ${error && misplaced ? html`<p class="why" role="alert">${marked(error.message)}</p>` : ""}`}</div>
    <footer><p class="cmd">${shownOnce ? "" : html`${d.command ? html`<code>${d.command(given)}</code>` : ""}${stop && phase !== "acting" ? html`<span class="why">${stop}</span>` : ""}`}</p>
    <button class="btn" type="button" data-do="close">${shownOnce ? "Close" : "Cancel"}</button>${shownOnce || plan?.isRefused ? "" : html`<button class="btn main${d.danger ? " danger" : ""}" type="button" data-do="go"${flag("disabled", Boolean(stop) || phase !== "planned")}>${phase === "acting" ? "Under way…" : plan?.button ?? d.button}</button>`}</footer></form>`);
}

async function makePlan() {
  const mine = current;
  if (!mine.definition.plan) { mine.phase = "planned"; draw(); return; }
  mine.phase = "planning";
  draw();
  try {
    mine.plan = await mine.definition.plan(values());
    mine.phase = "planned";
  } catch (error) {
    mine.plan = { say: html`<span class="why" role="alert">${marked(error.message)}</span>`, isRefused: true };
    mine.phase = "refused";
  }
  if (mine === current) draw();
}

async function go() {
  const mine = current;
  mine.phase = "acting";
  mine.error = null;
  const given = values();
  draw();
  try {
    const done = await mine.definition.run(given, mine.plan);
    if (mine !== current) {
      announce(done?.shownOnce ? "It was made, but its secret was not shown: revoke it, and make another." : done?.said ?? mine.definition.done ?? "Done.");
      return;
    }
    if (done?.shownOnce) {
      mine.shownOnce = done.shownOnce;
      draw();
    } else box.close();
    announce(done?.said ?? mine.definition.done ?? "Done.");
    mine.definition.then?.(done);
  } catch (error) {
    if (mine !== current) return;
    mine.error = error;
    mine.phase = "planned";
    draw();
  }
}

/** Says something to a screen reader, and in a line at the foot. */
export function announce(text) {
  const line = document.getElementById("said");
  line.textContent = text;
  line.hidden = false;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => { line.hidden = true; }, 8_000);
}

/** Opens a dialog. `definition`: title, fields, plan, run, button, command. */
export function open(definition) {
  box = document.getElementById("dialog");
  opener = document.activeElement;
  box.replaceChildren();
  current = { definition, plan: null, error: null, phase: "planned", shownOnce: null };
  draw();
  box.showModal();
  (box.querySelector("[data-field]") ?? box.querySelector("button"))?.focus();
  makePlan();
}

export function setUp() {
  box = document.getElementById("dialog");
  box.addEventListener("click", (event) => {
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (what === "close") box.close();
    if (what === "go") go();
  });
  box.addEventListener("input", () => { if (current) draw(); });
  box.addEventListener("change", (event) => {
    const field = current?.definition.fields?.find((one) => one.name === event.target.dataset.field);
    if (field?.replan) makePlan();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input:not([type=checkbox])")) { event.preventDefault(); box.querySelector('[data-do="go"]:not([disabled])')?.click(); }
  });
  box.addEventListener("close", () => {
    // The event comes later: another plan may be open already.
    if (box.open) return;
    current = null;
    // What was shown once is there no longer.
    box.replaceChildren();
    if (opener?.isConnected) opener.focus();
  });
}
