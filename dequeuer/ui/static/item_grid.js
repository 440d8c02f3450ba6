// The items of a job, a cell for each. The cells are a grid for the keyboard: arrows, Home and End, Page Up and Page Down.

import { el, setAttribute, setText } from "./dom.js";
import { words } from "./text.js";
import { MAX_HEIGHT_PX, Window } from "./windowed.js";

const PITCH_PX = 24; // what a finger hits

/** The grid. `open(index)` is called for an item that is chosen, `need(from, to)` for items that are seen. */
export class ItemGrid {
  constructor({ label, open, need }) {
    this.open = open;
    this.need = need;
    this.states = new Map();
    this.total = 0;
    this.columns = 0;
    this.active = 0;
    this.chosen = null;
    this.body = el("div", { class: "rows", role: "rowgroup" });
    this.node = el("div", { class: "items", role: "grid", "aria-label": label }, this.body);
    this.window = new Window(this.node, this.body, () => this.makeRow(), (element, index) => this.writeRow(element, index));
    this.window.rowHeight = PITCH_PX;
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    this.node.addEventListener("scroll", () => this.ask(), { passive: true });
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.node);
  }

  /** Show so many items. Return how many there is no room for. */
  setTotal(total) {
    const room = Math.floor(MAX_HEIGHT_PX / PITCH_PX) * Math.max(this.columns, 1);
    const shown = Math.min(total, room);
    if (shown !== this.total) {
      this.total = shown;
      this.active = Math.min(this.active, Math.max(shown - 1, 0));
      this.arrange();
    }
    return total - shown;
  }

  /** Set states of items: a list of `{index, state}`. */
  setStates(items) {
    for (const { index, state } of items) this.states.set(index, state);
    this.window.ask();
  }

  /** Mark the item whose result is shown; null for none. */
  choose(index) {
    this.chosen = index;
    if (index !== null && index < this.total) {
      this.active = index;
      this.pin();
    }
    this.window.ask();
  }

  /** Ask for the items that are seen. */
  ask() {
    if (this.columns === 0 || this.total === 0) return;
    const [first, last] = this.window.range;
    this.need(first * this.columns, Math.min((last + 1) * this.columns, this.total));
  }

  /** Put the focus on an item. */
  focus(index) {
    if (this.columns === 0 || index < 0 || index >= this.total) return;
    this.active = index;
    this.pin();
    this.window.reveal(Math.floor(index / this.columns));
    const cell = this.cell(index);
    cell?.focus({ preventScroll: true });
    // The grid may be higher than what is seen of the page.
    cell?.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.observer.disconnect();
    this.window.close();
  }

  measure() {
    const columns = Math.max(1, Math.floor((this.node.clientWidth - 12) / PITCH_PX));
    if (columns === this.columns || this.node.clientWidth === 0) return;
    this.columns = columns;
    this.window.free.length = 0;
    this.window.shown.clear();
    this.body.replaceChildren();
    setAttribute(this.node, "aria-colcount", columns);
    this.arrange();
  }

  arrange() {
    if (this.columns === 0) return;
    this.window.total = Math.ceil(this.total / this.columns);
    setAttribute(this.node, "aria-rowcount", this.window.total);
    this.pin();
    this.window.ask();
    this.ask();
  }

  pin() {
    this.window.pinned = this.total === 0 || this.columns === 0 ? -1 : Math.floor(this.active / this.columns);
  }

  cell(index) {
    return this.window.element(Math.floor(index / this.columns))?.children[index % this.columns] ?? null;
  }

  makeRow() {
    const cells = Array.from({ length: this.columns }, () => el("div", { class: "item", role: "gridcell", tabindex: -1 }));
    return el("div", { class: "row", role: "row" }, ...cells);
  }

  writeRow(element, row) {
    setAttribute(element, "aria-rowindex", row + 1);
    for (let column = 0; column < this.columns; column += 1) {
      const cell = element.children[column];
      const index = row * this.columns + column;
      const isThere = index < this.total;
      if (cell.hidden === isThere) cell.hidden = !isThere;
      if (!isThere) continue;
      const state = this.states.get(index) ?? "unknown";
      setAttribute(cell, "data-state", state);
      setAttribute(cell, "aria-colindex", column + 1);
      setAttribute(cell, "aria-label", `Item ${index}, ${state === "completed" ? "done" : words(state)}`);
      setAttribute(cell, "aria-selected", index === this.chosen ? "true" : "false");
      setAttribute(cell, "tabindex", index === this.active ? 0 : -1);
      setText(cell, state === "failed" ? "×" : "");
    }
  }

  indexOf(event) {
    const cell = event.target.closest(".item");
    if (cell === null) return -1;
    const row = Number(cell.parentElement.getAttribute("aria-rowindex")) - 1;
    return row * this.columns + Number(cell.getAttribute("aria-colindex")) - 1;
  }

  clicked(event) {
    const index = this.indexOf(event);
    if (index < 0 || index >= this.total) return;
    this.focus(index);
    this.open(index);
  }

  pressed(event) {
    const index = this.indexOf(event);
    if (index < 0) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(index);
      return;
    }
    const page = Math.max(1, this.window.range[1] - this.window.range[0]) * this.columns;
    const start = index - (index % this.columns);
    const places = {
      ArrowRight: index + 1,
      ArrowLeft: index - 1,
      ArrowDown: index + this.columns,
      ArrowUp: index - this.columns,
      PageDown: index + page,
      PageUp: index - page,
      Home: event.ctrlKey ? 0 : start,
      End: event.ctrlKey ? this.total - 1 : start + this.columns - 1,
    };
    const place = places[event.key];
    if (place === undefined || event.altKey || event.metaKey) return;
    event.preventDefault();
    const isRow = event.key === "ArrowDown" || event.key === "ArrowUp";
    if (isRow && (place < 0 || place >= this.total)) return;
    this.focus(Math.min(Math.max(place, 0), this.total - 1));
  }
}
