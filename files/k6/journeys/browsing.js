// SPDX-License-Identifier: GPL-3.0-or-later
/** The journey of a reader: from the workspaces down to an artifact of a run. Up to 58 requests. */
import {
  fetchArtifact, getExperiment, getRun, listArtifacts, listWorkspaces,
  searchExperiments, searchPrompts, searchRuns,
} from '../lib/operations.js';
import { pick } from '../lib/random.js';

const EXPERIMENTS_LISTED = 25;
const EXPERIMENTS_OPENED = 5;
const RUNS_LISTED = 10;
const RUNS_OPENED = 3;

function readRun(send, random, experiment, run) {
  send(getRun(run));
  const files = send(listArtifacts(run));
  if (files !== null && files.length > 0) send(fetchArtifact(experiment, run, pick(random, files)));
}

/**
 * Browse one workspace.
 * @param {function(object)} send sends one operation; returns what it selects of the response, true, or null when it failed
 * @param {function(): number} random uniform numbers in [0, 1)
 */
export function browsing(send, random) {
  send(listWorkspaces());
  send(searchPrompts());
  const experiments = send(searchExperiments(EXPERIMENTS_LISTED));
  if (experiments === null) return;
  for (const experiment of experiments.slice(0, EXPERIMENTS_OPENED)) {
    send(getExperiment(experiment));
    const runs = send(searchRuns(experiment, RUNS_LISTED)) || [];
    for (const run of runs.slice(0, RUNS_OPENED)) readRun(send, random, experiment, run);
  }
}
