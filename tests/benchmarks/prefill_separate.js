// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The baseline of prefill_ratio.py: the same data through 430 separate requests per tenant (one request per metric and
 * per param), one tenant after the other per VU, as many VUs as tenants.
 */
import exec from 'k6/execution';
import { createClient, isSuccess } from '../../files/k6/lib/client.js';
import * as mlflow from '../../files/k6/lib/operations.js';

const tenants = Number(__ENV.BARE_TENANTS);
const client = createClient({ url: __ENV.BARE_URL, token: null });
const file = JSON.stringify({ lines: new Array(200).fill('One of many lines of a file, about 45 letters.') });

export const options = {
  scenarios: { fill: { executor: 'shared-iterations', vus: tenants, iterations: tenants, maxDuration: '20m' } },
  thresholds: { http_req_failed: ['rate==0'] },
};

function send(request) {
  const response = client.send(request, 60000);
  if (!isSuccess(response)) throw `${request.name}: HTTP ${response.status}`;
  return request.select ? response.json(request.select) : null;
}

const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1);

function writeRun(experiment) {
  const { run_id: run } = send(mlflow.createRun(experiment, Date.now()));
  for (const i of upTo(3)) send(mlflow.logMetric(run, `metric_${i}`, Math.random(), Date.now(), 0));
  for (const i of upTo(5)) send(mlflow.logParameter(run, `param_${i}`, `${i}`));
  for (const i of upTo(2)) send(mlflow.logArtifact(experiment, run, `artifact_${i}.json`, file));
  send(mlflow.updateRunStatus(run, 'FINISHED', Date.now()));
}

export default function fillTenant() {
  client.actAs(`tenant-${exec.scenario.iterationInTest + 1}`);
  for (const e of upTo(10)) {
    const experiment = send(mlflow.createExperiment(`separate-${e}`));
    for (const p of upTo(3)) {
      send(mlflow.createPrompt(`separate-${e}-prompt-${p}`));
      send(mlflow.createPromptVersion(`separate-${e}-prompt-${p}`, 'text', experiment));
    }
    upTo(3).forEach(() => writeRun(experiment));
  }
}

export const handleSummary = (data) => ({
  'separate.json': JSON.stringify({
    seconds: data.state.testRunDurationMs / 1000, requests: data.metrics.http_reqs.values.count,
  }),
});
