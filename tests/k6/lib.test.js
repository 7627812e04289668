// SPDX-License-Identifier: GPL-3.0-or-later
/** Tests of files/k6/lib and files/k6/prefill, run inside k6 itself: `k6 run tests/k6/lib.test.js`; every check must pass. */
import { check } from 'k6';
import { createClock, planWindow, secondsToStart } from '../../files/k6/lib/clock.js';
import { failureReason, isSuccess, readAnswer, tenantHeaders } from '../../files/k6/lib/client.js';
import { OPERATIONS, createRun, fetchArtifact, getRun, logArtifact, logMetric, searchRuns } from '../../files/k6/lib/operations.js';
import { scenariosOf, stopThresholds, trainersOf, vusOf } from '../../files/k6/lib/profiles.js';
import { createChooser, createRandom, pick } from '../../files/k6/lib/random.js';
import { loadSettings, parseDuration, prefillSettings } from '../../files/k6/lib/settings.js';
import { withOperations } from '../../files/k6/lib/summary.js';
import { isRetryable, retryDelay } from '../../files/k6/prefill/client.js';
import { prefillSummary } from '../../files/k6/prefill/summary.js';

export const options = { thresholds: { checks: ['rate==1.00'] } };

const MANUAL = { MLFLOW_URL: 'http://127.0.0.1:5000/' };
const noFile = (path) => { throw new Error(`no such file ${path}`); };
const load = (env) => loadSettings({ ...MANUAL, ...env }, noFile);

/** The error that a call throws, or nothing. */
function errorOf(call) {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  return '';
}

function passes(name, value) {
  check(value, { [name]: (actual) => actual === true });
}

function equals(name, actual, expected) {
  passes(`${name}: ${JSON.stringify(actual)} is ${JSON.stringify(expected)}`, JSON.stringify(actual) === JSON.stringify(expected));
}

function testDurations() {
  const seconds = { 90: 90, '1h30m': 5400, '10m': 600, '1.5s': 1.5, '500ms': 0.5, '1d': 86400 };
  for (const text of Object.keys(seconds)) equals(`duration ${text}`, parseDuration(text, 'DURATION'), seconds[text]);
  for (const text of ['ten', '', '-5s', '5 m', '10x']) {
    passes(`duration "${text}" is rejected by name`, errorOf(() => parseDuration(text, 'DURATION')).startsWith('DURATION: '));
  }
}

/** Share of draws that fall on `number`. */
function shareOf(chooser, random, number, draws) {
  let hits = 0;
  for (let i = 0; i < draws; i += 1) if (chooser(random) === number) hits += 1;
  return hits / draws;
}

function testRandom() {
  const draws = (random) => [random(), random(), random()];
  equals('same words, same numbers', draws(createRandom(42, 'training', 7)), draws(createRandom(42, 'training', 7)));
  for (const words of [[43, 'training', 7], [42, 'browsing', 7], [42, 'training', 8]]) {
    passes(`other words (${words}), other numbers`, draws(createRandom(...words))[0] !== draws(createRandom(42, 'training', 7))[0]);
  }
  const random = createRandom(1);
  const uniform = createChooser(10, { distribution: 'uniform' });
  for (const tenant of [1, 10]) passes(`uniform: tenant ${tenant} gets a tenth`, Math.abs(shareOf(uniform, random, tenant, 20000) - 0.1) < 0.01);
  const zipf = createChooser(4, { distribution: 'zipf', exponent: 1 });
  const weight = 1 + 1 / 2 + 1 / 3 + 1 / 4;
  for (const rank of [1, 2, 3, 4]) {
    passes(`zipf: rank ${rank} gets its share`, Math.abs(shareOf(zipf, random, rank, 20000) - 1 / rank / weight) < 0.015);
  }
  const noisy = createChooser(5, { distribution: 'noisy', factor: 10 });
  for (const [tenant, share] of [[1, 10 / 14], [2, 1 / 14], [5, 1 / 14]]) {
    passes(`noisy: tenant ${tenant} gets its share`, Math.abs(shareOf(noisy, random, tenant, 20000) - share) < 0.015);
  }
  equals('one tenant is always drawn', [uniform, createChooser(1, { distribution: 'zipf', exponent: 1 })].map((c) => c(() => 0)), [1, 1]);
  equals('the highest draw is the last tenant', [uniform, zipf].map((chooser) => chooser(() => 0.9999999)), [10, 4]);
  equals('pick', [pick(() => 0, ['a', 'b']), pick(() => 0.99, ['a', 'b']), pick(() => 0, [])], ['a', 'b', undefined]);
  // First draws of neighbouring iterations must not be related: they choose the tenants.
  let below = 0;
  for (let i = 0; i < 10000; i += 1) if (createRandom(42, 'browsing', i)() < 0.2) below += 1;
  passes('first draws of iterations are uniform', Math.abs(below / 10000 - 0.2) < 0.015);
}

