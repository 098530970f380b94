// The form for a key. The key goes to the orchestrator once and stays in a cookie that no script can read.

import { ask } from "./net.js";
import { html, show } from "./text.js";

/** Asks for a key until one is accepted. */
export function askForKey(why) {
  const place = document.getElementById("gate");
  document.body.classList.add("gated");
  const draw = (error) => show(place, html`<form class="gate" autocomplete="on"><svg class="mark" aria-hidden="true"><use href="#mark"/></svg>
    <h1>A key is needed</h1><p class="say">${why || "This orchestrator answers only with a key."} An administrator makes one: <code>orchestrator keys create --role viewer --name NAME</code>.</p>
    <label for="key">Key</label><input id="key" name="key" type="password" placeholder="ork_…" autocomplete="current-password" spellcheck="false" maxlength="512" required>
    <p class="why" role="alert">${error ?? ""}</p><button class="btn main" type="submit">Open the console</button></form>`);
  draw();
  document.getElementById("key").focus();
  return new Promise((resolve) => {
    place.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await ask("POST", "/session", { key: document.getElementById("key").value.trim() }, { quiet: true });
        place.replaceChildren();
        document.body.classList.remove("gated");
        resolve();
      } catch (error) {
        draw(error.status === 401 ? "This key is not known, or is over." : error.message);
        document.getElementById("key").select();
      }
    };
  });
}
