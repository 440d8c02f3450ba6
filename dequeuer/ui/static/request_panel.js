// A request: what became of it, its attempts, its payload and its result. It follows the request until the end.

import { attempt, button, outcome } from "./action.js";
import { ask, openDialog } from "./dialog.js";
import { el, replace } from "./dom.js";
import { badge, code, facts, Progress, textBox, valueBox } from "./parts.js";
import { hasEnded, progressText, ratioOf, shownStatus } from "./request.js";
import { address, change, read, readPayload } from "./server.js";
import { UNKNOWN, between, clock, prettyText, size, words } from "./text.js";

/** The panel. */
export class RequestPanel {
  /** `read` is called with each document that was read. */
  constructor({ api, id, leave, announce, read: wasRead }) {
    this.api = api;
    this.id = id;
    this.announce = announce;
    this.wasRead = wasRead;
    this.abort = new AbortController();
    this.document = null;
    this.isReading = false;
    this.isStale = false;
    this.outcome = outcome();
    this.content = el("div", { "aria-busy": "true" }, el("p", { class: "empty" }, "Reading the request."));
    this.payloadPlace = el("div", {});
    this.cancel = button("Cancel", this.outcome, () => this.askCancel(), { hidden: true, class: "danger" });
    const body = [this.outcome, this.content, this.makePayload()];
    this.dialog = openDialog({ title: el("span", {}, "Request ", code(id)), kind: "panel", body, leave, actions: [this.cancel] });
    this.read();
  }

  requests(documents) {
    if (documents.some((document) => document.id === this.id)) this.read();
  }

  renew() {
    this.read();
  }

  close() {
    this.abort.abort();
    this.dialog.close();
  }

  // One reading at a time; what changes meanwhile is read afterwards.
  async read() {
    if (this.isReading) {
      this.isStale = true;
      return;
    }
    this.isReading = true;
    do {
      this.isStale = false;
      try {
        this.write(await read(address(this.api.name, ["requests", this.id]), this.abort.signal));
      } catch (error) {
        if (error.name === "AbortError") return;
        if (this.document === null) replace(this.content, el("p", { class: "fault" }, error.message));
      }
    } while (this.isStale);
    this.isReading = false;
    this.content.removeAttribute("aria-busy");
  }

  write(document) {
    const before = this.document;
    const status = shownStatus(document);
    this.document = document;
    this.wasRead(document);
    if (before !== null && shownStatus(before) !== status) this.announce(`The request is ${words(status)}`);
    this.cancel.hidden = hasEnded(document);
    const error = document.error ?? null;
    replace(
      this.content,
      el("p", { class: "status-line" }, badge(status)),
      facts([
        ["Submitted", document.created && el("time", { datetime: document.created, title: document.created }, clock(document.created))],
        ["Started", document.started && el("time", { datetime: document.started, title: document.started }, clock(document.started))],
        ["Ended", document.ended && el("time", { datetime: document.ended, title: document.ended }, clock(document.ended))],
        ["Took", document.ended ? between(document.created, document.ended) : null],
      ]),
      progressOf(document.progress),
      error && el("section", { class: "error-box" }, el("h3", {}, "Error"), el("p", { class: "error-text" }, el("bdi", {}, error.message ?? "")), facts([["Code", error.code], ["Status of the container", error.status_code]])),
      timeline(document.attempts),
      "result" in document ? valueBox("Result", document.result) : null,
    );
  }

  makePayload() {
    const url = () => address(this.api.name, ["requests", this.id, "payload"]);
    const show = el("button", { type: "button", onclick: () => attempt(show, this.outcome, async () => {
      const payload = await readPayload(url(), this.abort.signal);
      replace(this.payloadPlace, payloadBox(payload));
    }) }, "Show the payload");
    let link = null;
    try {
      link = el("a", { class: "button", href: url(), download: "payload" }, "Download the payload");
    } catch {
      // The id cannot be part of an address: reading the request says so.
    }
    return el("section", {}, el("p", { class: "buttons" }, show, link), this.payloadPlace);
  }

  async askCancel() {
    if (!(await ask("Cancel the request?", "It ends as failed, with the code cancelled, unless it is complete before.", "Cancel the request"))) return "";
    await change("DELETE", address(this.api.name, ["requests", this.id]));
    this.read();
    return "The cancellation is requested.";
  }
}

function progressOf(progress) {
  if (progress === undefined || progress === null) return null;
  const ratio = ratioOf(progress);
  const bar = new Progress("Progress of the request");
  bar.update(ratio);
  return el("section", {}, el("h3", {}, "Progress"), ratio === null ? null : bar.node, el("p", {}, el("bdi", {}, progressText(progress))));
}

function timeline(attempts) {
  if (!Array.isArray(attempts) || attempts.length === 0) return null;
  const entries = attempts.map((one, index) => {
    const took = between(one.began, one.ended);
    return el(
      "li",
      { "data-tone": one.outcome === "completed" ? "good" : one.outcome === "failed" ? "bad" : "busy" },
      el("p", { class: "attempt" }, el("strong", {}, `Attempt ${index + 1}`), badge(one.outcome), el("span", { class: "muted" }, one.ended ?? one.began ? clock(one.ended ?? one.began) : "", took === UNKNOWN ? "" : `, took ${took}`)),
      one.reason ? el("p", {}, el("bdi", {}, one.reason)) : null,
      facts([["Code", one.code], ["Status of the container", one.status_code], ["Worker", one.worker]]),
    );
  });
  return el("section", {}, el("h3", {}, "Attempts"), el("ol", { class: "timeline" }, ...entries));
}

function payloadBox({ text, bytes, isCut }) {
  if (isCut) return textBox("Payload", text, { rest: "download the payload for the rest" });
  return textBox("Payload", prettyText(text), { note: size(bytes) });
}
