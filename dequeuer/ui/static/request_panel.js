// A request: what became of it, its attempts, its payload and its result. It follows the request until the end.

import { attempt, button, outcome } from "./action.js";
import { ask, openDialog } from "./dialog.js";
import { el, replace } from "./dom.js";
import { badge, code, facts, Progress, textBox, valueBox } from "./parts.js";
import { address, change, read, readPayload } from "./server.js";
import { UNKNOWN, between, clock, parseExact, pretty, size, words } from "./text.js";

const HAS_ENDED = new Set(["completed", "failed"]);

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
    const before = this.document?.status;
    this.document = document;
    this.wasRead(document);
    if (before !== undefined && before !== document.status) this.announce(`The request is ${words(document.status)}`);
    const hasEnded = HAS_ENDED.has(document.status);
    this.cancel.hidden = hasEnded;
    const error = document.error ?? null;
    replace(
      this.content,
      el("p", { class: "status-line" }, badge(document.status), document.cancel_requested && !hasEnded ? el("span", { class: "badge", "data-tone": "held" }, "cancellation requested") : null),
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
  const value = progress.progress;
  const isRatio = typeof value === "number" && value >= 0 && value <= 1;
  const bar = new Progress("Progress of the request");
  bar.update(isRatio ? value : null);
  const text = [isRatio ? `${Math.round(value * 100)} %` : value, progress.message].filter((part) => part !== undefined && part !== null).join(" ");
  return el("section", {}, el("h3", {}, "Progress"), isRatio ? bar.node : null, el("p", {}, el("bdi", {}, text)));
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
  const note = isCut ? `The first ${size(text.length)} are shown; download the payload for the rest.` : size(bytes);
  let shown = text;
  if (!isCut) {
    try {
      shown = pretty(parseExact(text));
    } catch {
      // Not JSON: it is shown as it is.
    }
  }
  return textBox("Payload", shown, note);
}
