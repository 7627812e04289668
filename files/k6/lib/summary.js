// SPDX-License-Identifier: GPL-3.0-or-later
/** The summary file of a load in the format of the legacy suite. */
import { OPERATIONS } from './operations.js';

/** k6 computes metrics of a tag value only where a threshold uses them; these always hold. */
const durationOf = (operation) => `http_req_duration{name:${operation},expected_response:true}`;
const failuresOf = (operation) => `http_req_failed{name:${operation}}`;
const wrongAnswersOf = (operation) => `wrong_answers{name:${operation}}`;
const countOf = (metric) => (metric ? metric.values.count : 0);

/** Thresholds that make k6 compute each operation's metrics; they never fail. */
export function operationThresholds() {
  const thresholds = {};
  for (const operation of OPERATIONS) {
    thresholds[durationOf(operation)] = ['max>=0'];
    thresholds[failuresOf(operation)] = ['rate>=0'];
    thresholds[wrongAnswersOf(operation)] = ['count>=0'];
  }
  return thresholds;
}

function counter(count, seconds) {
  return { type: 'counter', contains: 'default', values: { count, rate: count / seconds } };
}

/** `<op>_response_time` (requests with a successful status; absent when there was none), `<op>_passed` and `<op>_failed`. */
function metricsOf(operation, metrics, seconds) {
  const failures = metrics[failuresOf(operation)];
  const { passes: failed, fails: passed } = failures ? failures.values : { passes: 0, fails: 0 };
  const wrong = countOf(metrics[wrongAnswersOf(operation)]);
  const named = {
    [`${operation}_passed`]: counter(passed - wrong, seconds),
    [`${operation}_failed`]: counter(failed + wrong, seconds),
  };
  if (passed > 0) {
    const { values } = metrics[durationOf(operation)];
    named[`${operation}_response_time`] = { type: 'trend', contains: 'time', values };
  }
  return named;
}

/** k6's data with one set of metrics per operation instead of the submetrics they come from. */
export function withOperations(data) {
  const seconds = data.state.testRunDurationMs / 1000;
  const metrics = {};
  for (const name of Object.keys(data.metrics)) {
    if (!name.includes('{name:')) metrics[name] = data.metrics[name];
  }
  for (const operation of OPERATIONS) Object.assign(metrics, metricsOf(operation, data.metrics, seconds));
  return { ...data, metrics };
}

/**
 * The return value of handleSummary: the summary file, and a line on the terminal.
 * @param {object} data k6's end-of-test data
 * @param {object} settings from settings.js
 */
export function loadSummary(data, settings, now = new Date()) {
  const { profile, tenants } = settings;
  const content = {
    ...(profile.kind === 'closed' ? { concurrency: profile.concurrency } : { rate: profile.rate }),
    tenants: tenants.count,
    data: withOperations(data),
    timestamp: now.toISOString(),
  };
  const path = `${settings.out_dir}/${settings.summary_file}`;
  const requests = countOf(data.metrics.http_reqs);
  const failed = (data.metrics.http_req_failed ? data.metrics.http_req_failed.values.passes : 0) + countOf(data.metrics.wrong_answers);
  return {
    [path]: JSON.stringify(content, null, 2),
    stdout: `${requests} requests, ${failed} failed. Summary: ${path}\n`,
  };
}
