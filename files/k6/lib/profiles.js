// SPDX-License-Identifier: GPL-3.0-or-later
/** Load profiles as k6 scenarios. A scenario has the name of the journey that its VUs run. */

/** k6 accepts integers per time unit: rates are exact to a thousandth of a journey per second. */
const RATE_UNIT_S = 1000;

const seconds = (value) => `${Math.round(value * 1000)}ms`;

/** The number of training VUs among `vus`: with two or more at least one of each journey, unless the share is 0 or 1. */
export function trainersOf(vus, share) {
  if (share === 0 || share === 1) return vus * share;
  return Math.min(vus - 1, Math.max(1, Math.round(share * vus)));
}

/** The VUs of each journey: those that a load of several shards is given, since each scenario is divided on its own, else by the share. */
function divided(vus, { training_share: share, vus: given }) {
  const training = trainersOf(vus, share);
  return given || { training, browsing: vus - training };
}

/** The number of VUs per journey; null where a VU changes between them. */
export function vusOf(settings) {
  const { profile, training_share: share, vus } = settings;
  if (profile.kind !== 'closed' || (!vus && profile.concurrency === 1 && share > 0 && share < 1)) return null;
  return divided(profile.concurrency, settings);
}

function closed(settings, common) {
  const scenario = (vus, name) => ({ executor: 'constant-vus', vus, exec: name, ...common });
  const vusByJourney = vusOf(settings);
  if (vusByJourney === null) return { mixed: scenario(1, 'mixed') };
  const used = Object.entries(vusByJourney).filter(([, vus]) => vus > 0);
  return Object.fromEntries(used.map(([name, vus]) => [name, scenario(vus, name)]));
}

function open(settings, common) {
  const { rate, users_max: vusMax } = settings.profile;
  const share = settings.training_share;
  const vus = divided(vusMax, settings);
  const scenarios = {};
  const add = (name, part, maxVUs) => {
    const perUnit = Math.round(rate * part * RATE_UNIT_S);
    if (perUnit === 0) return;
    scenarios[name] = {
      executor: 'constant-arrival-rate',
      rate: perUnit,
      timeUnit: `${RATE_UNIT_S}s`,
      // All of them, since k6 drops arrivals while it creates a VU.
      preAllocatedVUs: maxVUs,
      maxVUs,
      exec: name,
      ...common,
    };
  };
  add('training', share, vus.training);
  add('browsing', 1 - share, vus.browsing);
  return scenarios;
}

/** The trickle that asks for objects of other tenants; none with a single tenant. */
function isolation({ isolation_per_s: rate, tenants, shards }, common) {
  if (!rate || tenants.count < 2) return {};
  const perUnit = Math.max(1, Math.round(rate * RATE_UNIT_S));
  // What finds no free VU is left out: the load goes first. k6 divides a rate as it divides the VUs, so every shard has as many.
  const vus = Math.ceil(2 / shards) * shards;
  const executor = 'constant-arrival-rate';
  return { isolation: { executor, rate: perUnit, timeUnit: `${RATE_UNIT_S}s`, preAllocatedVUs: vus, maxVUs: vus, exec: 'isolation', ...common } };
}

/** The profiles by kind. */
export const PROFILES = { closed, open };

/**
 * k6's `scenarios` for the settings. Warm-up and window are one load; a request in flight when the window ends
 * has the graceful stop to finish.
 */
export function scenariosOf(settings) {
  const load = settings.warmup_s + settings.window_s;
  const common = { duration: seconds(load), gracefulStop: seconds(settings.tail_limit_s + 1) };
  return {
    ...PROFILES[settings.profile.kind](settings, common),
    ...isolation(settings, common),
    heartbeat: {
      executor: 'per-vu-iterations',
      // One in each shard.
      vus: settings.shards,
      iterations: 1,
      maxDuration: seconds(load + 1),
      gracefulStop: '1s',
      exec: 'heartbeat',
    },
  };
}

/**
 * Thresholds that end a hopeless load at once, without a graceful stop; none without `stop_when`. k6 evaluates them every two seconds, each shard on
 * its own requests.
 * @param {object} settings from settings.js
 * @param {number} waitS how long the load will wait for its start (seconds), which k6 counts as part of it
 */
export function stopThresholds({ profile, stop_when: limits, shards }, waitS = 0) {
  if (!limits) return {};
  const stop = (threshold) => [{ threshold, abortOnFail: true, delayAbortEval: seconds(waitS + limits.after_s) }];
  // The least that the share of time without the wait can be when k6 evaluates: lenient, so that the wait alone stops no load.
  const active = limits.after_s / (waitS + limits.after_s);
  return {
    ...(limits.p95_ms ? { http_req_duration: stop(`p(95)<${limits.p95_ms}`) } : {}),
    http_req_failed: stop(`rate<${limits.failed_share}`),
    ...(profile.kind === 'open' ? { iterations: stop(`rate>${(limits.served_share * profile.rate * active) / shards}`) } : {}),
  };
}
