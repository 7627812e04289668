// SPDX-License-Identifier: GPL-3.0-or-later
/** Asks for objects of another tenant with the identity and the workspace of this one; any that arrives is a leak. A trickle beside the load. */
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { headersFor, isSuccess, tenantHeaders } from './client.js';
import { createClock } from './clock.js';
import { getExperiment, searchExperiments, searchRuns } from './operations.js';
import { createRandom } from './random.js';
import { tokenOf } from './tokens.js';

/** Begins the operations of this probe, which are in no total. */
const PREFIX = 'isolation_';
/** What a tenant gets of another one's objects. */
const EXPECTED = http.expectedStatuses({ min: 200, max: 299 }, 400, 401, 403, 404);
const leaks = new Counter('tenant_leaks');

/** Two different numbers of 1..count. */
export function twoOf(count, random) {
  const first = 1 + Math.floor(random() * count);
  const second = 1 + Math.floor(random() * (count - 1));
  return [first, second < first ? second : second + 1];
}

/** The value at a gjson path of a successful JSON response, else undefined. */
function valueOf(response, path) {
  if (!isSuccess(response) || !response.body) return undefined;
  try {
    return response.json(path);
  } catch (error) {
    return undefined;
  }
}

/**
 * Create the function of the isolation scenario.
 * @param {object} settings from settings.js
 * @returns {function(object)} takes the window
 */
export function createIsolationProbe(settings) {
  const { mlflow, tenants } = settings;

  function send(tenant, name, operation, timeout) {
    const headers = headersFor(operation, tenantHeaders(mlflow.tokens ? tokenOf(mlflow, tenant) : mlflow.token, tenant));
    return http.request(operation.method, mlflow.url + operation.path, operation.body, {
      headers, timeout, tags: { name: `${PREFIX}${name}` }, responseType: 'text', responseCallback: EXPECTED,
    });
  }

  return (window) => {
    const timeout = createClock(window, settings).requestTimeout();
    if (timeout === 0) return;
    const random = createRandom(settings.seed, 'isolation', exec.scenario.iterationInTest);
    const [own, other] = twoOf(tenants.count, random).map((number) => `${tenants.prefix}${number}`);
    const { metadata } = exec.vu.metrics;
    metadata.tenant = own;
    metadata.other = other;
    const theirs = valueOf(send(other, 'own', searchExperiments(1), timeout), 'experiments.0.experiment_id');
    if (theirs === undefined || theirs === null) return;
    const byId = valueOf(send(own, 'by_id', getExperiment(theirs), timeout), 'experiment.experiment_id');
    if (byId === theirs) leaks.add(1, { name: 'by_id' });
    const bySearch = valueOf(send(own, 'by_search', searchRuns(theirs, 1), timeout), 'runs.0.info.experiment_id');
    if (bySearch === theirs) leaks.add(1, { name: 'by_search' });
  };
}