function testClock() {
  const window = planWindow(1000, { warmup_s: 5, window_s: 20 });
  equals('window', window, { perfscale: 'window', warmup_start_ms: 1000, start_ms: 6000, end_ms: 26000 });
  const at = (now) => createClock(window, { tail_limit_s: 30, request_timeout_s: 60 }, () => now);
  equals('the end is part of the graceful stop', [at(25999).ended(), at(26000).ended()], [false, true]);
  equals('pauses end with the window', [at(1000).secondsLeft(1), at(25500).secondsLeft(1), at(27000).secondsLeft(1)], [1, 0.5, 0]);
  equals('requests end with the graceful stop', [at(1000).requestTimeout(), at(-9000).requestTimeout(), at(25999).requestTimeout(), at(26000).requestTimeout()], [55000, 60000, 30001, 0]);
}

function testProfiles() {
  const cases = [[2, 1], [5, 1], [7, 1], [8, 2], [10, 2], [14, 3], [50, 10]];
  for (const [vus, trainers] of cases) equals(`${vus} VUs, trainers`, trainersOf(vus, 0.2), trainers);
  equals('share 0 and 1', [trainersOf(5, 0), trainersOf(5, 1), trainersOf(5, 0.99)], [0, 5, 4]);
  const closed = scenariosOf(load({ CONCURRENCY: '10', DURATION: '20s', WARMUP: '5s' }));
  equals('closed', [closed.training.vus, closed.browsing.vus, closed.training.duration], [2, 8, '25000ms']);
  equals('closed, one VU', Object.keys(scenariosOf(load({ CONCURRENCY: '1' }))), ['mixed', 'heartbeat']);
  const open = scenariosOf(load({ RATE: '0.7' }));
  equals('open, fractional rate', [open.training.rate, open.browsing.rate, open.training.timeUnit], [140, 560, '1000s']);
  equals('open, VUs', open.training.maxVUs + open.browsing.maxVUs, 200);
  equals('open, preallocated', [open.training.preAllocatedVUs, open.browsing.preAllocatedVUs], [open.training.maxVUs, open.browsing.maxVUs]);
}

function testShards() {
  const shared = (changes) => ({ ...load({ CONCURRENCY: '10' }), shards: 4, vus: { training: 4, browsing: 12 }, ...changes });
  const closed = scenariosOf(shared({ isolation_per_s: 0.5, tenants: { ...load({}).tenants, count: 2 } }));
  equals('shards, given VUs', [closed.training.vus, closed.browsing.vus, vusOf(shared({})).training], [4, 12, 4]);
  equals('shards, each has a heartbeat and one VU for the isolation', [closed.heartbeat.vus, closed.isolation.maxVUs], [4, 4]);
  const open = scenariosOf({ ...load({ RATE: '10' }), shards: 3, vus: { training: 42, browsing: 162 } });
  equals('shards, the rate stays whole', [open.training.rate, open.training.maxVUs, open.browsing.maxVUs], [2000, 42, 162]);
  const limits = { after_s: 10, p95_ms: null, failed_share: 0.5, served_share: 0.8 };
  const [stop] = stopThresholds({ ...load({ RATE: '10' }), shards: 4, stop_when: limits }, 30).iterations;
  equals('shards, each judges its part of the rate, without the wait', [stop.threshold, stop.delayAbortEval], ['rate>0.5', '40000ms']);
  equals('the wait for a start', [secondsToStart({ start_at: 5 }, 2000), secondsToStart({ start_at: 5 }, 9000), secondsToStart({ start_at: null }, 9000)], [3, 0, 0]);
}

