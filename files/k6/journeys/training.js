// SPDX-License-Identifier: GPL-3.0-or-later
/** The journey of a data scientist: writes an experiment with prompts and runs. 43 requests. */
import {
  createExperiment, createPrompt, createPromptVersion, createRun, logArtifact,
  logMetric, logParameter, updateRunStatus,
} from '../lib/operations.js';

const PROMPTS = 3;
const RUNS = 3;
const METRICS_PER_RUN = 3;
const PARAMS_PER_RUN = 5;
const ARTIFACT_BYTES = 10 * 1024;

/** A JSON file of about 10 KB; the same for every run, since the server does not read it. */
function artifactOf(kind) {
  const line = `One of many lines of a recorded ${kind}. `;
  return JSON.stringify({ kind, lines: new Array(Math.ceil(ARTIFACT_BYTES / (line.length + 3))).fill(line) });
}

const ARTIFACTS = { 'prompt.json': artifactOf('prompt'), 'model.json': artifactOf('model') };

function writePrompt(send, experimentName, experiment) {
  const name = `${experimentName}-Prompt-${crypto.randomUUID()}`;
  if (send(createPrompt(name)) === null) return;
  send(createPromptVersion(name, 'Answer the question about {{ topic }}.', experiment));
}

function writeRun(send, random, experiment) {
  const run = send(createRun(experiment, Date.now()));
  if (run === null) return;
  for (let i = 1; i <= METRICS_PER_RUN; i += 1) {
    send(logMetric(run.run_id, `metric_${i}`, random(), Date.now(), 0));
  }
  for (let i = 1; i <= PARAMS_PER_RUN; i += 1) {
    send(logParameter(run.run_id, `param_${i}`, random().toFixed(6)));
  }
  if (run.artifact_uri.startsWith('mlflow-artifacts:/')) {
    for (const file of Object.keys(ARTIFACTS)) {
      send(logArtifact(experiment, run.run_id, file, ARTIFACTS[file]));
    }
  }
  send(updateRunStatus(run.run_id, 'FINISHED', Date.now()));
}

/**
 * Write one experiment. Its name is new every time: the data of an earlier load may still exist.
 * @param {function(object)} send sends one operation; returns what it selects of the response, true, or null when it failed
 * @param {function(): number} random uniform numbers in [0, 1)
 */
export function training(send, random) {
  const name = `Exp-${crypto.randomUUID()}`;
  const experiment = send(createExperiment(name));
  if (experiment === null) return;
  for (let i = 0; i < PROMPTS; i += 1) writePrompt(send, name, experiment);
  for (let i = 0; i < RUNS; i += 1) writeRun(send, random, experiment);
}
