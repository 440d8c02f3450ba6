// Line charts over the last ten minutes, and the small ones of the overview.

import { el, replace, setAttribute, setText, svg } from "./dom.js";
import { SPAN_S } from "./history.js";

const WIDTH = 600;
const HEIGHT = 120;
const TABLE_STEP_S = 60;
const GAP_S = 15; // a line is not drawn over a time without snapshots

/** A chart with its legend, which shows the values at the pointer, and with the same values as a table. */
export class LineChart {
  /** `series`: a list of `{name, slot}`, where the slot (0 to 7) is the colour. `format` makes texts of values. */
  constructor(title, format, series) {
    this.format = format;
    this.lines = series.map(({ name, slot }) => ({
      name,
      points: [],
      path: svg("path", { class: `line slot-${slot}` }),
      value: el("span", { class: "value" }),
      slot,
    }));
    this.top = el("span", { class: "tick at-top" });
    this.middle = el("span", { class: "tick at-middle" });
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
    this.when = el("span", { class: "when" }, "now");
    this.table = el("div", { class: "numbers" });
    this.details = el("details", { ontoggle: () => this.writeTable() }, el("summary", {}, el("span", { class: "hidden" }, `${title} as a `), "Table"), this.table);
    this.title = title;
    this.pointed = null;
    this.end = 0;
    this.node = el(
      "figure",
      { class: "chart" },
      el(
        "figcaption",
        {},
        el("span", { class: "chart-title" }, title),
        el("span", { class: "legend" }, ...this.lines.map((line) => el("span", { class: `key slot-${line.slot}` }, el("bdi", { class: "key-name" }, line.name), line.value))),
      ),
      el("div", { class: "frame" }, el("div", { class: "ticks", "aria-hidden": "true" }, this.top, this.middle, el("span", { class: "tick at-bottom" }, "0")), plot),
      el("div", { class: "times", "aria-hidden": "true" }, el("span", {}, "10 min ago"), this.when),
      this.details,
    );
  }

  /** Draw the series, each a list of `[time, number or null]` in the order of the constructor. `end`: the time now. */
  update(all, end) {
    this.end = end;
    this.lines.forEach((line, index) => { line.points = all[index]; });
    const largest = niceCeiling(Math.max(0, ...all.flatMap((points) => points.map(([, value]) => value ?? 0))));
    setText(this.top, this.format(largest));
    // Half of a small count is no count.
    const half = this.format(largest / 2);
    setText(this.middle, half === this.format(largest) ? "" : half);
    for (const line of this.lines) setAttribute(line.path, "d", pathOf(line.points, end, largest, WIDTH, HEIGHT));
    const now = this.lines.map((line) => `${line.name} ${this.format(line.points.at(-1)?.[1] ?? null)}`);
    setAttribute(this.drawing, "aria-label", `${this.title}, last 10 minutes. Now: ${now.join(", ")}`);
    this.writeLegend();
    if (this.details.open && (this.written === undefined || end - this.written >= 10)) this.writeTable();
  }

  point(event) {
    const box = event?.currentTarget.getBoundingClientRect();
    this.pointed = box === undefined ? null : Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.cursor.hidden = this.pointed === null;
    if (this.pointed !== null) this.cursor.style.insetInlineStart = `${this.pointed * 100}%`;
    this.writeLegend();
  }

  writeLegend() {
    const time = this.pointed === null ? this.end : this.end - SPAN_S * (1 - this.pointed);
    for (const line of this.lines) setText(line.value, this.format(valueAt(line.points, time)));
    setText(this.when, this.pointed === null ? "now" : new Date(time * 1000).toLocaleTimeString("en-GB"));
  }

  writeTable() {
    if (!this.details.open) return;
    this.written = this.end;
    const rows = [];
    for (let ago = 0; ago <= SPAN_S; ago += TABLE_STEP_S) {
      const cells = this.lines.map((line) => el("td", {}, this.format(valueAt(line.points, this.end - ago))));
      rows.push(el("tr", {}, el("th", { scope: "row" }, ago === 0 ? "now" : `${ago / 60} min ago`), cells));
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

  update(points, end) {
    const largest = Math.max(1e-9, ...points.map(([, value]) => value ?? 0));
    setAttribute(this.path, "d", pathOf(points, end, largest, 120, 22));
  }
}

/** Return the path of a line. It is interrupted where a value is not known. */
export function pathOf(points, end, largest, width, height) {
  let path = "";
  let before = null;
  for (const [time, value] of points) {
    const x = width * (1 - (end - time) / SPAN_S);
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

function niceCeiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].find((step) => step * power >= value) * power;
}

