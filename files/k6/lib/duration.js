// SPDX-License-Identifier: GPL-3.0-or-later
/** Durations as users write them: `90s`, `1h30m`, `500ms`, or plain seconds. */

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };
const WHOLE = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/**
 * Seconds of a written duration.
 * @param {string|number} value for example `1h30m`, or a number of seconds
 * @param {string} name what the value is called in an error
 * @returns {number} seconds, not negative
 * @throws {string} a sentence, when it cannot be read
 */
export function parseDuration(value, name) {
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!WHOLE.test(text)) {
    throw `${name}: "${value}" is not a duration. Write for example 90s, 10m, 1h30m, or a number of seconds.`;
  }
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(PART)) seconds += Number(amount) * UNIT_SECONDS[unit];
  return seconds;
}
