// SPDX-License-Identifier: GPL-3.0-or-later
/** Prefills tenants with a bounded number of workers and returns one record per tenant. */
import { findExperiments } from '../lib/operations.js';
import { createRandom } from '../lib/random.js';
import { RequestError, createRetryingClient } from './client.js';
import { fillExperiment, prefixOf } from './data_set.js';

const PROGRESS_MS = 10000;

/** One tenant: the tasks that fill it, and their result. */
function createTenant(number, settings, limits) {
  const counts = { requests: 0, writes: 0, retries: 0 };
  const client = createRetryingClient(settings, `${settings.tenants.prefix}${number}`, counts, limits);
  const { digest, experiments_per_tenant: experiments } = settings.data_set;
  const failures = [];
  let existing = null;
  let left = experiments;

  /** The existing experiments, queried once. */
  function known() {
    if (!existing) existing = client.send(findExperiments(prefixOf(digest)));
    return existing;
  }

  async function fill(experiment) {
    const name = `${prefixOf(digest)}${experiment}`;
    try {
      await fillExperiment(client, settings.data_set, experiment, (await known()).find((found) => found.name === name));
      return null;
    } catch (error) {
      const reason = error instanceof RequestError ? error.reason : String(error);
      failures[experiment] = { item: name, reason };
      return error instanceof RequestError && error.fatal ? reason : null;
    } finally {
      left -= 1;
    }
  }

  function skip(experiment, reason) {
    failures[experiment] = { item: `${prefixOf(digest)}${experiment}`, reason: `not attempted: ${reason}` };
  }

  /** The tenant's record; failures in the order of the experiments. */
  function result() {
    const failed = failures.filter(Boolean);
    return { status: failed.length > 0 ? 'failed' : 'complete', ...counts, failed };
  }

  const tasks = Array.from({ length: experiments }, (_, i) => ({ fill: () => fill(i + 1), skip: (reason) => skip(i + 1, reason) }));
  return { number, tasks, result, done: () => left === 0 };
}

/**
 * Fill every tenant of the settings. Ends early, naming what was not attempted, when the server is unreachable or
 * rejects the token, or at the time limit.
 * @param {object} settings from settings.js
 * @returns {Promise<{seconds: number, tenants: object}>} per tenant number {status, requests, writes, retries, failed}
 */
export async function fillTenants(settings) {
  const started = Date.now();
  const limits = {
    random: createRandom(settings.data_set.digest, 'back-off'),
    deadlineMs: started + settings.max_duration_s * 1000,
  };
  const tenants = settings.tenants.numbers.map((number) => createTenant(number, settings, limits));
  const queue = tenants.flatMap((tenant) => tenant.tasks);
  let next = 0;
  let fatal = null;
  let reportedAt = started;

  function reportProgress() {
    if (Date.now() - reportedAt < PROGRESS_MS) return;
    reportedAt = Date.now();
    console.log(`prefill: ${tenants.filter((tenant) => tenant.done()).length} of ${tenants.length} tenants done.`);
  }

  async function work() {
    while (next < queue.length) {
      const task = queue[next];
      next += 1;
      if (fatal) task.skip(fatal);
      else fatal = await task.fill() || fatal;
      reportProgress();
    }
  }

  await Promise.all(Array.from({ length: settings.concurrency }, work));
  return {
    seconds: (Date.now() - started) / 1000,
    tenants: Object.fromEntries(tenants.map((tenant) => [tenant.number, tenant.result()])),
  };
}
