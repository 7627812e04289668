// SPDX-License-Identifier: GPL-3.0-or-later
/** Load profiles as k6 scenarios. A scenario is called like the journey that its users make. */

/** k6 wants whole numbers per time unit: rates are kept to a thousandth of a journey per second. */
const RATE_UNIT_S = 1000;
/** Seconds that an open user is expected to be busy with one journey, for the number made beforehand. */
const EXPECTED_JOURNEY_S = 10;

const seconds = (value) => `${Math.round(value * 1000)}ms`;

/** How many of `users` train: never none of two or more, unless the share is 0 or 1 itself. */
export function trainersOf(users, share) {
  if (share === 0 || share === 1) return users * share;
  return Math.min(users - 1, Math.max(1, Math.round(share * users)));
}

/** Which journey how many users make all the time; null where a user changes between them. */
export function usersOf({ profile, training_share: share }) {
  if (profile.kind !== 'closed' || (profile.concurrency === 1 && share > 0 && share < 1)) return null;
  const trainers = trainersOf(profile.concurrency, share);
  return { training: trainers, browsing: profile.concurrency - trainers };
}

function closed(settings, common) {
  const users = settings.profile.concurrency;
  const share = settings.training_share;
  const scenario = (vus, name) => ({ executor: 'constant-vus', vus, exec: name, ...common });
  if (users === 1 && share > 0 && share < 1) return { mixed: scenario(1, 'mixed') };
  const busy = Object.entries(usersOf(settings)).filter(([, vus]) => vus > 0);
  return Object.fromEntries(busy.map(([name, vus]) => [name, scenario(vus, name)]));
}

function open(settings, common) {
  const { rate, users_max: usersMax } = settings.profile;
  const share = settings.training_share;
  const trainers = trainersOf(usersMax, share);
  const scenarios = {};
  const add = (name, part, users) => {
    const perUnit = Math.round(rate * part * RATE_UNIT_S);
    if (perUnit === 0) return;
    scenarios[name] = {
      executor: 'constant-arrival-rate',
      rate: perUnit,
      timeUnit: `${RATE_UNIT_S}s`,
      preAllocatedVUs: Math.min(users, Math.ceil(rate * part * EXPECTED_JOURNEY_S)),
      maxVUs: users,
      exec: name,
      ...common,
    };
  };
  add('training', share, trainers);
  add('browsing', 1 - share, usersMax - trainers);
  return scenarios;
}

/** The known profiles. */
export const PROFILES = { closed, open };

/**
 * k6's `scenarios` for the settings: warm-up and window run without a seam; a user who is in the middle of a request
 * when the window ends has the tail to finish it.
 */
export function scenariosOf(settings) {
  const load = settings.warmup_s + settings.window_s;
  const common = { duration: seconds(load), gracefulStop: seconds(settings.tail_limit_s + 1) };
  return {
    ...PROFILES[settings.profile.kind](settings, common),
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
