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

/** The number of VUs per journey; null where a VU changes between them. */
export function vusOf({ profile, training_share: share }) {
  if (profile.kind !== 'closed' || (profile.concurrency === 1 && share > 0 && share < 1)) return null;
  const trainers = trainersOf(profile.concurrency, share);
  return { training: trainers, browsing: profile.concurrency - trainers };
}

function closed(settings, common) {
  const { concurrency } = settings.profile;
  const share = settings.training_share;
  const scenario = (vus, name) => ({ executor: 'constant-vus', vus, exec: name, ...common });
  if (concurrency === 1 && share > 0 && share < 1) return { mixed: scenario(1, 'mixed') };
  const used = Object.entries(vusOf(settings)).filter(([, vus]) => vus > 0);
  return Object.fromEntries(used.map(([name, vus]) => [name, scenario(vus, name)]));
}

function open(settings, common) {
  const { rate, users_max: vusMax } = settings.profile;
  const share = settings.training_share;
  const trainers = trainersOf(vusMax, share);
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
  add('training', share, trainers);
  add('browsing', 1 - share, vusMax - trainers);
  return scenarios;
}

/** The trickle that asks for objects of other tenants; none with a single tenant. */
function isolation({ isolation_per_s: rate, tenants }, common) {
  if (!rate || tenants.count < 2) return {};
  const perUnit = Math.max(1, Math.round(rate * RATE_UNIT_S));
  // What finds no free VU is left out: the load goes first.
  const executor = 'constant-arrival-rate';
  return { isolation: { executor, rate: perUnit, timeUnit: `${RATE_UNIT_S}s`, preAllocatedVUs: 2, maxVUs: 2, exec: 'isolation', ...common } };
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
      vus: 1,
      iterations: 1,
      maxDuration: seconds(load + 1),
      gracefulStop: '1s',
      exec: 'heartbeat',
    },
  };
}

/**
 * Thresholds that end a hopeless load at once, without a graceful stop; none without `stop_when`. k6 evaluates them every two seconds.
 * @param {object} settings from settings.js
 */
export function stopThresholds({ profile, stop_when: limits }) {
  if (!limits) return {};
  const stop = (threshold) => [{ threshold, abortOnFail: true, delayAbortEval: seconds(limits.after_s) }];
  return {
    ...(limits.p95_ms ? { http_req_duration: stop(`p(95)<${limits.p95_ms}`) } : {}),
    http_req_failed: stop(`rate<${limits.failed_share}`),
    ...(profile.kind === 'open' ? { iterations: stop(`rate>${limits.served_share * profile.rate}`) } : {}),
  };
}
