// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * One function per MLflow request. Each returns plain data that a client sends:
 *   name       the operation in every result
 *   method, path, body (text, or null)
 *   binary     true when the body is a file and not JSON
 *   select     gjson path of what the caller needs of the response; absent: nothing
 *   fallback   the value when the response lacks that part; absent: the response is unusable
 * (https://mlflow.org/docs/latest/api_reference/rest-api.html)
 */

const API = '/api/2.0/mlflow';
const PROMPT_TAG = { key: 'mlflow.prompt.is_prompt', value: 'true' };
const PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'";
const FIRST_PROMPTS = `${API}/registered-models/search?filter=${encodeURIComponent(PROMPTS)}`;

function post(name, path, body, select, fallback) {
  return { name, method: 'POST', path: `${API}/${path}`, body: JSON.stringify(body), select, fallback };
}

function get(name, path, select, fallback) {
  return { name, method: 'GET', path, body: null, select, fallback };
}

/** The path of an artifact of a run (MLflow's artifact proxy). */
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

/** Selects {run_id, artifact_uri, …}. */
export const createRun = (experiment, startTime, name, tags) =>
  post('create_run', 'runs/create', {
    experiment_id: experiment, start_time: startTime, run_name: name, tags,
  }, 'run.info');

export const logMetric = (run, key, value, timestamp, step) =>
  post('log_metric', 'runs/log-metric', { run_id: run, key, value, timestamp, step });

export const logParameter = (run, key, value) =>
  post('log_parameter', 'runs/log-parameter', { run_id: run, key, value });

export const logBatch = (run, metrics, params) =>
  post('log_batch', 'runs/log-batch', { run_id: run, metrics, params });

export const logArtifact = (experiment, run, file, content) => ({
  name: 'log_artifact',
  method: 'PUT',
  path: artifactPath(experiment, run, file),
  body: content,
  binary: true,
});

export const updateRunStatus = (run, status, endTime) =>
  post('update_run_status', 'runs/update', { run_id: run, status, end_time: endTime });

export const deleteRun = (run) => post('delete_run', 'runs/delete', { run_id: run });

export const listWorkspaces = () => get('list_workspaces', '/api/3.0/mlflow/workspaces');

/** The first page of prompts, of the server's default length. */
export const searchPrompts = () => get('search_prompts', FIRST_PROMPTS);

/** Selects the list of experiment ids, newest first. */
export const searchExperiments = (maxResults) =>
  post('search_experiments', 'experiments/search', { max_results: maxResults }, 'experiments.#.experiment_id', []);

/** Selects the experiments whose name begins with `prefix`, of any lifecycle stage. */
export const findExperiments = (prefix) =>
  post('search_experiments', 'experiments/search', {
    filter: `name LIKE '${prefix}%'`, max_results: 1000, view_type: 'ALL',
  }, 'experiments', []);

export const getExperiment = (experiment) =>
  get('get_experiment', `${API}/experiments/get?experiment_id=${experiment}`);

/** Selects the list of run ids. */
export const searchRuns = (experiment, maxResults) =>
  post('search_runs', 'runs/search', { experiment_ids: [experiment], max_results: maxResults }, 'runs.#.info.run_id', []);

/** Selects the runs of an experiment with their data. */
export const findRuns = (experiment, filter) =>
  post('search_runs', 'runs/search', { experiment_ids: [experiment], filter, max_results: 1000 }, 'runs', []);

/** Selects the prompts whose name begins with `prefix`, with their latest versions. */
export const findPrompts = (prefix) =>
  get('search_prompts', `${API}/registered-models/search?max_results=1000&filter=${
    encodeURIComponent(`name LIKE '${prefix}%' AND ${PROMPTS}`)}`, 'registered_models', []);

export const getRun = (run) => get('get_run', `${API}/runs/get?run_id=${run}`);

/** Selects the list of paths. */
export const listArtifacts = (run) =>
  get('list_artifacts', `${API}/artifacts/list?run_id=${run}`, 'files.#.path', []);

export const fetchArtifact = (experiment, run, file) =>
  get('fetch_artifact', artifactPath(experiment, run, file));

/** What a response carries, by operation, where that is not JSON: nothing (or JSON); a file (anything but a web page). */
export const CONTENTS = { log_artifact: 'nothing', fetch_artifact: 'file' };

/** gjson path of what each response has, although no journey needs it, by operation. */
export const PARTS = {
  create_prompt: 'registered_model.name',
  create_prompt_version: 'model_version.version',
  update_run_status: 'run_info.run_id',
  list_workspaces: 'workspaces.0.name',
  get_experiment: 'experiment.experiment_id',
  get_run: 'run.info.run_id',
};

/** The operations of the load, in the order in which journeys first send them. */
export const OPERATIONS = [
  'create_experiment', 'create_prompt', 'create_prompt_version', 'create_run', 'log_metric',
  'log_parameter', 'log_artifact', 'update_run_status',
  'list_workspaces', 'search_prompts', 'search_experiments', 'get_experiment', 'search_runs',
  'get_run', 'list_artifacts', 'fetch_artifact',
];
