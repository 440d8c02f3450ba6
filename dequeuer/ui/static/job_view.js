// A job: how far it is, its items, and the result of one of them.

import { button, outcome } from "./action.js";
import { ask } from "./dialog.js";
import { el, replace, setText } from "./dom.js";
import { ItemGrid } from "./item_grid.js";
import { doneRatio, failedRatio, shownStatus, tookOf } from "./jobs_view.js";
import { badge, code, facts, Figures, fillBadge, Progress, valueBox } from "./parts.js";
import { hash } from "./router.js";
import { address, change, read } from "./server.js";
import { clock, count, counted, duration, rate, words } from "./text.js";

const BLOCK_ITEMS = 500;
const MAX_READINGS = 4;
const MAX_BLOCKS = 12; // each may have 4 MiB of results

/** The view. */
export class JobView {
  constructor({ api, id, history, announce }) {
    this.api = api;
    this.id = id;
    this.history = history;
    this.announce = announce;
    this.hasItems = api.kind === "BatchAPI";
    this.title = `${api.name}, job ${id}`;
    this.abort = new AbortController();
    this.job = null;
    this.blocks = new Map();
    this.wanted = new Set();
    this.reading = new Set();
    this.item = null;
    this.make();
    this.read();
  }

  snapshot() {
    if (this.job === null) return;
    this.figures.update({ took: tookOf(this.job, this.history.now) });
  }

  jobs({ api, jobs }) {
    const found = api === this.api.name ? jobs.find((job) => job.job_id === this.id) : undefined;
    if (found === undefined) return;
    this.write(found);
    this.renewItems();
  }

  renew() {
    this.read();
    this.renewItems();
  }

  navigate({ item }) {
    if (item !== null && !this.hasItems) return false;
    this.item = item;
    this.grid.choose(item);
    this.writeItem();
    if (item !== null) this.want(Math.floor(item / BLOCK_ITEMS));
    return true;
  }

  close() {
    this.abort.abort();
    this.grid.close();
  }

  make() {
    this.outcome = outcome();
    this.state = el("span", { class: "badge", hidden: true });
    this.figures = new Figures(
      [["done", "Items done"], ["failed", "Failed"], ["batches", "Batches done"], ["rate", "Rate"], ["eta", "Remaining"], ["took", "Took"], ["workers", "Workers"]].map(([name, label]) => ({ name, label })),
    );
    this.progress = new Progress("Items done");
    this.facts = el("div", {});
    this.fault = el("p", { class: "fault", role: "alert", hidden: true });
    this.stop = button("Stop", this.outcome, () => this.askStop(), { class: "danger", hidden: true });
    this.pause = button("Pause", this.outcome, () => this.pauseOrResume(), { hidden: true });
    this.heading = el("h1", { tabindex: -1 }, "Job ", code(this.id));
    this.grid = new ItemGrid({
      label: `Items of job ${this.id}`,
      open: (index) => { location.replace(hash("api", this.api.name, "job", this.id, "item", index)); },
      need: (from, to) => this.need(from, to),
    });
    this.left = el("p", { class: "note" });
    this.itemFault = el("p", { class: "fault", hidden: true });
    this.itemPlace = el("section", { class: "item-result", "aria-live": "polite", "aria-label": "Item" }, el("p", { class: "note" }, "Choose an item to see its result or its error."));
    this.itemsPlace = el(
      "section",
      { class: "items-place", hidden: true },
      el("header", { class: "list-head" }, el("h2", {}, "Items"), legend()),
      this.itemFault,
      el("div", { class: "items-and-result" }, el("div", {}, this.grid.node, this.left), this.itemPlace),
    );
    this.node = el(
      "div",
      { class: "view" },
      el("p", { class: "trail" }, el("a", { href: hash("api", this.api.name) }, el("bdi", {}, this.api.name))),
      el("header", { class: "head" }, this.heading, this.state, el("p", { class: "buttons" }, this.pause, this.stop)),
      this.outcome,
      this.fault,
      this.progress.node,
      this.figures.node,
      this.facts,
      this.itemsPlace,
    );
  }

  async read() {
    try {
      const report = await read(address(this.api.name, ["jobs", this.id]), this.abort.signal);
      this.fault.hidden = true;
      this.write(report.job_status);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fault.hidden = false;
      setText(this.fault, error.message);
    }
  }

  write(job) {
    const before = this.job;
    this.job = job;
    if (before !== null && before.status !== job.status) this.announce(`The job is ${words(job.status)}`);
    const hasEnded = job.end_time !== undefined;
    const progress = job.progress ?? {};
    fillBadge(this.state, shownStatus(job));
    this.stop.hidden = hasEnded;
    this.pause.hidden = hasEnded || !this.hasItems;
    setText(this.pause, job.paused ? "Resume" : "Pause");
    const total = progress.items_total ?? null;
    const workers = Object.entries(job.worker_counts ?? {}).map(([state, workersOf]) => `${workersOf} ${state}`).join(", ");
    this.figures.update({
      done: total === null ? count(progress.items_done) : `${count(progress.items_done)} of ${count(total)}`,
      failed: count(progress.items_failed),
      batches: progress.batches_total == null ? count(progress.batches_done) : `${count(progress.batches_done)} of ${count(progress.batches_total)}`,
      rate: rate(hasEnded ? null : progress.rate),
      eta: hasEnded ? "–" : duration(progress.eta_seconds),
      took: tookOf(job, this.history.now),
      workers: workers || count(job.workers),
    });
    const ratio = doneRatio(progress);
    this.progress.node.hidden = ratio === null;
    this.progress.update(ratio, failedRatio(progress));
    replace(
      this.facts,
      facts([["Submitted", clock(job.start_time)], ["Ended", job.end_time ? clock(job.end_time) : null], ["Results", job.output?.s3_path]]),
      job.error ? el("section", { class: "error-box" }, el("h2", {}, "Error"), el("p", { class: "error-text" }, el("bdi", {}, job.error.message ?? "")), facts([["File", job.error.source], ["Byte", job.error.offset]])) : null,
    );
    if (this.hasItems && total !== null) this.setTotal(total);
    else if (this.total === undefined) this.want(0);
  }