function testManualSettings() {
  const settings = load({ TENANT_COUNT: '5', CONCURRENCY: '20', DURATION: '1h30m', MLFLOW_TOKEN: 'secret' });
  equals('by hand', [settings.tenants.count, settings.window_s, settings.mlflow.url, settings.mlflow.token, settings.mlflow.tls_verify],
    [5, 5400, 'http://127.0.0.1:5000', 'secret', true]);
  const login = { MLFLOW_TRACKING_USERNAME: 'admin', MLFLOW_TRACKING_PASSWORD: 'pw' };
  equals('user and password by hand', [load(login).mlflow.token, load({ ...login, MLFLOW_TOKEN: 't' }).mlflow.token], ['admin:pw', 't']);
  equals('summary, closed', settings.summary_file, 'summary_tenants-5_concurrency_20.json');
  equals('summary, open', load({ RATE: '2.5' }).summary_file, 'summary_tenants-1_rate_2.5.json');
  const prefill = prefillSettings({ ...MANUAL, TENANT_COUNT: '3', RUNS_PER_EXPERIMENT: '4', MAX_DURATION: '5m' }, noFile);
  equals('prefill by hand', [prefill.tenants.numbers, prefill.data_set.runs_per_experiment, prefill.max_duration_s], [[1, 2, 3], 4, 300]);
  equals('digest of the default shape', prefillSettings(MANUAL, noFile).data_set.digest, '5f6a59d7ec68');
}

function testInvalidSettings() {
  const invalid = [
    ['no URL', () => loadSettings({}, noFile), 'MLFLOW_URL'],
    ['URL with a password', () => load({ MLFLOW_URL: 'http://u:secretpw@h:5000' }), 'user information in the URL'],
    ['URL without scheme', () => load({ MLFLOW_URL: 'mlflow:5000' }), 'http://'],
    ['URL with user information', () => load({ MLFLOW_URL: 'http://user:pass-w0rd@mlflow:5000' }), 'user information in the URL'],
    ['URL without scheme, with user information', () => load({ MLFLOW_URL: 'mlflow://user:pass-w0rd@mlflow' }), 'user information in the URL'],
    ['concurrency 0', () => load({ CONCURRENCY: '0' }), 'CONCURRENCY'],
    ['concurrency text', () => load({ CONCURRENCY: 'many' }), '"many" is not allowed. Use a whole number from 1.'],
    ['tenants 0', () => load({ TENANT_COUNT: '0' }), 'TENANT_COUNT'],
    ['duration', () => load({ DURATION: 'ten' }), 'DURATION: "ten"'],
    ['duration 0', () => load({ DURATION: '0s' }), 'Use a number above 0.'],
    ['rate 0', () => load({ RATE: '0' }), 'RATE'],
    ['no file', () => load({ PERFSCALE_CONFIG: '/nowhere' }), 'PERFSCALE_CONFIG /nowhere: not readable'],
    ['no JSON', () => loadSettings({ PERFSCALE_CONFIG: 'x' }, () => '{'), 'invalid JSON'],
    ['no mlflow', () => loadSettings({ PERFSCALE_CONFIG: 'x' }, () => '{"tenants": {"count": 1}}'), 'choice: missing'],
    ['prefill tenants', () => prefillSettings({ ...MANUAL, TENANT_COUNT: 'x' }, noFile), 'tenants.numbers'],
    ['prefill shape', () => prefillSettings({ ...MANUAL, RUNS_PER_EXPERIMENT: '-1' }, noFile), 'RUNS_PER_EXPERIMENT'],
  ];
  for (const [name, call, words] of invalid) {
    const error = errorOf(call);
    passes(`${name}: "${error}" contains "${words}"`, error.includes(words) && !error.includes('secretpw'));
  }
}

