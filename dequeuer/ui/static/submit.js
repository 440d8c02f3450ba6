// The editor of a submission.

import { attempt, outcome } from "./action.js";
import { openDialog } from "./dialog.js";
import { el, setAttribute, setText } from "./dom.js";
import { jsonFault } from "./text.js";

let ids = 0;

/** A dialog with an editor. `submit(body, type)` sends it; its errors are shown. */
export class SubmitDialog {
  /** `isJson`: nothing else is accepted, and the type is not asked for. */
  constructor({ api, leave, submit, text = "{}", isJson = false, noun = "request" }) {
    ids += 1;
    this.isJson = isJson;
    this.fault = el("p", { class: "outcome", id: `editor-fault-${ids}` });
    this.outcome = outcome();
    this.type = el("input", { type: "text", id: `editor-type-${ids}`, value: "application/json", autocomplete: "off", spellcheck: "false", oninput: () => this.check() });
    this.editor = el("textarea", { id: `editor-${ids}`, rows: 14, spellcheck: "false", autocomplete: "off", autocapitalize: "off", dir: "ltr", "aria-describedby": this.fault.id, oninput: () => this.check() });
    this.editor.value = text;
    const send = el("button", { type: "submit", class: "primary" }, "Submit");
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          attempt(send, this.outcome, () => submit(this.editor.value, this.isJson ? "application/json" : this.type.value));
        },
        onkeydown: (event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
        },
      },
      el("label", { for: this.editor.id }, isJson ? "Submission, JSON" : "Payload"),
      this.editor,
      this.fault,
      isJson ? null : el("label", { for: this.type.id }, "Content-Type"),
      isJson ? null : this.type,
      this.outcome,
      el("p", { class: "buttons" }, el("span", { class: "note" }, "Ctrl+Enter submits"), send),
    );
    this.dialog = openDialog({ title: el("span", {}, `New ${noun} for `, el("bdi", {}, api.name)), kind: "panel", body: form, leave });
    this.editor.focus();
    this.check();
  }

  close() {
    this.dialog.close();
  }

  // A fault is shown, but does not stop: what a container refuses is worth a try.
  check() {
    const wanted = this.isJson || /^application\/([\w.-]+\+)?json\b/i.test(this.type.value.trim());
    const fault = wanted ? jsonFault(this.editor.value) : null;
    setText(this.fault, fault === null ? (wanted ? "Valid JSON" : "") : `Not JSON: ${fault}`);
    this.fault.classList.toggle("fault", fault !== null);
    setAttribute(this.editor, "aria-invalid", fault === null ? null : "true");
  }
}
