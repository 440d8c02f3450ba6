// A table of any number of rows: one row can be reached by Tab, the others by the arrow keys; Enter or a click opens one.

import { el, setAttribute, setText } from "./dom.js";
import { barOf, fillBar } from "./parts.js";
import { Window } from "./windowed.js";

const NARROW = matchMedia("(max-width: 640px)");
const ROW_PX = 34;
const NARROW_ROW_PX = 60;
const AHEAD_ROWS = 20;

/** The table. Its rows are those of `setRows`. */
export class Table {
  /**
   * `columns`: a list of `{title, name, text(row), tone?(row), ratio?(row), failed?(row)}`. `key(row)` tells rows apart.
   * `open(row)` is called for a row that is chosen, `more()` after each drawing in which the last rows are seen.
   */
  constructor({ label, columns, key, open, more }) {
    this.columns = columns;
    this.key = key;
    this.rows = [];
    this.active = null;
    this.more = more;
    this.open = open;
    const head = el("div", { class: "row head", role: "row", "aria-rowindex": 1 }, ...columns.map((column) => el("div", { class: `cell col-${column.name}`, role: "columnheader" }, column.title)));
    this.body = el("div", { class: "rows", role: "rowgroup" });
    this.node = el("div", { class: "table", role: "grid", "aria-label": label, "aria-colcount": columns.length }, el("div", { role: "rowgroup", class: "heads" }, head), this.body);
    this.window = new Window(this.node, this.body, () => this.makeRow(), (element, index) => this.writeRow(element, index), () => this.reach());
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    this.body.addEventListener("focusin", (event) => this.focused(event));
    this.resize = () => this.measure();
    NARROW.addEventListener("change", this.resize);
    this.measure();
  }

  /** Show these rows. What is seen stays where it is when rows are added above it. */
  setRows(rows) {
    const before = this.node.scrollTop >= this.window.rowHeight ? this.rows[this.window.range[0]] : undefined;
    const place = this.window.range[0];
    this.rows = rows;
    this.window.total = rows.length;
    setAttribute(this.node, "aria-rowcount", rows.length + 1);
    const had = this.active;
    const { pinned } = this.window;
    if (had === null || !this.has(had)) this.active = rows.length === 0 ? null : this.key(rows[0]);
    this.window.pinned = this.indexOf(this.active);
    if (before !== undefined) {
      const now = this.indexOf(this.key(before));
      if (now > place) this.node.scrollTop += (now - place) * this.window.rowHeight;
    }
    if (had !== this.active || this.window.pinned !== pinned) this.followFocus();
    this.window.ask();
  }

  /** Draw again, because texts have changed (ages). */
  refresh() {
    this.window.ask();
  }

  /** Put the focus on the row that Tab reaches. */
  focus() {
    this.moveTo(this.indexOf(this.active));
  }

  /** Do what gives the focus back to the element that had it: it may show another row by now, and the row another element. */
  keepActive(act) {
    const active = this.active;
    act();
    if (this.body.contains(document.activeElement)) this.moveTo(this.indexOf(active));
  }

  close() {
    NARROW.removeEventListener("change", this.resize);
    this.window.close();
  }

  measure() {
    this.window.rowHeight = NARROW.matches ? NARROW_ROW_PX : ROW_PX;
    this.window.header = NARROW.matches ? 0 : ROW_PX;
    // Every row has another place now.
    for (const [index, element] of this.window.shown) element.style.transform = `translateY(${index * this.window.rowHeight}px)`;
    this.window.ask();
  }

  has(key) {
    return this.indexOf(key) >= 0;
  }

  indexOf(key) {
    if (key === null) return -1;
    const near = this.window.pinned;
    if (near >= 0 && near < this.rows.length && this.key(this.rows[near]) === key) return near;
    return this.rows.findIndex((row) => this.key(row) === key);
  }

  makeRow() {
    const cells = this.columns.map((column, index) => {
      const text = el(column.tone === undefined ? "bdi" : "span", { class: column.tone === undefined ? "text" : "badge" });
      const bar = column.ratio === undefined ? null : barOf("span", { class: "bar", "aria-hidden": "true" });
      return el("div", { class: `cell col-${column.name}`, role: "gridcell", "aria-colindex": index + 1 }, text, bar);
    });
    return el("div", { class: "row", role: "row", tabindex: -1 }, ...cells);
  }

  writeRow(element, index) {
    const row = this.rows[index];
    setAttribute(element, "aria-rowindex", index + 2);
    setAttribute(element, "tabindex", index === this.window.pinned ? 0 : -1);
    this.columns.forEach((column, place) => {
      const [text, bar] = element.children[place].children;
      setText(text, column.text(row));
      if (column.tone !== undefined) setAttribute(text, "data-tone", column.tone(row));
      if (bar !== undefined) {
        const ratio = column.ratio(row);
        if (bar.hidden !== (ratio === null)) bar.hidden = ratio === null;
        fillBar(bar, ratio ?? 0, column.failed?.(row) ?? 0);
      }
    });
  }

  rowOf(event) {
    const element = event.target.closest(".row");
    return element === null ? -1 : Number(element.getAttribute("aria-rowindex")) - 2;
  }

  clicked(event) {
    const index = this.rowOf(event);
    // A person who selects text of a row does not want to open it.
    if (index < 0 || index >= this.rows.length || getSelection()?.type === "Range") return;
    this.moveTo(index);
    this.open(this.rows[index]);
  }

  focused(event) {
    const index = this.rowOf(event);
    if (index < 0 || index >= this.rows.length || index === this.window.pinned) return;
    this.active = this.key(this.rows[index]);
    this.window.pinned = index;
    this.window.ask();
  }

  pressed(event) {
    const index = this.rowOf(event);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (this.rows[index] !== undefined) this.open(this.rows[index]);
      return;
    }
    const page = Math.max(1, this.window.range[1] - this.window.range[0] - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (steps[event.key] === undefined || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.moveTo(Math.min(Math.max(index + steps[event.key], 0), this.rows.length - 1));
  }

  moveTo(index) {
    if (index < 0 || index >= this.rows.length) return;
    this.active = this.key(this.rows[index]);
    this.window.pinned = index;
    this.window.reveal(index);
    const element = this.window.element(index);
    element.focus({ preventScroll: true });
    // The table may be higher than what is seen of the page.
    element.scrollIntoView({ block: "nearest" });
  }

  // Rows were added above the one with the focus: it has another element now.
  followFocus() {
    if (!this.body.contains(document.activeElement)) return;
    this.window.draw();
    this.window.element(this.window.pinned)?.focus({ preventScroll: true });
  }

  // A page of a list may have no rows although there is a next one, and all rows may be seen without scrolling.
  reach() {
    if (this.window.range[1] >= this.rows.length - AHEAD_ROWS) this.more();
  }
}
