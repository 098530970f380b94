// The event stream: the one connection by which the page lives.
//
//             first frame              frames
//   opening ──────────────▶ live ──────────────▶ live
//      │                      │ end, error, or nothing for SILENT_FOR
//      │ no frame in time     ▼
//      ├────────────▶ held   lost ── after a pause ──▶ opening
//      └── error ────────────▲
//
// `held`: the answer came, or other requests are answered, and no frame does: something between keeps the
// stream back. The stream is read with `fetch`, because `EventSource` shows neither a status nor the
// comments by which a quiet stream says that it lives.

/** A quiet stream has a comment every 15 s. */
const SILENT_FOR = 40_000;
/** The first frame comes at once. */
const FIRST_FRAME = 4_000;
const PAUSES = [500, 1_000, 2_000, 4_000];

export class Live {
  #after = null;
  #failures = 0;
  #abort = null;
  #timer = null;
  #beats = null;
  #stopped = true;

  constructor({ onFrame, onPhase }) {
    this.onFrame = onFrame;
    this.onPhase = onPhase;
    this.phase = "opening";
    this.since = Date.now();
    this.heardAt = performance.now();
  }

  start() {
    this.#stopped = false;
    this.#open();
  }

  /** Ends the stream until it is started again. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  get isStopped() { return this.#stopped; }

  /** Tries now, without the pause. */
  retry() {
    this.#stopped = false;
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#open();
  }

  /** Has the heartbeats of one instance reported too; `null` for none. */
  follow(instance) {
    if (this.#beats === instance) return;
    this.#beats = instance;
    if (!this.#stopped && this.phase !== "lost") this.#open();
  }

  #enter(phase, why) {
    if (this.phase !== phase) this.since = Date.now();
    this.phase = phase;
    this.onPhase(phase, why);
  }

  async #open() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    const abort = this.#abort = new AbortController();
    const query = new URLSearchParams({ figures: "true" });
    if (this.#beats !== null) query.set("beats", this.#beats);
    if (this.#after !== null) query.set("after", this.#after);
    let hasFrame = false;
    const watch = setTimeout(() => { if (!hasFrame) this.#isHeld(abort); }, FIRST_FRAME);
    const quiet = setInterval(() => { if (hasFrame && performance.now() - this.heardAt > SILENT_FOR) abort.abort(); }, 5_000);
    let why = "the connection was closed";
    try {
      const answer = await fetch(`/resilience/events/stream?${query}`, { signal: abort.signal, headers: { accept: "text/event-stream" }, credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        // The numbers of another database: begin with what comes.
        if (answer.status === 422) this.#after = null;
        throw Object.assign(new Error(problem.detail ?? `HTTP ${answer.status}`), { status: answer.status });
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        this.heardAt = performance.now();
        rest += value;
        const frames = rest.split("\n\n");
        rest = frames.pop();
        if (frames.length && !hasFrame) {
          hasFrame = true;
          this.#failures = 0;
          this.#enter("live");
        }
        for (const frame of frames) this.#take(frame);
      }
    } catch (error) {
      if (abort !== this.#abort || this.#stopped) return;
      why = error.name === "AbortError" ? "nothing came for 40 s" : error.status ? error.message : "the orchestrator does not answer";
      if (error.status === 401) { this.stop(); this.onPhase("refused"); return; }
    } finally {
      clearTimeout(watch);
      clearInterval(quiet);
    }
    if (abort !== this.#abort || this.#stopped) return;
    if (this.phase !== "held") this.#enter("lost", why);
    const pause = PAUSES[Math.min(this.#failures++, PAUSES.length - 1)];
    this.#timer = setTimeout(() => this.#open(), pause);
  }

  /** No frame came. Whether another request is answered says what holds it. */
  async #isHeld(abort) {
    try {
      await fetch("/livez", { signal: AbortSignal.timeout(2_000), cache: "no-store" });
      if (abort === this.#abort && !this.#stopped) this.#enter("held");
    } catch { /* then it is lost, and says so by itself */ }
  }

  #take(text) {
    let kind = "message";
    const data = [];
    for (const line of text.split("\n")) {
      if (line.startsWith("id:")) this.#after = line.slice(3).trim();
      else if (line.startsWith("event:")) kind = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
    }
    if (data.length) this.onFrame(kind, JSON.parse(data.join("\n")));
  }
}
