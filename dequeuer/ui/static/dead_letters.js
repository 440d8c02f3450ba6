// The dead letters of an async API, and their way back to the queue.

import { button, outcome } from "./action.js";
import { ask, openDialog } from "./dialog.js";
import { el, replace } from "./dom.js";
import { badge, code } from "./parts.js";
import { hash } from "./router.js";
import { address, change, read } from "./server.js";
import { clock, count, counted } from "./text.js";

const SHOWN = 100;

/** The panel. */
export class DeadLetters {
  constructor({ api, leave }) {
    this.api = api;
    this.abort = new AbortController();
    this.outcome = outcome();
    this.content = el("div", {}, el("p", { class: "empty" }, "Reading the dead letters."));
    const redrive = button("Send all back", this.outcome, () => this.redrive());
    const again = button("Look again", this.outcome, () => this.read());
    this.dialog = openDialog({ title: "Dead letters", kind: "panel", body: [this.outcome, this.content], leave, actions: [again, redrive] });
    this.read();
  }

  close() {
    this.abort.abort();
    this.dialog.close();
  }

  async read() {
    try {
      this.write(await read(address(this.api.name, ["dead-letters"], { limit: SHOWN }), this.abort.signal));
    } catch (error) {
      if (error.name !== "AbortError") replace(this.content, el("p", { class: "fault" }, error.message));
    }
  }

  write({ queue, messages, dead_letters: letters = [] }) {
    const rows = letters.map((letter) =>
      el(
        "tr",
        {},
        el("td", {}, letter.id ? el("a", { href: hash("api", this.api.name, "request", letter.id) }, code(letter.id)) : "names no request"),
        el("td", {}, letter.status ? badge(letter.status) : "none any more"),
        el("td", { class: "number" }, count(letter.receives)),
        el("td", {}, clock(letter.sent)),
      ),
    );
    const head = ["Request", "Its status", "Receives", "Sent"].map((title) => el("th", { scope: "col" }, title));
    replace(
      this.content,
      el("p", {}, `${counted(messages, "message")} in `, code(queue ?? ""), letters.length < messages ? `, of which ${count(letters.length)} are shown` : ""),
      letters.length === 0 ? null : el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
    );
  }

  async redrive() {
    const text = "Each message is sent to the queue again, and its request is done if it has no end yet. A request that has ended stays as it is.";
    if (!(await ask("Send all dead letters back?", text, "Send them back"))) return "";
    const { moved, left } = await change("PUT", address(this.api.name, ["dead-letters"], { action: "redrive" }));
    this.read();
    return `${count(moved)} sent back, ${count(left)} left.`;
  }
}
