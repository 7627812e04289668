// SPDX-License-Identifier: GPL-3.0-or-later
/** A reader's journey: from the workspaces down to a file of a run. Up to 58 requests. */
import * as mlflow from '../lib/operations.js';
import { pick } from '../lib/random.js';

const EXPERIMENTS_LISTED = 25;
const EXPERIMENTS_OPENED = 5;
const RUNS_LISTED = 10;
const RUNS_OPENED = 3;

function readRun(send, random, experiment, run) {
  send(mlflow.getRun(run));
  const files = send(mlflow.listArtifacts(run));
  if (files !== null && files.length > 0) send(mlflow.fetchArtifact(experiment, run, pick(random, files)));
}

export function browsing(send, random) {
  send(mlflow.listWorkspaces());
  send(mlflow.searchPrompts());
  const experiments = send(mlflow.searchExperiments(EXPERIMENTS_LISTED));
  if (experiments === null) return;
  for (const experiment of experiments.slice(0, EXPERIMENTS_OPENED)) {
    send(mlflow.getExperiment(experiment));
    const runs = send(mlflow.searchRuns(experiment, RUNS_LISTED)) || [];
    for (const run of runs.slice(0, RUNS_OPENED)) readRun(send, random, experiment, run);
  }
}
