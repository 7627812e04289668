// SPDX-License-Identifier: GPL-3.0-or-later
/** A virtual user: draws a tenant, runs one journey after the other, thinks in between, stops at the end of the window. */
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';
import { createClient, failureReason, isSuccess, selectedValue } from './client.js';
import { createClock } from './clock.js';
import { createChooser, createRandom } from './random.js';

const REPORTED_FAILURES = 3;
const IDLE_S = 0.25;
const INTERRUPTED = 'interrupted';
const journeyDuration = new Trend('journey_duration', true);

/**
 * Create a VU that runs journeys.
 * @param {object} settings from settings.js
 * @param {object} journeys name -> function(send, random)
 */
export function createVirtualUser(settings, journeys) {
  const client = createClient(settings.mlflow);
  const chooseTenant = createChooser(settings.tenants.count, settings.tenants.choice);
  const { profile } = settings;
  const thinkTime = profile.kind === 'closed' ? settings.think_time_s : 0;
  let reported = 0;

  function report(request, tenant, response) {
    if (reported >= REPORTED_FAILURES) return;
    reported += 1;
    console.warn(`operation ${request.name}: ${failureReason(response)} (${tenant}).`);
  }

  /** Run one journey and return its outcome. */
  function run(name, tenant, random, clock) {
    let failures = 0;
    /** Send one request; null when it failed, else what the request selects of the response, or true. */
    function send(request) {
      const timeout = clock.requestTimeout();
      if (timeout === 0) throw INTERRUPTED;
      const response = client.send(request, timeout);
      const value = isSuccess(response) ? selectedValue(response, request) : null;
      if (value === null) {
        failures += 1;
        report(request, tenant, response);
        if (thinkTime > 0) sleep(clock.secondsLeft(thinkTime));
      }
      return value;
    }
    try {
      journeys[name](send, random);
    } catch (reason) {
      if (reason !== INTERRUPTED) throw reason;
      return INTERRUPTED;
    }
    return failures > 0 ? 'failed' : 'completed';
  }

  /** Run one iteration: `name` is a journey, or null when the VU draws it by the training share. */
  function iterate(name, window) {
    const clock = createClock(window, settings);
    if (clock.ended()) {
      sleep(IDLE_S);
      return;
    }
    const { scenario, vu } = exec;
    const random = createRandom(settings.seed, scenario.name, scenario.iterationInTest);
    const tenant = `${settings.tenants.prefix}${chooseTenant(random)}`;
    const journey = name || (random() < settings.training_share ? 'training' : 'browsing');
    vu.metrics.metadata.tenant = tenant;
    vu.metrics.metadata.journey = journey;
    client.actAs(tenant);
    const started = clock.now();
    let outcome = 'failed';
    try {
      outcome = run(journey, tenant, random, clock);
    } finally {
      journeyDuration.add(clock.now() - started, { journey, outcome });
      if (thinkTime > 0) sleep(clock.secondsLeft(thinkTime) || IDLE_S);
    }
  }

  return { iterate };
}
