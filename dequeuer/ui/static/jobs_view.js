// A batch or task API: its jobs.

import { ApiHead } from "./api_head.js";
import { el } from "./dom.js";
import { ListPlace } from "./list_place.js";
import { PagedList } from "./paged_list.js";
import { clip } from "./parts.js";
import { hash, leave } from "./router.js";
import { address, change } from "./server.js";
import { SubmitDialog } from "./submit.js";
import { Table } from "./table.js";
import { UNKNOWN, clock, count, seconds, tone, wholeSeconds, words } from "./text.js";

const BATCH_EXAMPLE = `{
  "workers": 1,
  "item_list": {"items": [1, 2, 3, 4], "batch_size": 2}
}`;
const TASK_EXAMPLE = `{
  "config": {}
}`;

/** The view. */
export class JobsView {
  constructor({ api, history, announce }) {
    this.api = api;
    this.history = history;
    this.announce = announce;
    this.title = api.name;
    this.dialog = null;
    this.head = new ApiHead(api, history);
    this.heading = this.head.title;
    this.head.buttons.append(el("a", { class: "button primary", href: hash("api", api.name, "submit") }, "Submit"));
    this.list = new PagedList({ api: api.name, name: "jobs", id: "job_id", time: "start_time", changed: () => this.place.show(this.list) });
    this.table = new Table({
      label: `Jobs of ${api.name}`,
      columns: this.columns(),
      key: (row) => row.job_id,
      open: (row) => { location.hash = hash("api", api.name, "job", row.job_id); },
      more: () => this.list.more(),
    });
    this.table.node.classList.add("jobs");
    this.place = new ListPlace({ title: "Jobs", table: this.table, noun: "job", none: "No jobs yet." });
    this.node = el("div", { class: "view" }, this.head.node, this.place.node);
    this.list.more();
  }

  snapshot() {
    this.head.snapshot();
    this.table.refresh();
  }

  jobs({ api, jobs }) {
    if (api === this.api.name) this.list.merge(jobs);
  }

  renew() {
    this.list.renew();
  }

  navigate({ view }) {
    this.dialog?.close();
    this.dialog = null;
    if (view === null) return true;
    if (view !== "submit") return false;
    this.dialog = new SubmitDialog({
      api: this.api,
      leave: () => leave(hash("api", this.api.name)),
      submit: (body) => this.submit(body),
      text: this.api.kind === "BatchAPI" ? BATCH_EXAMPLE : TASK_EXAMPLE,
      isJson: true,
      noun: "job",
    });
    return true;
  }

  close() {
    this.dialog?.close();
    this.list.close();
    this.table.close();
  }

  async submit(body) {
    const { job_id: id } = await change("POST", address(this.api.name, ["jobs"]), body);
    this.announce(`Submitted job ${id}`);
    location.replace(hash("api", this.api.name, "job", id));
  }

  columns() {
    return [
      { name: "status", title: "Status", text: (row) => words(shownStatus(row)), tone: (row) => tone(shownStatus(row)) },
      { name: "id", title: "Job", text: (row) => row.job_id },
      { name: "workers", title: "Workers", text: (row) => count(row.workers) },
      { name: "created", title: "Submitted", text: (row) => clock(row.start_time) },
      { name: "took", title: "Took", text: (row) => tookOf(row, this.history.now) },
      { name: "failures", title: "Failed", text: (row) => count(row.progress?.items_failed) },
      {
        name: "message",
        title: "Items done",
        text: (row) => (row.error?.message === undefined ? itemsText(row.progress) : clip(row.error.message)),
        ratio: (row) => (row.error === undefined ? doneRatio(row.progress) : null),
        failed: (row) => failedRatio(row.progress),
      },
    ];
  }
}

/** Return the status of a job for people: a stop or a pause that is asked for comes before the rest. */
export function shownStatus(job) {
  if (job.end_time === undefined && job.stopping) return "stopping";
  if (job.end_time === undefined && job.paused) return "paused";
  return job.status;
}

/** Return the part of a job that is done, from 0 to 1; null while it is not known. */
export function doneRatio(progress) {
  const total = progress?.items_total ?? null;
  if (total === null || total === 0 || progress.items_done === null) return null;
  return Math.min((progress.items_done ?? 0) / total, 1);
}

/** Return the part of a job that is done and failed, from 0 to 1. */
export function failedRatio(progress) {
  const total = progress?.items_total ?? 0;
  return total === 0 ? 0 : Math.min((progress.items_failed ?? 0) / total, 1);
}

/** Return how long a job took, or takes so far. */
export function tookOf(job, now) {
  const from = seconds(job.start_time);
  if (from === null) return UNKNOWN;
  return wholeSeconds(Math.max(0, (seconds(job.end_time) ?? now) - from));
}

function itemsText(progress) {
  if (progress === undefined || progress === null) return "";
  const { items_done: done, items_total: total } = progress;
  if (done === null || done === undefined) return "";
  return total === null || total === undefined ? count(done) : `${count(done)} of ${count(total)}`;
}
