// SPDX-License-Identifier: GPL-3.0-or-later
/** Prefills tenants with a data set; run again, it adds only what is missing. Settings: lib/settings.js; docs/workload.md. */
import { Counter } from 'k6/metrics';
import { prefillSettings } from './lib/settings.js';
import { assertTenantsExist } from './lib/tenants.js';
import { prefillSummary } from './prefill/summary.js';
import { fillTenants } from './prefill/tenants.js';

const settings = prefillSettings();
const failures = new Counter('prefill_failures');

export const options = {
  scenarios: { done: { executor: 'shared-iterations', vus: 1, iterations: 1 } },
  setupTimeout: `${settings.max_duration_s + settings.request_timeout_s}s`,
  thresholds: { prefill_failures: ['count<1'] },
  batch: settings.concurrency,
  batchPerHost: settings.concurrency,
  systemTags: ['name', 'status', 'error_code'],
  maxRedirects: 0,
  insecureSkipTLSVerify: !settings.mlflow.tls_verify,
};

/** Does the work, because only what setup returns reaches the summary. */
export async function setup() {
  assertTenantsExist(settings);
  const result = await fillTenants(settings);
  for (const number of Object.keys(result.tenants)) {
    const { failed } = result.tenants[number];
    failures.add(failed.length);
    if (failed.length > 0) {
      console.error(`tenant ${settings.tenants.prefix}${number}: ${failed.length} of its experiments not filled; ${failed[0].item}: ${failed[0].reason}`);
    }
  }
  return result;
}

/** k6 requires a scenario; setup has done everything. */
export default function done() {}

export const handleSummary = (data) => prefillSummary(data.setup_data, settings);
