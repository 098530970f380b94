// Addresses: every view with its filters and its moment is one, so that it can be sent to another person.

/** Returns what the address asks for: the view, the subject, and the filters. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...subject] = path.split("/");
  let name = "";
  try { name = decodeURIComponent(subject.join("/")); } catch { name = subject.join("/"); }
  return { view: view || "overview", subject: name, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Returns the address of a view. */
export function link(view, subject = "", query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(pairs).toString();
  return `#/${view}${subject === "" ? "" : `/${encodeURIComponent(subject)}`}${text ? `?${text}` : ""}`;
}

/** Returns the address of this view with other filters. */
export function changed(query) {
  const now = here();
  return link(now.view, now.subject, { ...now.query, ...query });
}

/** Goes to another filter without a new entry in the history. */
export function refine(query) {
  history.replaceState(null, "", changed(query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export const instanceLink = (server) => link("instance", server);
export const streamLink = (stream) => link("stream", String(stream));
export const incidentLink = (incident) => link("incident", String(incident));
