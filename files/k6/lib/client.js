// SPDX-License-Identifier: GPL-3.0-or-later
/** The common part of all requests, and the reading of responses. */
import http from 'k6/http';
import { CONTENTS, PARTS } from './operations.js';
import { authorizationOf, tokenOf } from './tokens.js';

const REASON_LENGTH = 200;
const WORKSPACE = 'X-MLFLOW-WORKSPACE';

/**
 * The headers of a tenant's requests by what the request carries.
 * @returns {{nothing: object, json: object, binary: object}}
 */
export function tenantHeaders(token, tenant) {
  const common = { [WORKSPACE]: tenant };
  if (token) common.Authorization = authorizationOf(token);
  return {
    nothing: { ...common },
    json: { ...common, 'Content-Type': 'application/json' },
    binary: { ...common, 'Content-Type': 'application/octet-stream' },
  };
}

/** Read from the module once: a lookup there for every request costs k6 as much as building the request. */
const request = http.request;

/** The headers of a request among those of its tenant (see tenantHeaders). */
export function headersFor(operation, headers) {
  if (operation.body === null) return headers.nothing;
  return operation.binary ? headers.binary : headers.json;
}

/** A redirect is no response of MLflow: a gateway sends it to clients without access. */
const SUCCESS = { min: 200, max: 299 };
http.setResponseCallback(http.expectedStatuses(SUCCESS));

/** True for a response with a successful status; whether it can be one of the operation says readAnswer. */
export const isSuccess = ({ status }) => status >= SUCCESS.min && status <= SUCCESS.max;

/** The reason of a failed response, in a few words. */
export function failureReason(response) {
  if (response.status === 0) return response.error || `no response (k6 error ${response.error_code})`;
  const body = response.body ? `: ${String(response.body).slice(0, REASON_LENGTH)}` : '';
  return `HTTP ${response.status}${body}`;
}

/**
 * Thrown for a response with a successful status that cannot be one of the operation: a gateway's login page, half a response.
 * `kind` is type (content type), body (no valid JSON) or part (what the operation returns is missing).
 */
export class WrongAnswer {
  constructor(kind, details) {
    this.kind = kind;
    this.details = details;
  }
}

const WEB_PAGE = /^text\/html/i;
const JSON_TYPE = /^application\/([\w.-]+\+)?json/i;
const PAGE_FILE = /\.html?$/i;

/** True when the content type may be one of the operation. MLflow sends a JSON file as text, and an upload's response without a type since 3.16. */
function isExpectedType(type, { name, path }) {
  // Most types are one of these two, and a regular expression costs k6 more than both comparisons.
  if (type === 'application/json') return true;
  const content = CONTENTS[name];
  if (content === 'file') return type === 'text/plain' || !WEB_PAGE.test(type) || PAGE_FILE.test(path);
  return (content === 'nothing' && !type) || JSON_TYPE.test(type);
}

/** True when the body of a response is JSON, as that of each response but a file's and that of an upload, which may be empty. */
function hasJson(response, { name, path }) {
  const content = CONTENTS[name];
  if (content === 'file') return path.endsWith('.json');
  return content !== 'nothing' || Boolean(response.body);
}

const isAbsent = (value) => value === undefined || value === null;
/** What each valid JSON document has. Parsing all of a long body would cost k6 fifty times as much as the whole request. */
const KEYS = '@keys';

/**
 * Judge a response with a successful status, and return the part of it that the caller needs.
 * @param {object} response k6's response
 * @param {object} operation see operations.js
 * @param {boolean} isRead whether the body was read, although the operation selects nothing of it
 * @returns the selected value; true when the operation selects nothing
 * @throws {WrongAnswer}
 */
export function readAnswer(response, operation, isRead) {
  const type = response.headers['Content-Type'];
  if (!isExpectedType(type, operation)) {
    throw new WrongAnswer('type', `answer with content type ${type || 'missing'}, expected ${CONTENTS[operation.name] === 'file' ? 'a file' : 'JSON'}`);
  }
  if (!operation.select && !(isRead && hasJson(response, operation))) return true;
  const path = operation.select || PARTS[operation.name] || KEYS;
  const value = response.json(path);
  // k6 returns nothing of invalid JSON.
  if (isAbsent(value) && isAbsent(response.json(KEYS))) throw new WrongAnswer('body', 'answer that is no complete JSON');
  if (isAbsent(value) && !operation.fallback) throw new WrongAnswer('part', `answer without ${path}`);
  return operation.select ? value ?? operation.fallback : true;
}

/**
 * Send one request to the server, in no workspace.
 * @param {{url: string, token: (string|null)}} mlflow
 * @param {object} operation see operations.js
 * @param {number} timeout milliseconds
 * @returns k6's response
 */
export function sendToServer(mlflow, operation, timeout) {
  const headers = tenantHeaders(mlflow.token, '').nothing;
  delete headers[WORKSPACE];
  return request(operation.method, mlflow.url + operation.path, operation.body, { headers, timeout, tags: { name: operation.name }, responseType: 'text' });
}

/**
 * Create a client that sends one request after the other, as one tenant at a time.
 * Its parameters are created once per operation and share their headers: this is the most frequently executed code of the generator.
 * @param {{url: string, token: (string|null), tokens: (function|null)}} mlflow
 */
export function createClient(mlflow) {
  const headers = tenantHeaders(mlflow.tokens ? null : mlflow.token, '');
  const discarding = {};
  const reading = {};

  function prepare(operation, isRead) {
    const params = { tags: { name: operation.name }, headers: headersFor(operation, headers) };
    if (isRead) params.responseType = 'text';
    (isRead ? reading : discarding)[operation.name] = params;
    return params;
  }

  return {
    /** Set the tenant of the following requests. */
    actAs(tenant) {
      for (const kind of Object.values(headers)) kind[WORKSPACE] = tenant;
      if (mlflow.tokens) {
        const login = authorizationOf(tokenOf(mlflow, tenant));
        for (const kind of Object.values(headers)) kind.Authorization = login;
      }
    },
    /**
     * Send one request.
     * @param {object} operation see operations.js
     * @param {number} timeout milliseconds
     * @param {boolean} isRead whether the body of the response is read, or discarded
     * @returns k6's response
     */
    send(operation, timeout, isRead) {
      const params = (isRead ? reading : discarding)[operation.name] || prepare(operation, isRead);
      params.timeout = timeout;
      return request(operation.method, mlflow.url + operation.path, operation.body, params);
    },
  };
}