/** A complete configuration as a file gives it, with one part changed. */
function fileSettings(changes, token = 'abc\n') {
  const config = {
    ...load({}), mlflow: { url: 'http://h', token_file: '/token', tls_verify: false }, ...changes,
  };
  return loadSettings({ PERFSCALE_CONFIG: '/config' }, (path) => (path === '/config' ? JSON.stringify(config) : token));
}

function testFileSettings() {
  equals('token from its file', fileSettings({}).mlflow.token, 'abc');
  equals('TLS not verified when asked', fileSettings({}).mlflow.tls_verify, false);
  const invalid = {
    'profile.kind: "spike" is unknown. Use one of: closed, open.': () => fileSettings({ profile: { kind: 'spike' } }),
    'Use one of: uniform, zipf, noisy.': () => fileSettings({ tenants: { count: 1, choice: { distribution: 'x' } } }),
    'training_share: "2" is not allowed. Use a number from 0 to 1.': () => fileSettings({ training_share: 2 }),
    'profile.users_max: "1"': () => fileSettings({ profile: { kind: 'open', rate: 1, users_max: 1 } }),
    'empty': () => fileSettings({}, ' '),
  };
  for (const words of Object.keys(invalid)) passes(`invalid: ${words}`, errorOf(invalid[words]).includes(words));
}

function testResponses() {
  equals('successful statuses', [200, 204, 299, 302, 199, 400, 500, 0].map((status) => isSuccess({ status })),
    [true, true, true, false, false, false, false, false]);
  equals('reason', failureReason({ status: 503, body: 'busy' }), 'HTTP 503: busy');
  equals('no token, no header', tenantHeaders(null, 't').json.Authorization, undefined);
  equals('token', tenantHeaders('s', 't').binary.Authorization, 'Bearer s');
  equals('user and password', tenantHeaders('Jörg:a:b', 't').json.Authorization, 'Basic SsO2cmc6YTpi');
}

/** A response as k6 gives it: a path of the body is its value, and nothing when the body is no JSON. */
function responseOf(body, type = 'application/json') {
  let parsed;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    parsed = undefined;
  }
  const at = (path) => path.split('.').reduce((value, key) => (value === undefined ? undefined : value[key]), parsed);
  const json = (path) => (path === '@keys' ? parsed && Object.keys(parsed) : at(path));
  return { status: 200, body, json, headers: type ? { 'Content-Type': type } : {} };
}

/** The kind of a wrong answer, or what was read. */
function kindOf(operation, isRead, ...response) {
  try {
    return readAnswer(responseOf(...response), operation, isRead);
  } catch (wrong) {
    return wrong.kind;
  }
}

