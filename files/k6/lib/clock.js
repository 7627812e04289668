// SPDX-License-Identifier: GPL-3.0-or-later
/** Warm-up, window and tail of a load test; all times are epoch milliseconds. */

/**
 * When warm-up and window begin and end, if the load starts now.
 * The result is logged and kept as the summary's setup_data: it is how others learn the window.
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
 * Questions a user asks about a planned window.
 * @param {{end_ms: number}} window from planWindow
 * @param {{tail_limit_s: number, request_timeout_s: number}} timing
 * @param {function(): number} now the clock, exchangeable in tests
 */
export function createClock(window, timing, now = Date.now) {
  const end = window.end_ms;
  const tailEnd = end + timing.tail_limit_s * 1000;
  const longest = timing.request_timeout_s * 1000;
  return {
    now,
    ended: () => now() >= end,
    /** Seconds until the window ends, not negative, at most `limit`. */
    secondsLeft: (limit) => Math.max(0, Math.min(limit, (end - now()) / 1000)),
    /** Milliseconds a request may take; 0 when none may be sent. An answer after the tail would not be recorded at all. */
    requestTimeout: () => {
      const at = now();
      if (at >= end) return 0;
      return tailEnd - at < longest ? tailEnd - at : longest;
    },
  };
}
