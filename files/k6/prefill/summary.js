// SPDX-License-Identifier: GPL-3.0-or-later
/** The summary file of a prefill: its settings and the record of each tenant. */

const sum = (records, key) => records.reduce((total, record) => total + record[key], 0);

/**
 * The return value of handleSummary.
 * @param {{seconds: number, tenants: object}|null} result what setup returned; nothing when it was interrupted
 * @param {object} settings from settings.js
 */
export function prefillSummary(result, settings, now = new Date()) {
  const { seconds, tenants } = result || { seconds: null, tenants: {} };
  const records = Object.values(tenants);
  const complete = records.filter((record) => record.status === 'complete').length;
  const requested = settings.tenants.numbers.length;
  const content = {
    schema_version: 1,
    status: complete === requested ? 'complete' : 'failed',
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
    stdout: `${complete} of ${requested} tenants hold data set ${settings.data_set.digest}; ${content.requests} requests. Summary: ${path}\n`,
  };
}
