// Buttons that ask the server for a change, and say how it ended.

import { el, setText } from "./dom.js";

/** Return a place for what happened, beside the buttons. It is read out, too. */
export function outcome() {
  return el("p", { class: "outcome", role: "status" });
}

/** Return a button. While `run` works it cannot be pressed again; its error, or the text it returns, is shown in `place`. */
export function button(label, place, run, attributes = {}) {
  const made = el("button", { type: "button", ...attributes, onclick: () => attempt(made, place, run) }, label);
  return made;
}

/** Run something for an element that was pressed. */
export async function attempt(element, place, run) {
  if (element.getAttribute("aria-disabled") === "true") return;
  // Not `disabled`: the focus would be lost.
  element.setAttribute("aria-disabled", "true");
  show(place, "", false);
  try {
    show(place, (await run()) ?? "", false);
  } catch (error) {
    if (error.name !== "AbortError") show(place, error.message, true);
  } finally {
    element.removeAttribute("aria-disabled");
  }
}

/** Show a text in a place of `outcome`. */
export function show(place, text, isFault) {
  place.classList.toggle("fault", isFault);
  setText(place, text);
}
