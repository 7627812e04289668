// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The only file that reads the environment and files. With PERFSCALE_CONFIG the settings are that JSON file;
 * without it a person runs the script by hand with the variables below.
 */
import { sha256 } from 'k6/crypto';
import { SHAPE, checkLoad, checkPrefill } from './config.js';
import { parseDuration } from './duration.js';

const HAND_SHAPE = [10, 3, 3, 5, 2, 3];
/** More writers at once do not make SQLite faster, they only wait for each other's locks. */
const HAND_PREFILL_CONCURRENCY = 8;

function readJson(path, read) {
  let text;
  try {
    text = read(path);
  } catch (error) {
    throw `PERFSCALE_CONFIG ${path}: cannot be read (${error.message || error}). Name a readable JSON file.`;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw `PERFSCALE_CONFIG ${path}: is not JSON (${error.message}). Name a file as files/schemas describes it.`;
  }
}

function readToken(path, read) {
  if (!path) return null;
  let token;
  try {
    token = read(path).trim();
  } catch (error) {
    throw `mlflow.token_file ${path}: cannot be read (${error.message || error}). Name a readable file, or null.`;
  }
  if (!token) throw `mlflow.token_file ${path}: is empty. Write the token into it, or use null.`;
  return token;
}

function fromFile(env, read) {
  const config = readJson(env.PERFSCALE_CONFIG, read);
  const mlflow = config.mlflow && { ...config.mlflow, token: readToken(config.mlflow.token_file, read) };
  return { ...config, mlflow };
}

/** A number from the environment; text that is no number is passed on, so that the check names it. */
function numeric(env, name, fallback) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function handMlflow(env) {
  return {
    url: env.MLFLOW_URL,
    token: env.MLFLOW_TOKEN || null,
    tls_verify: env.MLFLOW_TRACKING_INSECURE_TLS !== 'true',
  };
}

function handLoad(env) {
  const rate = numeric(env, 'RATE', null);
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  const concurrency = numeric(env, 'CONCURRENCY', 10);
  const cell = rate === null ? `concurrency_${concurrency}` : `rate_${rate}`;
  return {
    mlflow: handMlflow(env),
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

/** The digest of a shape when nobody gave one: of its canonical JSON (sorted keys, no blanks). */
function digestOf(shape) {
  const sorted = Object.fromEntries(Object.keys(shape).sort().map((key) => [key, shape[key]]));
  return sha256(JSON.stringify(sorted), 'hex').slice(0, 12);
}

function handPrefill(env) {
  const shape = Object.fromEntries(
    SHAPE.map((key, i) => [key, numeric(env, key.toUpperCase(), HAND_SHAPE[i])]),
  );
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  return {
    mlflow: handMlflow(env),
    tenants: {
      prefix: 'tenant-',
      numbers: Number.isInteger(tenants) ? Array.from({ length: tenants }, (_, i) => i + 1) : [tenants],
    },
    data_set: { digest: digestOf(shape), ...shape },
    concurrency: numeric(env, 'CONCURRENCY', HAND_PREFILL_CONCURRENCY),
    max_duration_s: parseDuration(env.MAX_DURATION || '30m', 'MAX_DURATION'),
    request_timeout_s: 60,
    out_dir: '.',
    summary_file: 'prefill_summary.json',
  };
}

/** Settings of mlflow_scale_test.js. `env` and `read` are exchangeable in tests. */
export function loadSettings(env = __ENV, read = open) {
  return checkLoad(env.PERFSCALE_CONFIG ? fromFile(env, read) : handLoad(env));
}

/** Settings of mlflow_prefill_tenants.js. */
export function prefillSettings(env = __ENV, read = open) {
  return checkPrefill(env.PERFSCALE_CONFIG ? fromFile(env, read) : handPrefill(env));
}
