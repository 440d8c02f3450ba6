// The page: puts views, addresses and events together.

import { stateOf } from "./api_head.js";
import { AsyncView } from "./async_view.js";
import { leaveQuestion } from "./dialog.js";
import { el, replace, setAttribute, setText } from "./dom.js";
import { History } from "./history.js";
import { JobView } from "./job_view.js";
import { JobsView } from "./jobs_view.js";
import { Overview } from "./overview.js";
import { RealtimeView } from "./realtime_view.js";
import { hash, start } from "./router.js";
import { read, wantsToken } from "./server.js";
import { follow } from "./stream.js";
import { tone, visible } from "./text.js";

const STATES = { live: "Live", connecting: "Connecting", lost: "Not connected. It is tried again.", refused: "The page needs its token: load it again." };
const ANNOUNCE_MS = 1500;

const main = document.getElementById("main");
const history = new History();
let apis = null;
let route;
let view = null;
let viewKey = null;
let navKey = null;
let told = [];

const faults = el("div", { class: "faults", role: "status", hidden: true });
main.before(faults);

// What is said at the same moment is read out as one text, and nothing is said twice a second.
const waiting = [];
function announce(text) {
  if (waiting.length === 0) {
    setTimeout(() => setText(document.getElementById("announcements"), waiting.splice(0).join(". ")), ANNOUNCE_MS);
  }
  if (waiting.length < 5 && !waiting.includes(text)) waiting.push(text);
}

function showNavigation() {
  if (apis === null) return;
  const states = apis.map((api) => stateOf(history.api(api.name)));
  const key = JSON.stringify([apis, states, route?.api]);
  if (key === navKey) return;
  navKey = key;
  const entry = (name, address, isCurrent, more) => el("li", {}, el("a", { href: address, "aria-current": isCurrent ? "page" : null }, el("bdi", { class: "nav-name" }, name), more));
  const entries = apis.map((api, index) =>
    entry(api.name, hash("api", api.name), route?.api === api.name, el("span", { class: "nav-state", "data-tone": tone(states[index]) }, el("span", { class: "hidden" }, states[index] ?? ""))),
  );
  // Focus stays on the entry that had it.
  const list = document.getElementById("apis");
  const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  replace(list, entry("Overview", "#/", route !== null && route?.api === null, null), ...entries);
  // On a narrow screen the entries are in one line, which scrolls.
  const current = list.querySelector("[aria-current]");
  if (current !== null) list.scrollLeft = current.offsetLeft - (list.clientWidth - current.offsetWidth) / 2;
  if (focused !== null) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

function makeView(api) {
  const context = { api, history, announce };
  if (route.view === "job" && (api.kind === "BatchAPI" || api.kind === "TaskAPI")) return new JobView({ ...context, id: route.id });
  if (api.kind === "AsyncAPI") return new AsyncView(context);
  if (api.kind === "BatchAPI" || api.kind === "TaskAPI") return new JobsView(context);
  return new RealtimeView(context);
}

// The question first: a focus that goes back into a closed dialog would be lost.
function closeView() {
  leaveQuestion();
  view?.close();
}

function showNothing(text) {
  closeView();
  view = null;
  viewKey = null;
  document.title = "dequeuer";
  replace(main, el("p", { class: "empty" }, text, " ", el("a", { href: "#/" }, "Overview")));
}

// `isNavigated`: the address has changed. When another API comes or goes, what is open in the view stays, with what was typed.
function show(isNavigated = false) {
  if (apis === null) return;
  showNavigation();
  if (route === null) {
    showNothing("There is no such view.");
    return;
  }
  const api = route.api === null ? null : apis.find((one) => one.name === route.api);
  if (api === undefined) {
    showNothing(`There is no API ${JSON.stringify(route.api)}.`);
    return;
  }
  const key = JSON.stringify([api, route.view === "job" ? route.id : null]);
  const isNew = key !== viewKey;
  if (isNew) {
    const isFirst = viewKey === null;
    closeView();
    viewKey = key;
    view = api === null ? new Overview({ history, apis: () => apis }) : makeView(api);
    replace(main, view.node);
    scrollTo(0, 0);
    document.title = visible(`${view.title} - dequeuer`);
    view.snapshot();
    // The focus goes to the new view, as after a page was loaded; at the start it is where the browser puts it.
    if (!isFirst && document.activeElement?.closest("#apis") === null) view.heading.focus({ preventScroll: true });
  }
  if ((isNew || isNavigated) && view.navigate(route) === false) showNothing("There is no such view.");
}

function setApis(found) {
  const next = found.map(({ name, kind, endpoint }) => ({ name, kind, endpoint }));
  if (JSON.stringify(next) === JSON.stringify(apis)) return;
  apis = next;
  show();
}

/** Show the last snapshot. Return whether a fault is over that was told before. */
function snapshotCame() {
  const { last } = history;
  if (last === null) return false;
  // While the APIs are not known, those that were known stay, and with them what a person has begun.
  if (last.apis !== null) setApis(last.apis);
  showNavigation();
  view?.snapshot();
  const texts = (last.faults ?? []).filter((text) => typeof text === "string");
  if (JSON.stringify(texts) === JSON.stringify(told)) return false;
  const isOver = told.some((text) => !texts.includes(text));
  told = texts;
  faults.hidden = texts.length === 0;
  replace(faults, ...texts.map((text) => el("p", {}, el("bdi", {}, text))));
  return isOver;
}

function stateChanged(state) {
  setAttribute(document.getElementById("connection"), "data-state", state);
  setText(document.getElementById("connection-text"), STATES[state]);
  if (state === "lost") announce("The connection to the server is lost");
  if (state === "refused") announce(STATES.refused);
}

function makeTheme() {
  const select = document.getElementById("theme");
  select.value = document.documentElement.dataset.theme ?? "auto";
  select.addEventListener("change", () => {
    if (select.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = select.value;
    try {
      localStorage.setItem("theme", select.value);
    } catch {
      // Storage is switched off: the theme holds until the page is closed.
    }
  });
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
makeTheme();
start((next) => {
  route = next;
  // Also when the view stays: it may have been about a dialog of the view.
  leaveQuestion();
  show(true);
});
read("/api/apis").then(
  (document) => setApis(document.apis),
  (error) => {
    if (apis === null) replace(main, el("p", { class: "empty fault" }, error.message));
  },
);
let wasOpened = false;
follow(
  "/api/events",
  {
    history: ({ points }) => {
      history.restart(points);
      const isOver = snapshotCame();
      // What changed, or could not be read, meanwhile is read now.
      if (wasOpened || isOver) view?.renew?.();
      wasOpened = true;
    },
    snapshot: (snapshot) => {
      history.add(snapshot);
      if (snapshotCame()) view?.renew?.();
    },
    requests: (event) => view?.requests?.(event),
    jobs: (event) => view?.jobs?.(event),
  },
  stateChanged,
  wantsToken,
);
