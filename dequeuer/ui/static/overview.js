// All APIs: a row for each, and charts that compare them.

import { stateOf } from "./api_head.js";
import { COUNTS, RATES, TIMES } from "./axis.js";
import { LineChart, Sparkline } from "./chart.js";
import { el, replace, setText } from "./dom.js";
import { fillBadge } from "./parts.js";
import { hash } from "./router.js";
import { count, duration, rate } from "./text.js";

const COLUMNS = ["API", "Kind", "State", "In queue", "In flight", "Throughput", "Failures", "p50", "p95", "p99", "Throughput over time"];
const MAX_LINES = 6;
const CHARTS = [
  ["Queue", COUNTS, (api) => api.queue?.messages],
  ["In flight", COUNTS, (api) => api.in_flight],
  ["Throughput", RATES, (api) => api.rate_per_s],
  ["Latency, p95", TIMES, (api) => api.latency_s?.p95],
];

/** The view. `apis` returns those that the page knows, which may be more than those of the last snapshot. */
export class Overview {
  constructor({ history, apis }) {
    this.history = history;
    this.apis = apis;
    this.rows = new Map();
    this.names = "";
    this.charts = [];
    this.body = el("tbody", { role: "rowgroup" });
    this.chartPlace = el("div", { class: "charts" });
    this.note = el("p", { class: "note", hidden: true });
    const head = el("tr", { role: "row" }, ...COLUMNS.map((title, index) => el("th", { role: "columnheader", scope: "col", class: index > 2 ? "number" : null }, title)));
    this.heading = el("h1", { tabindex: -1 }, "Overview");
    this.title = "Overview";
    this.node = el(
      "div",
      { class: "view" },
      el("header", { class: "head" }, this.heading),
      el("table", { class: "apis", role: "table", "aria-label": "APIs" }, el("thead", { role: "rowgroup" }, head), this.body),
      this.chartPlace,
      this.note,
    );
  }

  snapshot() {
    const apis = this.apis();
    const names = JSON.stringify(apis.map((api) => api.name));
    if (names !== this.names) {
      this.names = names;
      this.arrange(apis);
    }
    for (const name of this.rows.keys()) this.write(name);
    for (const { chart, pick, lines } of this.charts) {
      chart.update(lines.map((name) => this.history.series(name, pick)), this.history.now, this.history.span);
    }
  }

  navigate() {}

  close() {}

  arrange(apis) {
    for (const api of apis) if (!this.rows.has(api.name)) this.rows.set(api.name, this.makeRow(api));
    for (const name of this.rows.keys()) if (!apis.some((api) => api.name === name)) this.rows.delete(name);
    replace(this.body, ...apis.map((api) => this.rows.get(api.name).node));
    const lines = apis.slice(0, MAX_LINES).map((api) => api.name);
    this.charts = CHARTS.map(([title, axis, pick]) => {
      const has = title === "Queue" ? apis.filter((api) => api.kind === "AsyncAPI" || api.kind === "BatchAPI").map((api) => api.name) : lines;
      const drawn = has.slice(0, MAX_LINES);
      return { chart: new LineChart(title, axis, drawn.map((name) => ({ name, slot: lines.indexOf(name) < 0 ? 7 : lines.indexOf(name) }))), pick, lines: drawn };
    });
    replace(this.chartPlace, ...this.charts.map(({ chart }) => chart.node));
    this.note.hidden = apis.length <= MAX_LINES;
    setText(this.note, `The charts show the first ${MAX_LINES} of ${apis.length} APIs; the page of an API has its own.`);
  }

  makeRow(api) {
    const cell = (label, name, ...children) => el("td", { role: "cell", class: name, "data-label": label }, ...children);
    const texts = COLUMNS.slice(3, 10).map((label) => ({ label, node: el("span", {}) }));
    const state = el("span", { class: "badge" });
    const spark = new Sparkline();
    const node = el(
      "tr",
      { role: "row" },
      el("th", { role: "rowheader", scope: "row" }, el("a", { href: hash("api", api.name) }, el("bdi", {}, api.name))),
      cell("Kind", "kind-cell", el("span", { class: "kind" }, api.kind)),
      cell("State", "state-cell", state),
      ...texts.map(({ label, node: text }) => cell(label, "number", text)),
      cell("Throughput over time", "spark-cell", spark.node),
    );
    return { node, state, texts: texts.map((text) => text.node), spark };
  }

  write(name) {
    const row = this.rows.get(name);
    const api = this.history.api(name);
    fillBadge(row.state, stateOf(api));
    const latency = api?.latency_s ?? null;
    const texts = [count(api?.queue?.messages), count(api?.in_flight), rate(api?.rate_per_s), rate(api?.failed_per_s), duration(latency?.p50), duration(latency?.p95), duration(latency?.p99)];
    texts.forEach((text, index) => setText(row.texts[index], text));
    row.spark.update(this.history.series(name, (one) => one.rate_per_s), this.history.now, this.history.span);
  }
}
