// Which rows of a long list have elements: those that are seen, a few around them, and the one with the focus. Elements
// are used again for other rows, so that ten thousand rows cost as much as fifty.

const OVERSCAN = 8;
/** Browsers draw no element that is much higher: the rows beyond are left out, and the view says so. */
export const MAX_HEIGHT_PX = 8e6;

/** The rows of a scrolling element. */
export class Window {
  /**
   * `scroller`: the element that scrolls. `body`: the element in it that holds the rows. `make` returns a new row,
   * `write(element, index)` shows a row in it. `drawn` is called after each frame in which something was drawn.
   */
  constructor(scroller, body, make, write, drawn = () => {}) {
    this.scroller = scroller;
    this.body = body;
    this.make = make;
    this.write = write;
    this.drawn = drawn;
    this.rowHeight = 1;
    this.total = 0;
    this.pinned = -1;
    this.shown = new Map();
    this.free = [];
    this.asked = false;
    this.header = 0;
    scroller.addEventListener("scroll", () => this.ask(), { passive: true });
    this.observer = new ResizeObserver(() => this.ask());
    this.observer.observe(scroller);
  }

  /** Draw before the next frame; any number of changes until then are drawn once. */
  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
      this.drawn();
    });
  }

  /** The first and the last row that are seen, at least in part. */
  get range() {
    const first = Math.floor(this.scroller.scrollTop / this.rowHeight);
    const seen = Math.ceil((this.scroller.clientHeight - this.header) / this.rowHeight);
    return [Math.max(0, Math.min(first, this.total - 1)), Math.min(first + seen, this.total - 1)];
  }

  /** Draw now. */
  draw() {
    const [first, last] = this.range;
    const from = Math.max(0, first - OVERSCAN);
    const to = Math.min(this.total - 1, last + OVERSCAN);
    this.body.style.blockSize = `${Math.min(this.total * this.rowHeight, MAX_HEIGHT_PX)}px`;
    for (const [index, element] of this.shown) {
      if ((index < from || index > to) && (index !== this.pinned || index >= this.total)) {
        this.shown.delete(index);
        this.free.push(element);
      }
    }
    for (let index = from; index <= to; index += 1) this.place(index);
    if (this.pinned >= 0 && this.pinned < this.total) this.place(this.pinned);
    // Those that were not used again stay, hidden, for the next time.
    for (const element of this.free) element.hidden = true;
  }

  /** Return the element of a row; null when it has none. */
  element(index) {
    return this.shown.get(index) ?? null;
  }

  /** Scroll until a row is seen. Its element is there then. */
  reveal(index) {
    const top = index * this.rowHeight;
    const height = this.scroller.clientHeight - this.header;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > this.scroller.scrollTop + height) this.scroller.scrollTop = top + this.rowHeight - height;
    this.draw();
  }

  /** Stop watching the size. */
  close() {
    this.observer.disconnect();
  }

  place(index) {
    let element = this.shown.get(index);
    if (element === undefined) {
      element = this.free.pop() ?? this.make();
      // In the order of the rows, which is that of screen readers. Only elements that are used again are moved: moving the
      // one with the focus would end its focus.
      this.body.insertBefore(element, this.after(index));
      this.shown.set(index, element);
      element.hidden = false;
      element.style.transform = `translateY(${index * this.rowHeight}px)`;
    }
    this.write(element, index);
  }

  after(index) {
    let next = Infinity;
    for (const shown of this.shown.keys()) if (shown > index && shown < next) next = shown;
    return this.shown.get(next) ?? null;
  }
}
