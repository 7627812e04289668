// SPDX-License-Identifier: GPL-3.0-or-later
/** Measures the scheduling delay of the generator itself: a timer that should fire at fixed instants. */
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';

const INTERVAL_MS = 100;
const schedulingDelay = new Trend('heartbeat_lateness', true);

/**
 * Beat until the window ends. Every instant missed during a stall of the generator
 * is recorded with its own delay, so a stall weighs as much as it lasted.
 * @param {{end_ms: number}} window from planWindow
 */
export function beat(window) {
  for (let due = Date.now() + INTERVAL_MS; due < window.end_ms; due += INTERVAL_MS) {
    const wait = due - Date.now();
    if (wait > 0) sleep(wait / 1000);
    schedulingDelay.add(Math.max(0, Date.now() - due));
  }
}
