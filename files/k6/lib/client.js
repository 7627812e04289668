// SPDX-License-Identifier: GPL-3.0-or-later
/** The common part of all requests, and the reading of responses. */
import http from 'k6/http';
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

/** True for a successful response; only the status counts, the body may be empty. */
export const isSuccess = ({ status }) => status >= SUCCESS.min && status <= SUCCESS.max;

/** The reason of a failed response, in a few words. */
export function failureReason(response) {
  if (response.status === 0) return response.error || `no response (k6 error ${response.error_code})`;
  const body = response.body ? `: ${String(response.body).slice(0, REASON_LENGTH)}` : '';
  return `HTTP ${response.status}${body}`;
}

/**
 * The part of a response that the caller needs.
 * @param {object} response k6's response
 * @param {object} operation see operations.js
 * @returns the selected value; true when the operation selects nothing; null when the response does not contain it
 */
export function selectedValue(response, operation) {
  if (!operation.select) return true;
  try {
    return response.json(operation.select) ?? operation.fallback ?? null;
  } catch (error) {
    return null;
  }
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
  const prepared = {};

  function paramsOf(operation) {
    const params = { tags: { name: operation.name }, headers: headersFor(operation, headers) };
    if (operation.select) params.responseType = 'text';
    prepared[operation.name] = params;
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
     * @returns k6's response
     */
    send(operation, timeout) {
      const params = prepared[operation.name] || paramsOf(operation);
      params.timeout = timeout;
      return request(operation.method, mlflow.url + operation.path, operation.body, params);
    },
  };
}
