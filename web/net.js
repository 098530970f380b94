// Requests to the orchestrator. An answer that is no success becomes a `Refused`.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }

  /** Returns the reason that belongs to a field, if there is one. */
  field(name) {
    return (this.problem.errors ?? []).find((error) => error.field === name)?.reason;
  }
}

let onUnauthorized = () => {};
/** Names what is done when an answer says that the key is missing or over. */
export const whenUnauthorized = (call) => { onUnauthorized = call; };

export async function ask(method, path, body, { signal, quiet } = {}) {
  const headers = { accept: "application/json, application/problem+json", "x-requested-with": "console" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { title: "No answer", detail: "The orchestrator did not answer. Nothing is known of what became of the request." });
  }
  const text = await answer.text();
  let value = {};
  try { value = text ? JSON.parse(text) : {}; } catch { value = { detail: `Unexpected answer (HTTP ${answer.status}), not this program's.` }; }
  if (answer.ok) return value;
  if (answer.status === 401 && !quiet) onUnauthorized();
  throw new Refused(answer.status, value ?? {});
}

export const get = (path, options) => ask("GET", path, undefined, options);

/** Returns the answer, or `null` if there is no such thing (404). */
export async function find(path, options) {
  try {
    return await get(path, options);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/** Returns a path with a query; parts that are empty are left out. */
export function url(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  return text ? `${path}?${text}` : path;
}

export const seg = encodeURIComponent;
