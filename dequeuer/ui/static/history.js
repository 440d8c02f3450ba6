// The snapshots of the last ten minutes.

const MAX_SPAN_S = 600;
const SPANS_S = [60, 120, 300, MAX_SPAN_S];
const MAX_POINTS = 660;

/** Snapshots in the order of their time. */
export class History {
  constructor() {
    this.points = [];
  }

  /** The last one; null before the first. */
  get last() {
    return this.points.at(-1) ?? null;
  }

  /** The time of the last snapshot in seconds since the epoch: ages are counted from it, not from the clock here. */
  get now() {
    return this.last?.time ?? Date.now() / 1000;
  }

  /** Seconds that the charts show: they grow to ten minutes as snapshots come, so that the first ones can be seen. */
  get span() {
    const age = this.points.length === 0 ? 0 : this.now - this.points[0].time;
    return SPANS_S.find((span) => span >= age) ?? MAX_SPAN_S;
  }

  /** Begin anew, after a connection was opened. */
  restart(points) {
    this.points = points.filter(isSnapshot).slice(-MAX_POINTS);
  }

  /** Add one, and drop those that are too old. */
  add(snapshot) {
    if (!isSnapshot(snapshot) || (this.last !== null && snapshot.time <= this.last.time)) return;
    this.points.push(snapshot);
    const oldest = snapshot.time - MAX_SPAN_S;
    const kept = this.points.findIndex((point) => point.time >= oldest);
    this.points.splice(0, Math.max(kept - 1, this.points.length - MAX_POINTS, 0));
  }

  /** Return the state of an API in the last snapshot; null when it is not there. */
  api(name) {
    return this.last?.apis?.find((api) => api.name === name) ?? null;
  }

  /** Return `[time, number or null]` of an API for each snapshot. */
  series(name, pick) {
    return this.points.map((point) => {
      const api = point.apis?.find((one) => one.name === name);
      return [point.time, api === undefined ? null : (pick(api) ?? null)];
    });
  }
}

// The APIs are null while the server does not know which ones there are.
function isSnapshot(value) {
  return typeof value?.time === "number" && (value.apis === null || Array.isArray(value.apis));
}
