// Small pieces that several views are made of.

import { el, setAttribute, setText } from "./dom.js";
import { count, counted, pretty, tone, visible, words } from "./text.js";

const SHOWN_CHARACTERS = 100000;
const LEAST_FAILED = 0.02;

/** Return the badge of a status. */
export function badge(status) {
  return el("span", { class: "badge", "data-tone": tone(status) }, words(status));
}

/** Show a status in a badge, which is hidden while it is null. */
export function fillBadge(node, status) {
  node.hidden = status === null;
  setText(node, status === null ? "" : words(status));
  setAttribute(node, "data-tone", tone(status));
}

/** Numbers with their names, in a line: `{name, label}`. */
export class Figures {
  constructor(names) {
    this.values = new Map(names.map(({ name }) => [name, el("dd", {})]));
    this.node = el("dl", { class: "figures" }, ...names.map(({ name, label }) => el("div", {}, el("dt", {}, label), this.values.get(name))));
  }

  /** Show the texts of these names. */
  update(texts) {
    for (const [name, text] of Object.entries(texts)) setText(this.values.get(name), text);
  }
}

/** Return a bar for `fillBar`. */
export function barOf(tag, attributes) {
  return el(tag, attributes, el("span", { class: "bar-done" }), el("span", { class: "bar-failed" }));
}

/** Show in a bar what is done, and which part of it failed, from 0 to 1 of the whole. One failure of many can be seen, too. */
export function fillBar(bar, done, failed) {
  const bad = failed > 0 ? Math.max(failed, LEAST_FAILED) : 0;
  [Math.max(done - bad, 0), bad].forEach((part, index) => {
    const size = `${Number((part * 100).toFixed(1))}%`;
    if (bar.children[index].style.inlineSize !== size) bar.children[index].style.inlineSize = size;
  });
}

/** How much is done: a bar with its number for screen readers. */
export class Progress {
  constructor(label) {
    this.node = barOf("div", { class: "bar large", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 });
  }

  /** `ratio` and `failed`: parts of the whole from 0 to 1; `ratio` is null while it is not known. */
  update(ratio, failed = 0) {
    setAttribute(this.node, "aria-valuenow", ratio === null ? null : Math.round(ratio * 100));
    fillBar(this.node, ratio ?? 0, failed);
  }
}

/**
 * Return a box with a text of fixed width, its beginning if it is long, and a button that copies all of it. `rest`: where
 * the rest is of a text of which only the beginning is known.
 */
export function textBox(label, text, { note = null, rest = null } = {}) {
  const shown = text.slice(0, SHOWN_CHARACTERS);
  const first = `The first ${counted(shown.length, "character")}`;
  let cut = null;
  if (rest !== null) cut = `${first} are shown; ${rest}.`;
  else if (shown.length < text.length) cut = `${first} of ${count(text.length)} are shown.`;
  const copy = rest === null ? el("button", { type: "button", class: "quiet", "aria-label": `Copy: ${label}`, onclick: () => copyText(text, copy) }, "Copy") : null;
  return el(
    "section",
    { class: "text-box" },
    el("header", {}, el("h3", {}, label), copy),
    el("pre", { tabindex: 0, role: "region", "aria-label": label, dir: "ltr" }, shown),
    note ?? cut ? el("p", { class: "note" }, [note, cut].filter(Boolean).join(". ")) : null,
  );
}

/** Return a box with a JSON value. */
export function valueBox(label, value) {
  return textBox(label, pretty(value));
}

/** Return names and values; those whose value is null are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, ...known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value instanceof Node ? value : el("bdi", {}, value)))));
}

/** Return an id in a type in which its characters can be told apart. */
export function code(text) {
  return el("bdi", { class: "mono" }, text);
}

async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    setText(element, "Copied");
  } catch {
    setText(element, "The browser does not allow it");
  }
}

/** Return a text with its last characters left out if it is long. */
export function clip(text, characters = 200) {
  const shown = visible(text);
  return shown.length > characters ? `${shown.slice(0, characters)}…` : shown;
}
