// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The data set of one tenant: what prefill creates, and how a later prefill recognizes it.
 *
 * Names (e, r and p count from 1; <digest> is the data set's digest, 12 hexadecimal digits):
 *   experiment       name `prefill-<digest>-<e>`, tag `perfscale.data_set` = <digest>
 *   prompt           registered model `prefill-<digest>-<e>-prompt-<p>`, tags `mlflow.prompt.is_prompt` = true
 *                    and `perfscale.data_set` = <digest>; one version (1)
 *   run              run_name `run-<r>`, tags `perfscale.item` = `run-<r>` and `perfscale.data_set` = <digest>,
 *                    a note (`mlflow.note.content`), status FINISHED
 *   its metrics      `metric_1` … , its params `param_1` …
 *   its artifacts    `artifact_1.json` … in the run's artifact root
 *
 * A run that is not FINISHED or lacks metrics or params was interrupted: it is deleted and re-created.
 */
import * as mlflow from '../lib/operations.js';
import { createRandom } from '../lib/random.js';

/** The start time of the first run, fixed so that the same digest results in the same data. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
const RUN_MS = 60000;
const ARTIFACT_LINES = 200;

const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1);
const tagOf = (digest) => ({ key: 'perfscale.data_set', value: digest });

/** The prefix of all experiment names of a data set. */
export const prefixOf = (digest) => `prefill-${digest}-`;

async function ensureExperiment(client, digest, name, known) {
  const find = async () => (await client.send(mlflow.findExperiments(name))).find((found) => found.name === name) || null;
  const experiment = known || await client.send(mlflow.createExperiment(name, [tagOf(digest)]), find);
  if (experiment.lifecycle_stage === 'deleted') throw `experiment ${name}: deleted. Restore it, or purge it with mlflow gc.`;
  return experiment.experiment_id || experiment;
}

async function ensurePrompt(client, digest, name, experiment, known) {
  const find = async () => (await client.send(mlflow.findPrompts(name))).find((found) => found.name === name) || null;
  const versionsOf = (prompt) => (prompt && prompt.latest_versions ? prompt.latest_versions : []);
  const prompt = known || await client.send(mlflow.createPrompt(name, [tagOf(digest)]), find);
  if (versionsOf(prompt).length > 0) return;
  await client.send(mlflow.createPromptVersion(name, `Prompt ${name}: answer the question about {{ topic }}.`, experiment), async () => {
    const created = await find();
    return versionsOf(created).length > 0 ? created : null;
  });
}

/** The content of one run, derived from the data set's digest. About 10 KB per artifact. */
function contentOf(digest, experimentNumber, runNumber, shape) {
  const random = createRandom(digest, experimentNumber, runNumber);
  const start = EPOCH_MS + (experimentNumber * 1000 + runNumber) * RUN_MS;
  const lines = (file) => Array.from({ length: ARTIFACT_LINES }, () => `${file} of run ${runNumber}: value ${random().toFixed(12)}`);
  return {
    start,
    metrics: upTo(shape.metrics_per_run).map((i) => ({ key: `metric_${i}`, value: random(), timestamp: start + i, step: 0 })),
    params: upTo(shape.params_per_run).map((i) => ({ key: `param_${i}`, value: random().toFixed(6) })),
    files: Object.fromEntries(upTo(shape.artifacts_per_run).map((i) => [
      `artifact_${i}.json`, JSON.stringify({ run: `run-${runNumber}`, lines: lines(`artifact_${i}`) }),
    ])),
  };
}

async function uploadMissing(client, experiment, run, files, present) {
  for (const file of Object.keys(files)) {
    if (!present.includes(file)) await client.send(mlflow.logArtifact(experiment, run, file, files[file]));
  }
}

const sizeOf = (list) => (list || []).length;

function isComplete(run, shape) {
  return run.info.status === 'FINISHED'
    && sizeOf(run.data.metrics) >= shape.metrics_per_run && sizeOf(run.data.params) >= shape.params_per_run;
}

async function createRun(client, digest, experiment, item, content) {
  // The note is a tag of the new run: in the log-batch it would cost the server a transaction of its own.
  const note = { key: 'mlflow.note.content', value: `Item ${item} of data set ${digest}.` };
  const tags = [{ key: 'perfscale.item', value: item }, tagOf(digest), note];
  const find = async () => {
    const runs = await client.send(mlflow.findRuns(experiment, `tags.\`perfscale.item\` = '${item}'`));
    return runs.length > 0 ? runs[0].info : null;
  };
  const { run_id: run } = await client.send(mlflow.createRun(experiment, content.start, item, tags), find);
  await client.send(mlflow.logBatch(run, content.metrics, content.params));
  await uploadMissing(client, experiment, run, content.files, []);
  await client.send(mlflow.updateRunStatus(run, 'FINISHED', content.start + RUN_MS));
}

async function ensureRun(client, digest, experiment, item, content, known, shape) {
  const complete = known.find((run) => isComplete(run, shape));
  for (const run of known) if (run !== complete) await client.send(mlflow.deleteRun(run.info.run_id));
  if (!complete) {
    await createRun(client, digest, experiment, item, content);
    return;
  }
  const present = await client.send(mlflow.listArtifacts(complete.info.run_id));
  await uploadMissing(client, experiment, complete.info.run_id, content.files, present);
}

const itemOf = (run) => ((run.data.tags || []).find((tag) => tag.key === 'perfscale.item') || {}).value;

/**
 * Complete one experiment of a tenant, adding only what is missing.
 * @param {{send: function}} client see client.js
 * @param {object} dataSet digest and shape
 * @param {number} number the number of the experiment, from 1
 * @param {object|undefined} known the experiment as found, if it exists
 * @throws {RequestError|string} when a request failed for good, or the experiment was deleted
 */
export async function fillExperiment(client, dataSet, number, known) {
  const { digest } = dataSet;
  const name = `${prefixOf(digest)}${number}`;
  const experiment = await ensureExperiment(client, digest, name, known);
  const prompts = known ? await client.send(mlflow.findPrompts(`${name}-prompt-`)) : [];
  for (const p of upTo(dataSet.prompts_per_experiment)) {
    const prompt = `${name}-prompt-${p}`;
    await ensurePrompt(client, digest, prompt, experiment, prompts.find((found) => found.name === prompt));
  }
  const runs = known ? await client.send(mlflow.findRuns(experiment, `tags.\`perfscale.data_set\` = '${digest}'`)) : [];
  for (const r of upTo(dataSet.runs_per_experiment)) {
    const item = `run-${r}`;
    const content = contentOf(digest, number, r, dataSet);
    await ensureRun(client, digest, experiment, item, content, runs.filter((run) => itemOf(run) === item), dataSet);
  }
}
