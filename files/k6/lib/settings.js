// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The only file that reads the environment and files. With PERFSCALE_CONFIG the settings are that JSON file;
 * without it a person runs the script by hand with the variables below.
 */
import { sha256 } from 'k6/crypto';
import { SHAPE, checkLoad, checkPrefill } from './config.js';
import { parseDuration } from './duration.js';
import { tokensOf } from './tokens.js';

const HAND_SHAPE = [10, 3, 3, 5, 2, 3];
/** More writers at once do not make SQLite faster, they only wait for each other's locks. */
const HAND_PREFILL_CONCURRENCY = 8;

function readJson(path, read, name) {
  let text;
  try {
    text = read(path);
  } catch (error) {
    throw `${name} ${path}: cannot be read (${error.message || error}). Name a readable JSON file.`;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message may quote what it read, and that may be a token.
    throw `${name} ${path}: is not JSON. Name a file as files/schemas describes it.`;
  }
}

function readToken(path, read) {
  if (!path) return null;
  let token;
  try {
    token = read(path).trim();
  } catch (error) {
    throw `mlflow.token_file (MLFLOW_TOKEN_FILE) ${path}: cannot be read (${error.message || error}). Name a readable file, or null.`;
  }
  if (!token) throw `mlflow.token_file (MLFLOW_TOKEN_FILE) ${path}: is empty. Write the token into it, or use null.`;
  return token;
}

/** The tenants that a script acts as, by name. */
function tenantNames({ prefix, count, numbers }) {
  return (numbers || Array.from({ length: count || 0 }, (_, i) => i + 1)).map((number) => `${prefix}${number}`);
}

function fromFile(env, read) {
  const config = readJson(env.PERFSCALE_CONFIG, read, 'PERFSCALE_CONFIG');
  if (!config.mlflow) return config;
  const { token_file: file, token_map_file: mapFile } = config.mlflow;
  const token = readToken(file, read);
  const tokens = mapFile ? tokensOf(tenantNames(config.tenants || {}), () => readJson(mapFile, read, 'mlflow.token_map_file')) : null;
  return { ...config, mlflow: { ...config.mlflow, token, tokens } };
}

/** A number from the environment; text that is no number is passed on, so that the check names it. */
function numeric(env, name, fallback) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function handMlflow(env, read) {
  return {
    url: env.MLFLOW_URL,
    // In the generator's pod MLFLOW_TOKEN_FILE names the mounted Secret, so that nobody has to type a token.
    token: env.MLFLOW_TOKEN || readToken(env.MLFLOW_TOKEN_FILE, read),
    tls_verify: env.MLFLOW_TRACKING_INSECURE_TLS !== 'true',
  };
}

function handLoad(env, read) {
  const rate = numeric(env, 'RATE', null);
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  const concurrency = numeric(env, 'CONCURRENCY', 10);
  const cell = rate === null ? `concurrency_${concurrency}` : `rate_${rate}`;
  return {
    mlflow: handMlflow(env, read),
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

function handPrefill(env, read) {
  const shape = Object.fromEntries(
    SHAPE.map((key, i) => [key, numeric(env, key.toUpperCase(), HAND_SHAPE[i])]),
  );
  const tenants = numeric(env, 'TENANT_COUNT', 1);
  return {
    mlflow: handMlflow(env, read),
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
  return checkLoad(env.PERFSCALE_CONFIG ? fromFile(env, read) : handLoad(env, read));
}

/** Settings of mlflow_prefill_tenants.js. */
export function prefillSettings(env = __ENV, read = open) {
  return checkPrefill(env.PERFSCALE_CONFIG ? fromFile(env, read) : handPrefill(env, read));
}
