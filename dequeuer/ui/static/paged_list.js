// A list that the server gives in pages, the newest first, with the changes that it sends. It is kept to a number of rows.

import { address, read } from "./server.js";

const PAGE_ROWS = 100;
const RETRY_MS = 5000;
/** More are dropped, the oldest first. */
export const MAX_ROWS = 20000;

/** Documents by id, in the order of their time. */
export class PagedList {
  /**
   * `api`: its name; `name`: `requests` or `jobs`, the part of the address and the field of the answer; `id` and `time`:
   * the fields that tell documents apart and order them.
   */
  constructor({ api, name, id, time, changed }) {
    this.api = api;
    this.name = name;
    this.id = id;
    this.time = time;
    this.changed = changed;
    this.restart({});
  }

  /** Begin anew. `filter`: parameters for the server, and fields that documents must have here. */
  restart(filter) {
    this.abort?.abort();
    this.abort = new AbortController();
    this.filter = filter;
    this.documents = new Map();
    this.rows = [];
    this.next = null;
    this.isWhole = false;
    this.isLoading = false;
    this.fault = null;
    this.failedAt = -Infinity;
  }

  /** Read the next page, unless one is being read, there is none, or the last try failed just now. It may be called at any time. */
  async more() {
    if (this.isLoading || this.isWhole || this.rows.length >= MAX_ROWS) return;
    if (performance.now() - this.failedAt < RETRY_MS) return;
    const { signal } = this.abort;
    this.isLoading = true;
    this.changed();
    try {
      const page = await read(address(this.api, [this.name], { ...this.filter, limit: PAGE_ROWS, after: this.next }), signal);
      this.next = page.next ?? null;
      this.isWhole = this.next === null;
      this.isLoading = false;
      this.fault = null;
      this.merge(page[this.name] ?? []);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.isLoading = false;
      this.fault = error.message;
      this.failedAt = performance.now();
      this.changed();
    }
  }

  /** Read the first page again, for what changed while nothing was heard. What failed need not wait any more. */
  async renew() {
    this.failedAt = -Infinity;
    const isFirstToCome = this.next === null && !this.isWhole;
    if (isFirstToCome) {
      this.more();
      return;
    }
    const { signal } = this.abort;
    try {
      const page = await read(address(this.api, [this.name], { ...this.filter, limit: PAGE_ROWS }), signal);
      this.merge(page[this.name] ?? []);
    } catch {
      // The page says already that the server cannot be reached; the next connection renews again.
    }
  }

  /** Take documents that are new, or that have changed. */
  merge(documents) {
    let added = false;
    for (const given of documents) {
      const id = given[this.id];
      if (typeof id !== "string") continue;
      const matches = Object.entries(this.filter).every(([name, value]) => given[name] === value);
      if (matches) {
        added ||= !this.documents.has(id);
        this.documents.set(id, given);
      } else if (this.documents.delete(id)) added = true;
    }
    if (added) this.order();
    else this.rows = this.rows.map((row) => this.documents.get(row[this.id]));
    this.changed();
  }

  close() {
    this.abort.abort();
  }

  order() {
    const key = (row) => row[this.time] ?? "";
    this.rows = [...this.documents.values()].sort((one, other) => (key(one) < key(other) ? 1 : key(one) > key(other) ? -1 : one[this.id] < other[this.id] ? -1 : 1));
    for (const row of this.rows.splice(MAX_ROWS)) this.documents.delete(row[this.id]);
  }
}
