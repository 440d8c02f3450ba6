// The axes of charts: texts of values, and a round number above all of them, whose half is round, too.

import { count, duration, rate } from "./text.js";

const DAY_S = 86400;
const ROUND_TIMES_S = [1, 2, 4, 10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600, 7200, 4 * 3600, 12 * 3600, DAY_S];

/** Whole numbers: at least one. */
export const COUNTS = { format: count, ceiling: (value) => roundAbove(Math.max(value, 1)) };
/** Numbers for each second. */
export const RATES = { format: rate, ceiling: (value) => (value <= 0 ? 1 : roundAbove(value)) };
/** Seconds: from one on in the steps of a clock. */
export const TIMES = {
  format: duration,
  ceiling: (value) => {
    if (value <= 0) return 1;
    if (value <= 1) return roundAbove(value);
    return ROUND_TIMES_S.find((time) => time >= value) ?? Math.ceil(value / 2 / DAY_S) * 2 * DAY_S;
  },
};

function roundAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 10].find((step) => step * power >= value) * power;
}