  setTotal(total) {
    this.total = total;
    this.itemsPlace.hidden = total === 0;
    const left = this.grid.setTotal(total);
    setText(this.left, left > 0 ? `${counted(left, "more item")}: the results are in S3.` : "");
  }

  // Items are read in blocks. Those with items that wait are read again when the job changes.
  need(from, to) {
    for (let block = Math.floor(from / BLOCK_ITEMS); block * BLOCK_ITEMS < to; block += 1) {
      if (!this.blocks.has(block) && !this.reading.has(block)) this.want(block);
    }
  }

  renewItems() {
    for (const [block, items] of this.blocks) {
      if (!items.some((item) => item.state === "waiting")) continue;
      if (this.isSeen(block)) this.want(block);
      else this.blocks.delete(block);
    }
    if (this.blocks.size === 0) this.want(0);
  }

  isSeen(block) {
    const [first, last] = this.grid.window.range;
    const columns = Math.max(this.grid.columns, 1);
    return block * BLOCK_ITEMS <= (last + 1) * columns && (block + 1) * BLOCK_ITEMS >= first * columns;
  }

  /** Whether a block is of use now: it is seen, or has the item whose result is shown. */
  isNeeded(block) {
    return this.isSeen(block) || (this.item !== null && block === Math.floor(this.item / BLOCK_ITEMS));
  }

  // The results of blocks that were seen long ago are dropped, and read again when somebody comes back to them.
  keep(block, items) {
    this.blocks.delete(block);
    this.blocks.set(block, items);
    for (const known of this.blocks.keys()) {
      if (this.blocks.size > MAX_BLOCKS && !this.isNeeded(known)) this.blocks.delete(known);
    }
  }

  want(block) {
    if (!this.hasItems) return;
    this.wanted.add(block);
    this.readItems();
  }

  // A block that is wanted again while it is read is read again afterwards: what comes may be older than the change.
  readItems() {
    for (const block of this.wanted) {
      if (this.reading.size >= MAX_READINGS) return;
      if (this.reading.has(block)) continue;
      this.wanted.delete(block);
      if (this.grid.total > 0 && !this.isNeeded(block)) continue; // it was scrolled past
      this.reading.add(block);
      this.readBlock(block).finally(() => {
        this.reading.delete(block);
        this.readItems();
      });
    }
  }

  async readBlock(block) {
    try {
      const from = block * BLOCK_ITEMS;
      const { total, items } = await read(address(this.api.name, ["jobs", this.id, "items"], { from, limit: BLOCK_ITEMS }), this.abort.signal);
      if (typeof total === "number") this.setTotal(total);
      this.keep(block, items);
      this.itemFault.hidden = true;
      this.grid.setStates(items);
      this.writeItem();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.itemFault.hidden = false;
      setText(this.itemFault, error.message);
      this.itemsPlace.hidden = false;
    }
  }

  writeItem() {
    if (this.item === null) return;
    const item = (this.blocks.get(Math.floor(this.item / BLOCK_ITEMS)) ?? []).find(({ index }) => index === this.item);
    const text = JSON.stringify([this.item, item]);
    if (text === this.itemText) return;
    this.itemText = text;
    const state = item?.state ?? null;
    let note = state === "waiting" ? "It has no result yet." : null;
    // The server leaves out what is too large.
    if (state === "completed" && !("result" in item)) note = "Its result is too large, or nested too deep, to be shown here: it is in the results of the job.";
    if (state === "failed" && !("error" in item)) note = "Its error is too large, or nested too deep, to be shown here: it is in the results of the job.";
    replace(
      this.itemPlace,
      el("p", { class: "status-line" }, el("strong", {}, `Item ${this.item}`), state === null ? null : badge(state)),
      note === null ? null : el("p", { class: "note" }, note),
      item !== undefined && "error" in item ? errorOf(item.error) : null,
      item !== undefined && "result" in item ? valueBox("Result", item.result) : null,
    );
  }

  async askStop() {
    if (!(await ask("Stop the job?", "Its workers finish what they have begun. What is done stays done; the rest is not done.", "Stop the job"))) return "";
    await change("DELETE", address(this.api.name, ["jobs", this.id]));
    this.read();
    return "The stop is requested.";
  }

  async pauseOrResume() {
    const action = this.job.paused ? "resume" : "pause";
    await change("PUT", address(this.api.name, ["jobs", this.id], { action }));
    this.read();
    return action === "pause" ? "The pause is requested." : "The job goes on.";
  }
}

function errorOf(error) {
  if (typeof error !== "object" || error === null) return valueBox("Error", error);
  return el("section", { class: "error-box" }, el("h3", {}, "Error"), el("p", { class: "error-text" }, el("bdi", {}, error.message ?? "")), facts([["Code", error.code], ["Attempts", error.attempts]]));
}

function legend() {
  const names = [["completed", "done"], ["failed", "failed"], ["waiting", "waiting"]];
  return el("p", { class: "item-legend", "aria-hidden": "true" }, ...names.map(([state, name]) => el("span", {}, el("span", { class: "item", "data-state": state }, state === "failed" ? "×" : ""), name)));
}