function testAnswers() {
  const page = '<html>Sign in</html>';
  const operations = [createRun('1', 1), searchRuns('1', 1), getRun('1'), logMetric('1', 'k', 1, 1, 0), logArtifact('1', '1', 'a.json', ''), fetchArtifact('1', '1', 'a.json')];
  equals('a web page is no answer', operations.map((operation) => kindOf(operation, false, page, 'text/html; charset=utf-8')), operations.map(() => 'type'));
  equals('neither is one that claims to be JSON', operations.map((operation) => kindOf(operation, true, page)), operations.map(() => 'body'));
  equals('half of JSON', operations.map((operation) => kindOf(operation, true, '{"run": {"info"')), operations.map(() => 'body'));
  equals('an empty object', operations.map((operation) => kindOf(operation, true, '{}')), ['part', [], 'part', true, true, true]);
  equals('a discarded body is not read', kindOf(getRun('1'), false, null), true);
  equals('what is selected', kindOf(createRun('1', 1), true, '{"run": {"info": {"run_id": "7"}}}'), { run_id: '7' });
  equals('what an answer has', kindOf(getRun('1'), true, '{"run": {"info": {"run_id": "7"}}}'), true);
  equals('JSON by another name', kindOf(getRun('1'), false, null, 'application/json; charset=utf-8'), true);
  equals('JSON without a type', kindOf(getRun('1'), false, null, ''), 'type');
  equals('an upload is answered with nothing', kindOf(logArtifact('1', '1', 'a.json', ''), true, '', ''), true);
  equals('a JSON file is sent as text', kindOf(fetchArtifact('1', '1', 'a.json'), true, '[]', 'text/plain'), true);
  equals('other files are not parsed', kindOf(fetchArtifact('1', '1', 'a.png'), true, 'PNG', 'image/png'), true);
  equals('a file may be a web page', kindOf(fetchArtifact('1', '1', 'a.html'), true, page, 'text/html'), true);
}

function testRetries() {
  equals('retryable', [0, 429, 500, 503, 400, 401, 404].map((status) => isRetryable({ status })),
    [true, true, true, true, false, false, false]);
  equals('doubling, limited', [1, 2, 5, 9].map((attempt) => retryDelay({}, attempt, () => 1)), [0.5, 1, 8, 8]);
  equals('at least half', retryDelay({}, 1, () => 0), 0.25);
  equals('Retry-After, limited', ['3', '900', 'x'].map((value) => retryDelay({ headers: { 'Retry-After': value } }, 1, () => 1)), [3, 30, 0.5]);
}

function testSummaries() {
  const metrics = {
    http_reqs: { values: { count: 3 } },
    'http_req_failed{name:create_run}': { values: { passes: 1, fails: 2 } },
    'http_req_duration{name:create_run,expected_response:true}': { values: { avg: 5 } },
    'http_req_failed{name:get_run}': { values: { passes: 1, fails: 0 } },
    'http_req_failed{name:log_metric}': { values: { passes: 1, fails: 9 } },
    'http_req_duration{name:log_metric,expected_response:true}': { values: { avg: 5 } },
    'wrong_answers{name:log_metric}': { values: { count: 2 } },
  };
  const summary = withOperations({ state: { testRunDurationMs: 2000 }, metrics }).metrics;
  equals('metrics of an operation', [summary.create_run_passed.values, summary.create_run_failed.values, summary.create_run_response_time.values.avg],
    [{ count: 2, rate: 1 }, { count: 1, rate: 0.5 }, 5]);
  equals('none successful: no latency', summary.get_run_response_time, undefined);
  equals('never seen: zero', summary.log_parameter_failed.values.count, 0);
  equals('wrong answers failed', [summary.log_metric_passed.values.count, summary.log_metric_failed.values.count], [7, 3]);
  equals('two counters per operation', Object.keys(summary).filter((name) => /_(passed|failed)$/.test(name)).length, 2 * OPERATIONS.length);
  const interrupted = prefillSummary(null, prefillSettings(MANUAL, noFile))['./prefill_summary.json'];
  equals('interrupted prefill', JSON.parse(interrupted).status, 'failed');
}

export default function selfTest() {
  [testDurations, testRandom, testClock, testProfiles, testShards, testManualSettings, testInvalidSettings, testFileSettings, testResponses, testAnswers, testRetries,
    testSummaries].forEach((test) => test());
}

/** Names the failed checks. */
export function handleSummary(data) {
  const failed = data.root_group.checks.filter((one) => one.fails > 0).map((one) => `FAILED ${one.name}\n`);
  return { stdout: `${data.root_group.checks.length - failed.length} checks passed.\n${failed.join('')}` };
}
