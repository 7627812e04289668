// SPDX-License-Identifier: GPL-3.0-or-later
/** A virtual user: draws a tenant, runs one journey after the other, thinks in between, stops at the end of the window. */
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { WrongAnswer, createClient, failureReason, isSuccess, readAnswer } from './client.js';
import { createClock } from './clock.js';
import { createChooser, createRandom } from './random.js';

const REPORTED_FAILURES = 3;
const IDLE_S = 0.25;
const INTERRUPTED = 'interrupted';
/** The mean number of requests between two whose body is read, although the journey needs nothing of it: a share of 1/20. */
const READ_EVERY = 20;
const journeyDuration = new Trend('journey_duration', true);
const wrongAnswers = new Counter('wrong_answers');

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
  let drawGap = null;
  let untilRead = 0;

  function report(request, tenant, reason) {
    if (reported >= REPORTED_FAILURES) return;
    reported += 1;
    console.warn(`operation ${request.name}: ${reason} (${tenant}).`);
  }

  /** Draw which of the following requests is read, although the journey needs nothing of it: a draw for each request would cost more. */
  function drawNextRead() {
    drawGap = drawGap || createRandom(settings.seed, 'read', exec.vu.idInTest);
    untilRead = 1 + Math.floor(drawGap() * (2 * READ_EVERY - 1));
  }

  /** Record that the last request, a success to k6, failed. Its duration is what identifies its row in the raw output. */
  function recordWrongAnswer(request, response, kind) {
    const { metadata } = exec.vu.metrics;
    metadata.answer = kind;
    metadata.duration_ms = response.timings.duration.toFixed(6);
    wrongAnswers.add(1, { name: request.name });
    delete metadata.answer;
    delete metadata.duration_ms;
  }

  /** What the request selects of the response, or true; null when it failed, with the failure recorded. */
  function answerOf(request, response, reads, tenant) {
    if (!isSuccess(response)) {
      report(request, tenant, failureReason(response));
      return null;
    }
    try {
      return readAnswer(response, request, reads);
    } catch (reason) {
      if (!(reason instanceof WrongAnswer)) throw reason;
      // k6 knows of a body that did not arrive completely.
      if (!response.error_code) recordWrongAnswer(request, response, reason.kind);
      report(request, tenant, response.error || reason.details);
      return null;
    }
  }

  /** Run one journey and return its outcome. */
  function run(name, tenant, random, clock) {
    let failures = 0;
    /** Send one request; null when it failed, else what the request selects of the response, or true. */
    function send(request) {
      const timeout = clock.requestTimeout();
      if (timeout === 0) throw INTERRUPTED;
      let reads = request.select !== undefined;
      if (!reads) {
        untilRead -= 1;
        reads = untilRead === 0;
        if (reads) drawNextRead();
      }
      const value = answerOf(request, client.send(request, timeout, reads), reads, tenant);
      if (value === null) {
        failures += 1;
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
    if (untilRead === 0) drawNextRead();
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
