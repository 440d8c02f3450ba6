// The table of a paged list, with a note about how much of it is here, and what stands there when it is empty.

import { show } from "./action.js";
import { el, setText } from "./dom.js";
import { MAX_ROWS } from "./paged_list.js";
import { counted } from "./text.js";

/** The place. */
export class ListPlace {
  /** `noun`: what the rows are, as one of them; `none`: what is said when there are none. `controls` stand beside the heading. */
  constructor({ title, table, noun, none, controls = [] }) {
    this.table = table;
    this.noun = noun;
    this.none = none;
    this.note = el("p", { class: "note" });
    this.empty = el("p", { class: "empty", hidden: true });
    this.node = el("section", { class: "list" }, el("header", { class: "list-head" }, el("h2", {}, title), ...controls), table.node, this.empty, this.note);
  }

  /** Show what a `PagedList` has. */
  show({ rows, isLoading, isWhole, fault }) {
    this.table.setRows(rows);
    const more = rows.length >= MAX_ROWS ? ", more are not kept" : isWhole ? "" : isLoading ? ", reading more" : ", scroll for more";
    show(this.note, fault ?? (rows.length === 0 ? "" : `${counted(rows.length, this.noun)}${more}`), fault !== null);
    this.table.node.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0 || fault !== null;
    setText(this.empty, isLoading ? `Reading the ${this.noun}s.` : this.none);
  }
}
