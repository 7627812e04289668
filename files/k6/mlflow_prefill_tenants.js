// SPDX-License-Identifier: GPL-3.0-or-later
/** Fills tenants with a data set; a second time it adds only what is missing. Settings: lib/settings.js; docs/workload.md. */
import { Counter } from 'k6/metrics';
import { fillTenants } from './lib/filling.js';
import { prefillSummary } from './lib/prefill_summary.js';
import { prefillSettings } from './lib/settings.js';

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

/** The work is done here, because only what setup returns reaches the summary: what became of each tenant. */
export async function setup() {
  const filling = await fillTenants(settings);
  for (const number of Object.keys(filling.tenants)) {
    const { failed } = filling.tenants[number];
    failures.add(failed.length);
    if (failed.length > 0) {
      console.error(`tenant ${settings.tenants.prefix}${number}: ${failed.length} of its experiments not filled; ${failed[0].item}: ${failed[0].reason}`);
    }
  }
  return filling;
}

/** k6 insists on a scenario; everything has been done. */
export default function done() {}

export const handleSummary = (data) => prefillSummary(data.setup_data, settings);
