// SPDX-License-Identifier: GPL-3.0-or-later
/** Validates the configuration of a script. Every error is one sentence that names the allowed values. */
import { PROFILES } from './profiles.js';

const DISTRIBUTIONS = ['uniform', 'zipf', 'noisy'];
/** The keys of a data set's shape. */
export const SHAPE = [
  'experiments_per_tenant', 'runs_per_experiment', 'metrics_per_run', 'params_per_run', 'artifacts_per_run',
  'prompts_per_experiment',
];

function integer(value, name, least) {
  if (!Number.isInteger(value) || value < least) {
    throw `${name}: "${value}" is not allowed. Use a whole number from ${least}.`;
  }
  return value;
}

function number(value, name, least, most = Infinity) {
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw `${name}: "${value}" is not allowed. Use a number from ${least}${most < Infinity ? ` to ${most}` : ''}.`;
  }
  return value;
}

function positive(value, name) {
  if (typeof value !== 'number' || !(value > 0)) throw `${name}: "${value}" is not allowed. Use a number above 0.`;
  return value;
}

function oneOf(value, name, choices) {
  if (!choices.includes(value)) throw `${name}: "${value}" is unknown. Use one of: ${choices.join(', ')}.`;
  return value;
}

function part(config, name) {
  if (typeof config[name] !== 'object' || config[name] === null) {
    throw `${name}: missing. Use an object as in files/schemas.`;
  }
  return config[name];
}

function validateMlflow(mlflow) {
  if (/^[^/]*\/\/[^/]*@/.test(mlflow.url || '')) {
    // Not shown: it may be a password.
    throw 'mlflow.url (MLFLOW_URL): user information in the URL. Remove it, and put user:password into the token file, or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.';
  }
  if (!/^https?:\/\/[^/]/.test(mlflow.url || '')) {
    throw `mlflow.url (MLFLOW_URL): "${mlflow.url || ''}" is not a URL. Use http://… or https://….`;
  }
  return { ...mlflow, url: mlflow.url.replace(/\/+$/, ''), tls_verify: mlflow.tls_verify !== false };
}

function validateChoice(choice) {
  oneOf(choice.distribution, 'tenants.choice.distribution', DISTRIBUTIONS);
  if (choice.distribution === 'zipf') positive(choice.exponent, 'tenants.choice.exponent');
  if (choice.distribution === 'noisy') positive(choice.factor, 'tenants.choice.factor');
}

function validateProfile(profile) {
  oneOf(profile.kind, 'profile.kind', Object.keys(PROFILES));
  if (profile.kind === 'closed') {
    integer(profile.concurrency, 'profile.concurrency (CONCURRENCY)', 1);
  } else {
    positive(profile.rate, 'profile.rate (RATE)');
    integer(profile.users_max, 'profile.users_max', 2);
  }
}

/** The parts of a load that several shards share; a load without them is one whole. */
function validateShards({ shards = 1, vus = null, start_at: startAt = null }) {
  integer(shards, 'shards', 1);
  if (startAt !== null) positive(startAt, 'start_at');
  if (vus !== null) ['training', 'browsing'].forEach((journey) => integer(vus[journey], `vus.${journey}`, 0));
  return { shards, vus, start_at: startAt };
}

/**
 * Validate the settings of the load (files/schemas/load_config.json).
 * @returns {object} the settings with the URL and TLS verification normalized
 * @throws {string} the error, as one sentence
 */
export function validateLoad(config) {
  integer(part(config, 'tenants').count, 'tenants.count (TENANT_COUNT)', 1);
  validateChoice(part(config.tenants, 'choice'));
  validateProfile(part(config, 'profile'));
  number(config.training_share, 'training_share', 0, 1);
  number(config.think_time_s, 'think_time_s', 0);
  number(config.warmup_s, 'warmup_s', 0);
  positive(config.window_s, 'window_s (DURATION)');
  number(config.tail_limit_s, 'tail_limit_s', 1);
  positive(config.request_timeout_s, 'request_timeout_s');
  integer(config.seed, 'seed (SEED)', 0);
  number(config.isolation_per_s || 0, 'isolation_per_s', 0);
  return { ...config, ...validateShards(config), mlflow: validateMlflow(part(config, 'mlflow')) };
}

/**
 * Validate the settings of the prefill (files/schemas/prefill_config.json).
 * @returns {object} the settings with the URL and TLS verification normalized
 * @throws {string} the error, as one sentence
 */
export function validatePrefill(config) {
  const { numbers } = part(config, 'tenants');
  if (!Array.isArray(numbers) || numbers.length === 0) {
    throw 'tenants.numbers (TENANT_COUNT): no tenant. Use at least one number from 1.';
  }
  numbers.forEach((tenant) => integer(tenant, 'tenants.numbers', 1));
  const dataSet = part(config, 'data_set');
  SHAPE.forEach((key) => integer(dataSet[key], `data_set.${key} (${key.toUpperCase()})`, 0));
  if (!/^[0-9a-f]{12}$/.test(dataSet.digest || '')) {
    throw `data_set.digest: "${dataSet.digest}" is not allowed. Use 12 hexadecimal digits.`;
  }
  integer(config.concurrency, 'concurrency (CONCURRENCY)', 1);
  positive(config.max_duration_s, 'max_duration_s (MAX_DURATION)');
  positive(config.request_timeout_s, 'request_timeout_s');
  return { ...config, mlflow: validateMlflow(part(config, 'mlflow')) };
}
