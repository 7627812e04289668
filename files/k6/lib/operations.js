// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * One function per MLflow request. Each returns plain data that a client sends:
 *   operation  its name in every result
 *   method, path, body (text, or null)
 *   binary     true when the body is a file and not JSON
 *   answer     gjson selector of what the caller needs from the answer; not given: nothing
 *   absent     what it means when the answer has no such part; not given: the answer is useless
 * (https://mlflow.org/docs/latest/api_reference/rest-api.html)
 */

const API = '/api/2.0/mlflow';
const PROMPT_TAG = { key: 'mlflow.prompt.is_prompt', value: 'true' };
const PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'";
const FIRST_PROMPTS = `${API}/registered-models/search?filter=${encodeURIComponent(PROMPTS)}`;

function post(operation, path, body, answer, absent) {
  return { operation, method: 'POST', path: `${API}/${path}`, body: JSON.stringify(body), answer, absent };
}

function get(operation, path, answer, absent) {
  return { operation, method: 'GET', path, body: null, answer, absent };
}

/** Where the server keeps a file of a run (MLflow's artifact proxy). */
function artifactPath(experiment, run, file) {
  return `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/${file}`;
}

export const createExperiment = (name, tags) =>
  post('create_experiment', 'experiments/create', { name, tags }, 'experiment_id');

export const createPrompt = (name, tags = []) =>
  post('create_prompt', 'registered-models/create', { name, tags: [PROMPT_TAG, ...tags] });

export const createPromptVersion = (name, text, experiment) =>
  post('create_prompt_version', 'model-versions/create', {
    name,
    source: 'dummy-source',
    tags: [
      PROMPT_TAG,
      { key: 'mlflow.prompt.text', value: text },
      { key: 'mlflow.prompt.type', value: 'text' },
      { key: 'mlflow.prompt.experiment_ids', value: JSON.stringify([experiment]) },
    ],
  });

/** Answers {run_id, artifact_uri, …}. */
export const createRun = (experiment, startTime, name, tags) =>
  post('create_run', 'runs/create', {
    experiment_id: experiment, start_time: startTime, run_name: name, tags,
  }, 'run.info');

export const logMetric = (run, key, value, timestamp, step) =>
  post('log_metric', 'runs/log-metric', { run_id: run, key, value, timestamp, step });

export const logParameter = (run, key, value) =>
  post('log_parameter', 'runs/log-parameter', { run_id: run, key, value });

export const logBatch = (run, metrics, params, tags) =>
  post('log_batch', 'runs/log-batch', { run_id: run, metrics, params, tags });

export const logArtifact = (experiment, run, file, content) => ({
  operation: 'log_artifact',
  method: 'PUT',
  path: artifactPath(experiment, run, file),
  body: content,
  binary: true,
});

export const updateRunStatus = (run, status, endTime) =>
  post('update_run_status', 'runs/update', { run_id: run, status, end_time: endTime });

export const deleteRun = (run) => post('delete_run', 'runs/delete', { run_id: run });

export const listWorkspaces = () => get('list_workspaces', '/api/3.0/mlflow/workspaces');

/** The first page of prompts, as long as the server makes it. */
export const searchPrompts = () => get('search_prompts', FIRST_PROMPTS);

/** Answers the list of experiment ids, newest first. */
export const searchExperiments = (maxResults) =>
  post('search_experiments', 'experiments/search', { max_results: maxResults }, 'experiments.#.experiment_id', []);

/** Answers the experiments whose name begins so, of any life-cycle stage. */
export const findExperiments = (prefix) =>
  post('search_experiments', 'experiments/search', {
    filter: `name LIKE '${prefix}%'`, max_results: 1000, view_type: 'ALL',
  }, 'experiments', []);

export const getExperiment = (experiment) =>
  get('get_experiment', `${API}/experiments/get?experiment_id=${experiment}`);

/** Answers the list of run ids. */
export const searchRuns = (experiment, maxResults) =>
  post('search_runs', 'runs/search', { experiment_ids: [experiment], max_results: maxResults }, 'runs.#.info.run_id', []);

/** Answers the runs of an experiment with all that they carry. */
export const findRuns = (experiment, filter) =>
  post('search_runs', 'runs/search', { experiment_ids: [experiment], filter, max_results: 1000 }, 'runs', []);

/** Answers the prompts whose name begins so, with their latest versions. */
export const findPrompts = (prefix) =>
  get('search_prompts', `${API}/registered-models/search?max_results=1000&filter=${
    encodeURIComponent(`name LIKE '${prefix}%' AND ${PROMPTS}`)}`, 'registered_models', []);

export const getRun = (run) => get('get_run', `${API}/runs/get?run_id=${run}`);

/** Answers the list of paths. */
export const listArtifacts = (run) =>
  get('list_artifacts', `${API}/artifacts/list?run_id=${run}`, 'files.#.path', []);

export const fetchArtifact = (experiment, run, file) =>
  get('fetch_artifact', artifactPath(experiment, run, file));

/** The operations of the load, in the order in which journeys first make them. */
export const OPERATIONS = [
  'create_experiment', 'create_prompt', 'create_prompt_version', 'create_run', 'log_metric',
  'log_parameter', 'log_artifact', 'update_run_status',
  'list_workspaces', 'search_prompts', 'search_experiments', 'get_experiment', 'search_runs',
  'get_run', 'list_artifacts', 'fetch_artifact',
];
