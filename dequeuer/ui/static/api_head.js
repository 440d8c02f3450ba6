// What the views of all kinds of APIs begin with: name, kind, state, buttons, numbers and charts.

import { outcome } from "./action.js";
import { COUNTS, RATES, TIMES } from "./axis.js";
import { LineChart } from "./chart.js";
import { el } from "./dom.js";
import { Figures, fillBadge } from "./parts.js";
import { count, duration, rate } from "./text.js";

const QUEUE_FIGURES = [
  { name: "queue", label: "In queue" },
  { name: "delayed", label: "Delayed" },
  { name: "dead", label: "Dead letters" },
];
const FIGURES = [
  { name: "inFlight", label: "In flight" },
  { name: "rate", label: "Throughput" },
  { name: "failedRate", label: "Failures" },
  { name: "p50", label: "p50" },
  { name: "p95", label: "p95" },
  { name: "p99", label: "p99" },
  { name: "completed", label: "Completed" },
  { name: "failed", label: "Failed" },
];

/** Return the word for the state of an API; null when nothing is known of it. */
export function stateOf(api) {
  if (api === null || api === undefined) return null;
  if (api.paused) return "paused";
  if (api.ready === false) return "not ready";
  return api.ready === true ? "ready" : null;
}

/** The head of the view of an API. */
export class ApiHead {
  /** `api`: `{name, kind, endpoint}`; `history`: the snapshots. Buttons of the view are appended to `buttons`. */
  constructor(api, history) {
    this.api = api;
    this.history = history;
    this.hasQueue = api.kind === "AsyncAPI" || api.kind === "BatchAPI";
    this.state = el("span", { class: "badge" });
    this.buttons = el("p", { class: "buttons" });
    this.outcome = outcome();
    this.figures = new Figures([...(this.hasQueue ? QUEUE_FIGURES : []), ...FIGURES]);
    this.charts = this.makeCharts();
    this.title = el("h1", { tabindex: -1 }, el("bdi", {}, api.name));
    this.node = el(
      "div",
      { class: "api-head" },
      el("header", { class: "head" }, this.title, el("span", { class: "kind" }, api.kind), this.state, el("bdi", { class: "mono endpoint" }, api.endpoint ?? ""), this.buttons),
      this.outcome,
      this.figures.node,
      el("div", { class: "charts" }, ...this.charts.map(({ chart }) => chart.node)),
    );
  }

  /** Show the last snapshot. */
  snapshot() {
    const api = this.history.api(this.api.name);
    fillBadge(this.state, stateOf(api));
    const queue = api?.queue ?? null;
    const latency = api?.latency_s ?? null;
    this.figures.update({
      ...(this.hasQueue ? { queue: count(queue?.messages), delayed: count(queue?.delayed), dead: count(queue?.dead) } : {}),
      inFlight: count(api?.in_flight),
      rate: rate(api?.rate_per_s),
      failedRate: rate(api?.failed_per_s),
      p50: duration(latency?.p50),
      p95: duration(latency?.p95),
      p99: duration(latency?.p99),
      completed: count(api?.completed),
      failed: count(api?.failed),
    });
    for (const { chart, picks } of this.charts) {
      chart.update(picks.map((pick) => this.history.series(this.api.name, pick)), this.history.now, this.history.span);
    }
  }

  makeCharts() {
    const queue = { title: "Queue", axis: COUNTS, series: [["in queue", 0, (api) => api.queue?.messages], ["delayed", 4, (api) => api.queue?.delayed]] };
    const others = [
      { title: "In flight", axis: COUNTS, series: [["in flight", 0, (api) => api.in_flight]] },
      { title: "Throughput", axis: RATES, series: [["all", 0, (api) => api.rate_per_s], ["failed", 3, (api) => api.failed_per_s]] },
      {
        title: "Latency",
        axis: TIMES,
        series: [["p50", 2, (api) => api.latency_s?.p50], ["p95", 0, (api) => api.latency_s?.p95], ["p99", 1, (api) => api.latency_s?.p99]],
      },
    ];
    return [...(this.hasQueue ? [queue] : []), ...others].map(({ title, axis, series }) => ({
      chart: new LineChart(title, axis, series.map(([name, slot]) => ({ name, slot }))),
      picks: series.map(([, , pick]) => pick),
    }));
  }
}
