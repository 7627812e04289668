// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The only file that reads the environment and files. With PERFSCALE_CONFIG the settings are that JSON file;
 * without it the script is run manually, with the variables below.
 */
import { sha256 } from 'k6/crypto';
import { SHAPE, validateLoad, validatePrefill } from './config.js';
import { tenantNames } from './tenants.js';
import { tokensOf } from './tokens.js';

const MANUAL_SHAPE = [10, 3, 3, 5, 2, 3];
/** More concurrent writers do not speed up SQLite, they only wait for each other's locks. */
const MANUAL_PREFILL_CONCURRENCY = 8;

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };
const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/**
 * Convert a duration to seconds.
 * @param {string|number} value for example `1h30m`, or a number of seconds
 * @param {string} name the name of the value in an error
 * @returns {number} seconds, not negative
 * @throws {string} the error, as one sentence
 */
export function parseDuration(value, name) {
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!DURATION.test(text)) throw `${name}: "${value}" is not a duration. Use for example 90s, 10m, 1h30m, or a number of seconds.`;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) seconds += Number(amount) * UNIT_SECONDS[unit];
  return seconds;
}

function readJson(path, read, name) {
  let text;
  try {
    text = read(path);
  } catch (error) {
    throw `${name} ${path}: not readable (${error.message || error}). Use a readable JSON file.`;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message may quote the content, which may be a token.
    throw `${name} ${path}: invalid JSON. Use a file as in files/schemas.`;
  }
}

function readToken(path, read) {
  if (!path) return null;
  let token;
  try {
    token = read(path).trim();
  } catch (error) {
    throw `mlflow.token_file (MLFLOW_TOKEN_FILE) ${path}: not readable (${error.message || error}). Use a readable file, or null.`;
  }
  if (!token) throw `mlflow.token_file (MLFLOW_TOKEN_FILE) ${path}: empty. Write the token into it, or use null.`;
  return token;
}

function fromFile(env, read) {
  const config = readJson(env.PERFSCALE_CONFIG, read, 'PERFSCALE_CONFIG');
  if (!config.mlflow) return config;
  const { token_file: file, token_map_file: mapFile } = config.mlflow;
  const token = readToken(file, read);
  const tokens = mapFile ? tokensOf(tenantNames(config.tenants || {}), () => readJson(mapFile, read, 'mlflow.token_map_file')) : null;
  return { ...config, mlflow: { ...config.mlflow, token, tokens } };
}

/** A number from the environment; other text is returned as it is, so that the validation names it. */
function numeric(env, name, fallback) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function manualMlflow(env, read) {
  const { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password } = env;
  return {
    url: env.MLFLOW_URL,
    // In the generator's pod MLFLOW_TOKEN_FILE names the mounted Secret, so that no token has to be entered.
    token: env.MLFLOW_TOKEN || (user && password ? `${user}:${password}` : readToken(env.MLFLOW_TOKEN_FILE, read)),
    tls_verify: env.MLFLOW_TRACKING_INSECURE_TLS !== 'true',
  };
}

function manualLoad(env, read) {
  const rate = numeric(env, 'RATE', null);
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  const concurrency = numeric(env, 'CONCURRENCY', 10);
  const cell = rate === null ? `concurrency_${concurrency}` : `rate_${rate}`;
  return {
    mlflow: manualMlflow(env, read),
    tenants: { prefix: 'tenant-', count: tenants, choice: { distribution: 'uniform' } },
    seed: numeric(env, 'SEED', 42),
    profile: rate === null ? { kind: 'closed', concurrency } : { kind: 'open', rate, users_max: 200 },
    training_share: 0.2,
    think_time_s: 1,
    warmup_s: parseDuration(env.WARMUP || 0, 'WARMUP'),
    window_s: parseDuration(env.DURATION || '10m', 'DURATION'),
    tail_limit_s: 30,
    request_timeout_s: 60,
    out_dir: '.',
    summary_file: `summary_tenants-${tenants}_${cell}.json`,
  };
}

/** The digest of a shape: the first 12 hexadecimal digits of the SHA-256 of its canonical JSON (sorted keys, no blanks). */
function digestOf(shape) {
  const sorted = Object.fromEntries(Object.keys(shape).sort().map((key) => [key, shape[key]]));
  return sha256(JSON.stringify(sorted), 'hex').slice(0, 12);
}

function manualPrefill(env, read) {
  const shape = Object.fromEntries(
    SHAPE.map((key, i) => [key, numeric(env, key.toUpperCase(), MANUAL_SHAPE[i])]),
  );
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  return {
    mlflow: manualMlflow(env, read),
    tenants: {
      prefix: 'tenant-',
      numbers: Number.isInteger(tenants) ? Array.from({ length: tenants }, (_, i) => i + 1) : [tenants],
    },
    data_set: { digest: digestOf(shape), ...shape },
    concurrency: numeric(env, 'CONCURRENCY', MANUAL_PREFILL_CONCURRENCY),
    max_duration_s: parseDuration(env.MAX_DURATION || '30m', 'MAX_DURATION'),
    request_timeout_s: 60,
    out_dir: '.',
    summary_file: 'prefill_summary.json',
  };
}

/**
 * The settings of mlflow_scale_test.js.
 * @param {object} env the environment, exchangeable in tests
 * @param {function(string): string} read reads a file, exchangeable in tests
 * @returns {object} as files/schemas/load_config.json, with the token instead of its file, and by_hand without PERFSCALE_CONFIG
 * @throws {string} the error, as one sentence
 */
export function loadSettings(env = __ENV, read = open) {
  return env.PERFSCALE_CONFIG ? validateLoad(fromFile(env, read)) : { ...validateLoad(manualLoad(env, read)), by_hand: true };
}

/** The settings of mlflow_prefill_tenants.js (files/schemas/prefill_config.json); see loadSettings. */
export function prefillSettings(env = __ENV, read = open) {
  return env.PERFSCALE_CONFIG ? validatePrefill(fromFile(env, read)) : { ...validatePrefill(manualPrefill(env, read)), by_hand: true };
}
