// Line charts over the last minutes, and the small ones of the overview.

import { COUNTS } from "./axis.js";
import { el, replace, setAttribute, setText, svg } from "./dom.js";
import { duration } from "./text.js";

const WIDTH = 600;
const HEIGHT = 120;
const GAP_S = 15; // a line is not drawn over a time without snapshots

/** A chart with its legend, which shows the values at the pointer, and with the same values as a table. */
export class LineChart {
  /** `series`: a list of `{name, slot}`, where the slot (0 to 7) is the colour. `axis`: of the values. */
  constructor(title, axis, series) {
    this.axis = axis;
    this.lines = series.map(({ name, slot }) => ({
      name,
      points: [],
      path: svg("path", { class: `line slot-${slot}` }),
      value: el("span", { class: "value" }),
      slot,
    }));
    this.ticks = ["top", "middle", "bottom"].map((place) => el("span", { class: `tick at-${place}` }));
    this.drawing = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
      ...[0, 0.5, 1].map((part) => svg("line", { class: "grid-line", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part })),
      this.lines.map((line) => line.path),
    );
    this.cursor = el("span", { class: "cursor", hidden: true });
    const plot = el(
      "div",
      { class: "plot", onpointermove: (event) => this.point(event), onpointerleave: () => this.point(null) },
      this.drawing,
      this.cursor,
    );
    this.since = el("span", {});
    this.when = el("span", {}, "now");
    this.table = el("div", { class: "numbers" });
    this.details = el("details", { ontoggle: () => this.writeTable() }, el("summary", {}, el("span", { class: "hidden" }, `${title} as a `), "Table"), this.table);
    this.title = title;
    this.pointed = null;
    this.end = 0;
    this.span = 0;
    this.node = el(
      "figure",
      { class: "chart" },
      el(
        "figcaption",
        {},
        el("span", { class: "chart-title" }, title),
        el("span", { class: "legend" }, ...this.lines.map((line) => el("span", { class: `key slot-${line.slot}` }, el("bdi", { class: "key-name" }, line.name), line.value))),
      ),
      el("div", { class: "frame" }, el("div", { class: "ticks", "aria-hidden": "true" }, this.ticks), plot),
      el("div", { class: "times", "aria-hidden": "true" }, this.since, this.when),
      this.details,
    );
  }

  /**
   * Draw the series, each a list of `[time, number or null]` in the order of the constructor. `end`: the time now;
   * `span`: seconds before it.
   */
  update(all, end, span) {
    const isAnother = span !== this.span;
    this.end = end;
    this.span = span;
    this.lines.forEach((line, index) => { line.points = all[index]; });
    const known = all.flat().filter(([time, value]) => value !== null && time >= end - span).map(([, value]) => value);
    const largest = this.axis.ceiling(Math.max(0, ...known));
    // An axis without anything on it would say that there is nothing. Half of a count may be none.
    const isHalf = this.axis !== COUNTS || largest % 2 === 0;
    const ticks = known.length === 0 ? ["", "", ""] : [this.axis.format(largest), isHalf ? this.axis.format(largest / 2) : "", "0"];
    ticks.forEach((text, index) => setText(this.ticks[index], text));
    setText(this.since, `${duration(span)} ago`);
    for (const line of this.lines) setAttribute(line.path, "d", pathOf(line.points, { end, span, largest, width: WIDTH, height: HEIGHT }));
    const now = this.lines.map((line) => `${line.name} ${this.axis.format(line.points.at(-1)?.[1] ?? null)}`);
    setAttribute(this.drawing, "aria-label", `${this.title}, last ${span === 60 ? "minute" : `${span / 60} minutes`}. Now: ${now.join(", ")}`);
    this.writeLegend();
    if (this.details.open && (isAnother || this.written === undefined || end - this.written >= 10)) this.writeTable();
  }

  point(event) {
    const box = event?.currentTarget.getBoundingClientRect();
    this.pointed = box === undefined ? null : Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.cursor.hidden = this.pointed === null;
    if (this.pointed !== null) this.cursor.style.insetInlineStart = `${this.pointed * 100}%`;
    this.writeLegend();
  }

  writeLegend() {
    const time = this.pointed === null ? this.end : this.end - this.span * (1 - this.pointed);
    for (const line of this.lines) setText(line.value, this.axis.format(valueAt(line.points, time)));
    setText(this.when, this.pointed === null ? "now" : new Date(time * 1000).toLocaleTimeString("en-GB"));
  }

  writeTable() {
    if (!this.details.open) return;
    this.written = this.end;
    const rows = [];
    const step = Math.max(this.span / 10, 10);
    for (let ago = 0; ago <= this.span; ago += step) {
      const cells = this.lines.map((line) => el("td", {}, this.axis.format(valueAt(line.points, this.end - ago))));
      rows.push(el("tr", {}, el("th", { scope: "row" }, ago === 0 ? "now" : `${duration(ago)} ago`), cells));
    }
    const head = el("tr", {}, el("th", { scope: "col" }, "Time"), ...this.lines.map((line) => el("th", { scope: "col" }, el("bdi", {}, line.name))));
    replace(this.table, el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
  }
}

/** A line without axes. It is decoration: the numbers are beside it. */
export class Sparkline {
  constructor() {
    this.path = svg("path", { class: "line slot-0" });
    this.node = svg("svg", { class: "spark", viewBox: "0 0 120 24", preserveAspectRatio: "none", "aria-hidden": "true" }, this.path);
  }

  update(points, end, span) {
    const largest = Math.max(1e-9, ...points.map(([, value]) => value ?? 0));
    setAttribute(this.path, "d", pathOf(points, { end, span, largest, width: 120, height: 22 }));
  }
}

/** Return the path of a line. It is interrupted where a value is not known. */
function pathOf(points, { end, span, largest, width, height }) {
  let path = "";
  let before = null;
  for (const [time, value] of points) {
    const x = width * (1 - (end - time) / span);
    if (x < -5) continue;
    if (value === null) {
      before = null;
      continue;
    }
    const y = height - (largest === 0 ? 0 : value / largest) * (height - 2) - 1;
    path += `${before === null || time - before > GAP_S ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = time;
  }
  return path;
}

function valueAt(points, time) {
  let found = null;
  for (const [at, value] of points) {
    if (at > time + 1) break;
    if (time - at <= GAP_S) found = value;
  }
  return found;
}

