// Texts for people: characters that hide or reorder others are shown as escapes, and numbers keep their digits.

// Controls except tab and line feed; soft hyphen; directional marks, embeddings, overrides and isolates; characters of no
// width; separators; surrogates without a partner; interlinear marks; tags.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Return a text in which every character that cannot be seen is an escape: `\u202e`. */
export function visible(value) {
  return String(value).replace(UNSAFE, (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`);
}

/** Return the value of a JSON text. Numbers that a double cannot hold keep their text, where the browser has this. */
export function parseExact(text) {
  if (typeof JSON.rawJSON !== "function") return JSON.parse(text);
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    // Each level of a text takes a call, and one that is nested deep has too many of them.
    if (!(error instanceof RangeError)) throw error;
    return JSON.parse(text);
  }
}

function exact(_name, value, context) {
  const isOther = typeof value === "number" && context?.source !== undefined && String(value) !== context.source;
  return isOther ? JSON.rawJSON(context.source) : value;
}

// The indents of a text that is nested deep could be a thousand times its size.
const PRETTY_CHARACTERS = 16e6;

/** Return a JSON value as text for people: with indents, unless it would become too large. */
export function pretty(value) {
  try {
    const compact = JSON.stringify(value) ?? "";
    return compact.length * levels(compact) > PRETTY_CHARACTERS ? compact : (JSON.stringify(value, null, 2) ?? "");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "This is nested too deep to be shown here.";
  }
}

/** Return a text for people: with indents when it is JSON, as it is when it is not. */
export function prettyText(text) {
  try {
    return pretty(parseExact(text));
  } catch {
    return text;
  }
}

/** Return how many levels a JSON text has at most; a bracket in a string counts, too. */
function levels(text) {
  let level = 1;
  let deepest = 1;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "[" || character === "{") deepest = Math.max(deepest, (level += 1));
    else if (character === "]" || character === "}") level -= 1;
  }
  return deepest;
}

/** Return what is wrong with a JSON text; null when nothing is. */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message;
  }
}

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const LARGE = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
/** What stands where a number is not known. */
export const UNKNOWN = "–";

/** Return a count: `1,234`, `1.23M`. */
export function count(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return Math.abs(value) >= 1e6 ? LARGE.format(value) : COUNT.format(value);
}

/** Return a count with its noun: `1 job`, `1,234 jobs`. */
export function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Return a rate: `0.25/s`, `12.5/s`, `1,234/s`. */
export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === 0) return "0/s";
  return `${value >= 100 ? count(value) : Number(value.toPrecision(value >= 10 ? 3 : 2))}/s`;
}

/** Return a time of seconds: `4 ms`, `1.2 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return UNKNOWN;
  if (seconds < 0.0005) return "0 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return two(minutes, "min", Math.round(seconds) % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** Return a time that was counted in whole seconds: one that is below a second is not known any better. */
export function wholeSeconds(value) {
  return value !== null && value < 1 ? "< 1 s" : duration(value);
}

/** Return the time from one date in a document to another. Most of them have whole seconds. */
export function between(from, to) {
  const [begin, end] = [seconds(from), seconds(to)];
  if (begin === null || end === null) return UNKNOWN;
  return from.includes(".") && to.includes(".") ? duration(end - begin) : wholeSeconds(end - begin);
}

function two(large, largeUnit, small, smallUnit) {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Return a size: `512 B`, `1.5 KiB`, `3 MiB`. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const unit = bytes < 1024 ** 2 ? 1 : 2;
  return `${Number((bytes / 1024 ** unit).toPrecision(3))} ${["", "KiB", "MiB"][unit]}`;
}

/** Return seconds since the epoch of a date in a document; null when there is none. */
export function seconds(date) {
  const found = typeof date === "string" ? Date.parse(date) / 1000 : NaN;
  return Number.isNaN(found) ? null : found;
}

/** Return the time of day, in the time zone of the browser. */
export function clock(date) {
  const found = seconds(date);
  return found === null ? UNKNOWN : new Date(found * 1000).toLocaleTimeString("en-GB");
}

const WORDS = new Map([
  ["in_queue", "in queue"],
  ["in_progress", "in progress"],
  ["completed_with_failures", "with failures"],
  ["timed_out", "timed out"],
  ["enqueue_failed", "enqueue failed"],
  ["worker_error", "worker error"],
  ["worker_oom", "out of memory"],
  ["unexpected_error", "unexpected error"],
]);
const TONES = {
  good: ["completed", "succeeded", "ready"],
  bad: ["failed", "completed_with_failures", "timed_out", "enqueue_failed", "worker_error", "worker_oom", "unexpected_error", "not ready"],
  busy: ["in_progress", "running", "enqueuing", "retried"],
  held: ["paused", "stopping", "cancelling", "cancelled", "stopped", "expired"],
};

/** Return the words of a status. */
export function words(status) {
  return WORDS.get(status) ?? String(status ?? UNKNOWN);
}

/** Return the name of the colour of a status: `good`, `bad`, `busy`, `held`, `calm`. */
export function tone(status) {
  return Object.keys(TONES).find((name) => TONES[name].includes(status)) ?? "calm";
}
