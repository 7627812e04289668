// SPDX-License-Identifier: GPL-3.0-or-later
/** When a refused request is worth another try, and how long to wait before it. */

export const ATTEMPTS = 6;
const FIRST_DELAY_S = 0.5;
const LONGEST_DELAY_S = 8;
const LONGEST_RETRY_AFTER_S = 30;

/** True when the server may say yes later: no answer, too many requests, or an error of its own. */
export const retriable = (response) => response.status === 0 || response.status === 429 || response.status >= 500;

/**
 * Seconds to wait before try number `attempt` + 1: doubling, half of it random so that waiters spread;
 * what the server asks for in Retry-After (whole seconds, RFC 9110) is the least, up to a limit.
 */
export function delayOf(response, attempt, random) {
  const doubled = Math.min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (attempt - 1));
  const asked = Number((response.headers || {})['Retry-After']) || 0;
  return Math.max(doubled * (0.5 + random() / 2), Math.min(asked, LONGEST_RETRY_AFTER_S));
}
