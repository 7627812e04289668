// SPDX-License-Identifier: GPL-3.0-or-later
/** Measures how late the generator itself is: a timer that should fire at fixed instants. */
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';

const INTERVAL_MS = 100;
const lateness = new Trend('heartbeat_lateness', true);

/**
 * Beats until the window ends. Every instant missed while the generator stood still
 * is recorded with its own lateness, so a stall weighs as much as it lasted.
 */
export function beat(window) {
  for (let due = Date.now() + INTERVAL_MS; due < window.end_ms; due += INTERVAL_MS) {
    const wait = due - Date.now();
    if (wait > 0) sleep(wait / 1000);
    lateness.add(Math.max(0, Date.now() - due));
  }
}
