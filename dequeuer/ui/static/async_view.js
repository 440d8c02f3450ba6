// An async API: its requests, and what can be done with them.

import { button } from "./action.js";
import { ApiHead, stateOf } from "./api_head.js";
import { DeadLetters } from "./dead_letters.js";
import { el, setText } from "./dom.js";
import { ListPlace } from "./list_place.js";
import { PagedList } from "./paged_list.js";
import { clip } from "./parts.js";
import { progressText, ratioOf, shownStatus } from "./request.js";
import { RequestPanel } from "./request_panel.js";
import { hash, leave } from "./router.js";
import { address, change } from "./server.js";
import { SubmitDialog } from "./submit.js";
import { Table } from "./table.js";
import { UNKNOWN, between, clock, count, seconds, tone, wholeSeconds, words } from "./text.js";

const STATUSES = [["", "All"], ["in_queue", "In queue"], ["in_progress", "In progress"], ["completed", "Completed"], ["failed", "Failed"]];

/** The view. */
export class AsyncView {
  constructor({ api, history, announce }) {
    this.api = api;
    this.history = history;
    this.announce = announce;
    this.title = api.name;
    this.parent = hash("api", api.name);
    // The server's lists are without attempts. Their number is known of requests that failed, and of those that were opened.
    this.attempts = new Map();
    this.dialog = null;
    this.head = new ApiHead(api, history);
    this.heading = this.head.title;
    this.list = new PagedList({ api: api.name, name: "requests", id: "id", time: "created", changed: () => this.place.show(this.list) });
    this.table = new Table({
      label: `Requests of ${api.name}`,
      columns: this.columns(),
      key: (row) => row.id,
      open: (row) => { location.hash = hash("api", api.name, "request", row.id); },
      more: () => this.list.more(),
    });
    this.place = new ListPlace({ title: "Requests", table: this.table, noun: "request", none: "No requests here.", controls: [this.makeFilter(), this.makeFinder()] });
    this.addButtons();
    this.node = el("div", { class: "view" }, this.head.node, this.place.node);
    this.list.more();
  }

  snapshot() {
    this.head.snapshot();
    const api = this.history.api(this.api.name);
    const paused = stateOf(api) === "paused";
    setText(this.pause, paused ? "Resume" : "Pause");
    this.pause.dataset.action = paused ? "resume" : "pause";
    const dead = api?.queue?.dead ?? 0;
    setText(this.dead, dead > 0 ? `Dead letters (${count(dead)})` : "Dead letters");
    this.dead.hidden = !(dead > 0);
    this.table.refresh();
  }

  requests({ api, requests }) {
    if (api !== this.api.name) return;
    this.list.merge(requests);
    this.dialog?.requests?.(requests);
  }

  /** The connection was opened again, or a fault is over. */
  renew() {
    this.list.renew();
    this.dialog?.renew?.();
  }

  navigate({ view, id }) {
    this.table.keepActive(() => this.dialog?.close());
    this.dialog = null;
    const context = { api: this.api, leave: () => leave(this.parent), announce: this.announce };
    if (view === "request") this.dialog = new RequestPanel({ ...context, id, read: (document) => this.wasRead(document) });
    if (view === "dead-letters") this.dialog = new DeadLetters(context);
    if (view === "submit") this.dialog = new SubmitDialog({ ...context, submit: (body, type) => this.submit(body, type) });
    return view === null || this.dialog !== null;
  }

  close() {
    this.dialog?.close();
    this.list.close();
    this.table.close();
  }

  async submit(body, type) {
    const { id } = await change("POST", address(this.api.name, ["requests"]), body, type);
    this.announce(`Submitted ${id}`);
    location.replace(hash("api", this.api.name, "request", id));
  }

  wasRead({ id, ended, attempts }) {
    if (ended === undefined || !Array.isArray(attempts)) return;
    this.attempts.set(id, attempts.length);
    this.table.refresh();
  }

  columns() {
    return [
      { name: "status", title: "Status", text: (row) => words(shownStatus(row)), tone: (row) => tone(shownStatus(row)) },
      { name: "id", title: "Request", text: (row) => row.id },
      { name: "attempts", title: "Attempts", text: (row) => count(this.attempts.get(row.id) ?? row.receives) },
      { name: "created", title: "Submitted", text: (row) => clock(row.created) },
      { name: "age", title: "Age", text: (row) => (seconds(row.created) === null ? UNKNOWN : wholeSeconds(Math.max(0, this.history.now - seconds(row.created)))) },
      { name: "took", title: "Took", text: (row) => between(row.created, row.ended) },
      {
        name: "message",
        title: "Progress or error",
        text: (row) => clip(row.error?.message ?? progressText(row.progress)),
        ratio: (row) => (row.error === undefined ? ratioOf(row.progress) : null),
      },
    ];
  }

  makeFilter() {
    const choose = (event) => {
      const status = event.currentTarget.dataset.status;
      for (const one of chosen) one.setAttribute("aria-pressed", String(one === event.currentTarget));
      this.list.restart(status === "" ? {} : { status });
      this.table.node.scrollTop = 0;
      this.list.more();
    };
    const chosen = STATUSES.map(([status, label]) => el("button", { type: "button", class: "choice", "data-status": status, "aria-pressed": status === "" ? "true" : "false", onclick: choose }, label));
    return el("div", { class: "choices", role: "group", "aria-label": "Status" }, ...chosen);
  }

  makeFinder() {
    const input = el("input", { type: "text", name: "id", placeholder: "Open an id", "aria-label": "Open a request by its id", autocomplete: "off", spellcheck: "false", maxlength: 128 });
    const open = (event) => {
      event.preventDefault();
      const id = input.value.trim();
      if (id !== "") location.hash = hash("api", this.api.name, "request", id);
    };
    return el("form", { class: "finder", onsubmit: open }, input);
  }

  addButtons() {
    const { buttons, outcome } = this.head;
    this.dead = el("a", { class: "button", href: hash("api", this.api.name, "dead-letters"), hidden: true }, "Dead letters");
    this.pause = button("Pause", outcome, async () => {
      const { message } = await change("PUT", address(this.api.name, [], { action: this.pause.dataset.action ?? "pause" }));
      return `${message[0].toUpperCase()}${message.slice(1)}.`;
    });
    buttons.append(this.dead, this.pause, el("a", { class: "button primary", href: hash("api", this.api.name, "submit") }, "Submit"));
  }
}
