// What the document of a request says, in words for its list and its panel.

const HAS_ENDED = new Set(["completed", "failed"]);
const ENDS = new Set(["cancelled", "expired"]);

/** Return whether a request has ended. */
export function hasEnded(request) {
  return HAS_ENDED.has(request.status);
}

/** Return the status of a request for people: its cancellation, asked for or done, and its expiry come before the rest. */
export function shownStatus(request) {
  if (hasEnded(request)) return ENDS.has(request.error?.code) ? request.error.code : request.status;
  return request.cancel_requested ? "cancelling" : request.status;
}

/** Return how far a request is, from 0 to 1; null when it is not known. */
export function ratioOf(progress) {
  const value = progress?.progress;
  return typeof value === "number" && value >= 0 && value <= 1 ? value : null;
}

/** Return how far a request is as text: its part done, and what it said. */
export function progressText(progress) {
  const ratio = ratioOf(progress);
  return [ratio === null ? progress?.progress : `${Math.round(ratio * 100)} %`, progress?.message].filter((part) => part !== undefined && part !== null).join(" ");
}
