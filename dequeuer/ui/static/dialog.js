// Dialogs: the side panel, and questions before something is ended. Escape and the back button close them.

import { el } from "./dom.js";

let ids = 0;

/**
 * Open a modal dialog. `leave` is called when the person closes it. Return it; `close()` removes it, and the focus goes
 * back to where it was.
 */
export function openDialog({ title, kind, body, leave, actions = [] }) {
  ids += 1;
  const id = `dialog-${ids}`;
  const heading = el("h2", { id, tabindex: -1 }, title);
  const dialog = el(
    "dialog",
    { class: kind, "aria-labelledby": id },
    el("header", {}, heading, ...actions, el("button", { type: "button", class: "quiet close", "aria-label": "Close", onclick: () => leave() }, "×")),
    el("div", { class: "dialog-body" }, body),
  );
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  // A press that began in the dialog, as a selection of text does, does not close it.
  let pressed = null;
  dialog.addEventListener("pointerdown", (event) => { pressed = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressed === dialog) leave();
  });
  document.body.append(dialog);
  dialog.showModal();
  heading.focus();
  return {
    close() {
      dialog.close();
      dialog.remove();
    },
  };
}

let question = null;

/** Ask before something is done. Return whether the person wants it. */
export function ask(title, text, action) {
  return new Promise((resolve) => {
    const answer = (is) => {
      question = null;
      dialog.close();
      resolve(is);
    };
    question = answer;
    const body = [
      el("p", {}, text),
      el(
        "p",
        { class: "buttons" },
        el("button", { type: "button", onclick: () => answer(false) }, "Not now"),
        el("button", { type: "button", class: "danger", onclick: () => answer(true) }, action),
      ),
    ];
    const dialog = openDialog({ title, kind: "box", body, leave: () => answer(false) });
  });
}

/** Answer a question that is open with no: the person has left what it is about. */
export function leaveQuestion() {
  question?.(false);
}
