// The address of what is shown: `#/`, `#/api/<name>`, and below an API `request/<id>`, `job/<id>[/item/<n>]`, `submit`,
// `dead-letters`. So every view can be linked to, and the back button goes back.

/** Return the address of a view. */
export function hash(...parts) {
  return `#/${parts.map((part) => encodeURIComponent(String(part).toWellFormed?.() ?? part)).join("/")}`;
}

/** Return the view of an address: `{api, view, id, item}`; null for one that does not exist. */
export function parse(address) {
  let parts;
  try {
    parts = address.replace(/^#\/?/, "").split("/").filter((part) => part !== "").map(decodeURIComponent);
  } catch {
    return null;
  }
  const [root, api, view, id, sub, item] = parts;
  const none = { api: null, view: null, id: null, item: null };
  if (root === undefined) return none;
  if (root !== "api" || api === undefined || parts.length > 6) return null;
  const route = { ...none, api };
  if (view === undefined) return route;
  if ((view === "submit" || view === "dead-letters") && id === undefined) return { ...route, view };
  if (view === "request" && id !== undefined && sub === undefined) return { ...route, view, id };
  if (view !== "job" || id === undefined) return null;
  if (sub === undefined) return { ...route, view, id };
  return sub === "item" && /^\d{1,15}$/.test(item ?? "") ? { ...route, view, id, item: Number(item) } : null;
}

const visited = [];

/** Follow the address. `show` is called with the view now, and whenever it changes. */
export function start(show) {
  const go = () => {
    if (visited.at(-2) === location.hash) visited.pop();
    else if (visited.at(-1) !== location.hash) visited.push(location.hash);
    visited.splice(0, visited.length - 50);
    show(parse(location.hash));
  };
  window.addEventListener("hashchange", go);
  go();
}

/** Leave a dialog for the view below it. When that was the view before, this is what the back button does. */
export function leave(parent) {
  if (visited.at(-2) === parent) history.back();
  else location.replace(parent);
}
