// SPDX-License-Identifier: GPL-3.0-or-later
/** What every request has in common, and how answers are read. */
import http from 'k6/http';

const REASON_LENGTH = 200;

/** Headers of a tenant's requests: {json, binary}, ready to be reused. */
export function tenantHeaders(token, tenant) {
  const common = { 'X-MLFLOW-WORKSPACE': tenant };
  if (token) common.Authorization = `Bearer ${token}`;
  return {
    json: { ...common, 'Content-Type': 'application/json' },
    binary: { ...common, 'Content-Type': 'application/octet-stream' },
  };
}

/** True when the server said yes; only the status counts, an empty body is an answer. */
export const passed = (response) => response.status >= 200 && response.status < 400;

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
export function answerOf(response, request) {
  if (!request.answer) return true;
  try {
    return response.json(request.answer) ?? request.absent ?? null;
  } catch (error) {
    return null;
  }
}

/**
 * A client that sends one request after the other for one tenant at a time.
 * Its request parameters are made once per operation and reused: this is the hottest code of the generator.
 */
export function createClient(mlflow) {
  const prepared = {};
  const headersOf = {};
  let headers = null;

  function paramsOf(request) {
    const known = prepared[request.operation];
    if (known) return known;
    const params = {
      tags: { name: request.operation },
      responseType: request.answer ? 'text' : 'none',
    };
    prepared[request.operation] = params;
    return params;
  }

  return {
    /** From now on requests are this tenant's. */
    actAs(tenant) {
      if (!headersOf[tenant]) headersOf[tenant] = tenantHeaders(mlflow.token, tenant);
      headers = headersOf[tenant];
    },
    /** Sends a request (see operations.js) that may take `timeout` milliseconds; returns k6's response. */
    send(request, timeout) {
      const params = paramsOf(request);
      params.headers = request.binary ? headers.binary : headers.json;
      params.timeout = timeout;
      return http.request(request.method, mlflow.url + request.path, request.body, params);
    },
  };
}
