// SPDX-License-Identifier: GPL-3.0-or-later
/** Warm-up, window and graceful stop of a load test; all times are epoch milliseconds. */

/** Seconds until a load starts: 0 for one without an absolute start, and for one that is late. */
export const secondsToStart = ({ start_at: at }, nowMs) => (at ? Math.max(0, at - nowMs / 1000) : 0);

/**
 * Start and end of warm-up and window for a load that starts then: all shards of a load plan them from the same start, however late each of them is.
 * The result is logged and is the summary's setup_data, from which others read the window.
 * @param {number} nowMs
 * @param {{warmup_s: number, window_s: number}} timing
 */
export function planWindow(nowMs, timing) {
  const start = nowMs + Math.round(timing.warmup_s * 1000);
  return {
    perfscale: 'window',
    warmup_start_ms: nowMs,
    start_ms: start,
    end_ms: start + Math.round(timing.window_s * 1000),
  };
}

/**
 * Create the clock by which a VU stays inside a planned window.
 * @param {{end_ms: number}} window from planWindow
 * @param {{tail_limit_s: number, request_timeout_s: number}} timing
 * @param {function(): number} now the clock, exchangeable in tests
 */
export function createClock(window, timing, now = Date.now) {
  const end = window.end_ms;
  const stopEnd = end + timing.tail_limit_s * 1000;
  const longest = timing.request_timeout_s * 1000;
  return {
    now,
    ended: () => now() >= end,
    /** Seconds until the window ends, not negative, at most `limit`. */
    secondsLeft: (limit) => Math.max(0, Math.min(limit, (end - now()) / 1000)),
    /** Timeout of a request in milliseconds; 0 when none may be sent. A response after the graceful stop would not be recorded. */
    requestTimeout: () => {
      const at = now();
      if (at >= end) return 0;
      return stopEnd - at < longest ? stopEnd - at : longest;
    },
  };
}
