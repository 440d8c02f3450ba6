// A realtime API, or one that splits its traffic: numbers, and a form that calls it.

import { attempt, outcome } from "./action.js";
import { ApiHead } from "./api_head.js";
import { el, replace } from "./dom.js";
import { facts, textBox } from "./parts.js";
import { address, change } from "./server.js";
import { counted, duration, prettyText } from "./text.js";

const METHODS = ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const KEPT_CALLS = 10;

/** The view. */
export class RealtimeView {
  constructor({ api, history, announce }) {
    this.api = api;
    this.announce = announce;
    this.title = api.name;
    this.head = new ApiHead(api, history);
    this.heading = this.head.title;
    this.outcome = outcome();
    this.answer = el("div", { class: "answer" }, el("p", { class: "note" }, "The answer is shown here."));
    this.calls = el("ol", { class: "calls", reversed: true });
    this.callsPlace = el("section", { hidden: true }, el("h2", {}, "Calls from this page"), this.calls);
    this.node = el(
      "div",
      { class: "view" },
      this.head.node,
      el("section", { class: "list" }, el("header", { class: "list-head" }, el("h2", {}, "Call it")), el("div", { class: "call" }, this.makeForm(), this.answer), this.callsPlace),
    );
  }

  snapshot() {
    this.head.snapshot();
  }

  navigate({ view }) {
    return view === null;
  }

  close() {}

  makeForm() {
    this.method = el("select", { id: "call-method" }, ...METHODS.map((name) => el("option", {}, name)));
    this.path = el("input", { type: "text", id: "call-path", value: "/", autocomplete: "off", spellcheck: "false", maxlength: 4096 });
    this.headers = el("textarea", { id: "call-headers", rows: 2, spellcheck: "false", autocomplete: "off", "aria-describedby": "call-headers-note" });
    this.headers.value = "Content-Type: application/json";
    this.body = el("textarea", { id: "call-body", rows: 8, spellcheck: "false", autocomplete: "off", dir: "ltr" });
    this.body.value = "{}";
    const send = el("button", { type: "submit", class: "primary" }, "Send");
    const submit = (event) => {
      event.preventDefault();
      attempt(send, this.outcome, () => this.send());
    };
    return el(
      "form",
      { onsubmit: submit },
      el("div", { class: "fields" }, el("div", {}, el("label", { for: "call-method" }, "Method"), this.method), el("div", { class: "wide" }, el("label", { for: "call-path" }, "Path"), this.path)),
      el("label", { for: "call-headers" }, "Headers"),
      this.headers,
      el("p", { class: "note", id: "call-headers-note" }, "One on each line: Name: value"),
      el("label", { for: "call-body" }, "Body"),
      this.body,
      this.outcome,
      el("p", { class: "buttons" }, send),
    );
  }

  async send() {
    const method = this.method.value;
    const hasBody = method !== "GET" && method !== "HEAD";
    const call = { method, path: this.path.value, headers: headersOf(this.headers.value), body: hasBody ? this.body.value : "" };
    const answer = await change("POST", address(this.api.name, ["calls"]), JSON.stringify(call));
    this.show(answer);
    this.remember(call, answer);
    this.announce(`Answered ${answer.status} after ${duration(answer.duration_s)}`);
    return "";
  }

  show(answer) {
    const headers = Object.entries(answer.headers ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]);
    replace(
      this.answer,
      el("p", { class: "status-line" }, statusBadge(answer.status), el("span", { class: "muted" }, `after ${duration(answer.duration_s)}`)),
      el("details", {}, el("summary", {}, counted(headers.length, "header")), facts(headers)),
      textBox("Body", prettyText(answer.body ?? "")),
    );
  }

  remember(call, answer) {
    this.callsPlace.hidden = false;
    this.calls.prepend(el("li", {}, el("p", {}, statusBadge(answer.status), el("span", { class: "mono" }, call.method), el("bdi", { class: "mono" }, call.path), el("span", { class: "muted" }, duration(answer.duration_s)))));
    while (this.calls.children.length > KEPT_CALLS) this.calls.lastElementChild.remove();
  }
}

function statusBadge(status) {
  return el("span", { class: "badge", "data-tone": status >= 500 ? "bad" : status >= 400 ? "held" : "good" }, status);
}

function headersOf(text) {
  const headers = text.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`"${line.trim()}" is no header: write "Name: value", one on each line`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  return Object.fromEntries(headers);
}
