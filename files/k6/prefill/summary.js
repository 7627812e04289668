// SPDX-License-Identifier: GPL-3.0-or-later
/** The summary file of a prefill: what was asked for, and what became of each tenant. */

const sum = (records, key) => records.reduce((total, record) => total + record[key], 0);

/** What handleSummary returns; `filling` is what setup returned, or nothing when it was cut off. */
export function prefillSummary(filling, settings, now = new Date()) {
  const { seconds, tenants } = filling || { seconds: null, tenants: {} };
  const records = Object.values(tenants);
  const complete = records.filter((record) => record.status === 'complete').length;
  const asked = settings.tenants.numbers.length;
  const content = {
    schema_version: 1,
    status: complete === asked ? 'complete' : 'failed',
    data_set: settings.data_set,
    concurrency: settings.concurrency,
    seconds,
    requests: sum(records, 'requests'),
    writes: sum(records, 'writes'),
    retries: sum(records, 'retries'),
    tenants,
    timestamp: now.toISOString(),
  };
  const path = `${settings.out_dir}/${settings.summary_file}`;
  return {
    [path]: JSON.stringify(content, null, 2),
    stdout: `${complete} of ${asked} tenants hold data set ${settings.data_set.digest}; ${content.requests} requests. Summary: ${path}\n`,
  };
}
