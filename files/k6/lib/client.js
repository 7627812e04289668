// SPDX-License-Identifier: GPL-3.0-or-later
/** What every request has in common, and how answers are read. */
import http from 'k6/http';
import { tokenOf } from './tokens.js';

const REASON_LENGTH = 200;
const WORKSPACE = 'X-MLFLOW-WORKSPACE';

/** Headers of a tenant's requests by what the request carries: {nothing, json, binary}. */
export function tenantHeaders(token, tenant) {
  const common = { [WORKSPACE]: tenant };
  if (token) common.Authorization = `Bearer ${token}`;
  return {
    nothing: { ...common },
    json: { ...common, 'Content-Type': 'application/json' },
    binary: { ...common, 'Content-Type': 'application/octet-stream' },
  };
}

/** Taken out of the module once: looking it up there for every request costs k6 as much as building the request. */
const request = http.request;

/** Which of a tenant's headers a request takes. */
export function headersFor(wanted, headers) {
  if (wanted.body === null) return headers.nothing;
  return wanted.binary ? headers.binary : headers.json;
}

/** A redirect is no answer of MLflow: a gateway sends it to whom it does not let in. */
const SUCCESS = { min: 200, max: 299 };
http.setResponseCallback(http.expectedStatuses(SUCCESS));

/** True when the server said yes; only the status counts, an empty body is an answer. */
export const passed = ({ status }) => status >= SUCCESS.min && status <= SUCCESS.max;

/** Why a response failed, in a few words. */
export function reasonOf(response) {
  if (response.status === 0) return response.error || `no answer (k6 error ${response.error_code})`;
  const body = response.body ? `: ${String(response.body).slice(0, REASON_LENGTH)}` : '';
  return `HTTP ${response.status}${body}`;
}

/**
 * The part of an answer that the caller needs.
 * @returns the selected value; true when nothing was asked for; null when the answer does not have it
 */
export function answerOf(response, wanted) {
  if (!wanted.answer) return true;
  try {
    return response.json(wanted.answer) ?? wanted.absent ?? null;
  } catch (error) {
    return null;
  }
}

/**
 * A client that sends one request after the other for one tenant at a time.
 * Its parameters are made once per operation and share their headers: this is the hottest code of the generator.
 */
export function createClient(mlflow) {
  const headers = tenantHeaders(mlflow.tokens ? null : mlflow.token, '');
  const prepared = {};

  function paramsOf(wanted) {
    const params = { tags: { name: wanted.operation }, headers: headersFor(wanted, headers) };
    if (wanted.answer) params.responseType = 'text';
    prepared[wanted.operation] = params;
    return params;
  }

  return {
    /** From now on requests are this tenant's. */
    actAs(tenant) {
      for (const kind of Object.values(headers)) kind[WORKSPACE] = tenant;
      if (mlflow.tokens) {
        const bearer = `Bearer ${tokenOf(mlflow, tenant)}`;
        for (const kind of Object.values(headers)) kind.Authorization = bearer;
      }
    },
    /** Sends what is wanted (see operations.js); it may take `timeout` milliseconds. Returns k6's response. */
    send(wanted, timeout) {
      const params = prepared[wanted.operation] || paramsOf(wanted);
      params.timeout = timeout;
      return request(wanted.method, mlflow.url + wanted.path, wanted.body, params);
    },
  };
}
