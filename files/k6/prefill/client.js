// SPDX-License-Identifier: GPL-3.0-or-later
/** The client of a prefill: retries with back-off, counts its requests, and throws the reason of a final failure. */
import http from 'k6/http';
import { WrongAnswer, failureReason, headersFor, isSuccess, readAnswer, tenantHeaders } from '../lib/client.js';
import { tokenOf } from '../lib/tokens.js';

const ATTEMPTS = 6;
const FIRST_DELAY_S = 0.5;
const LONGEST_DELAY_S = 8;
const LONGEST_RETRY_AFTER_S = 30;
const READS = /^(search_|list_|get_|fetch_)/;

/** True when a retry may succeed: no response or half of one, too many requests, or a server error. */
export const isRetryable = (response, wrong = null) => response.status === 0 || response.status === 429 || response.status >= 500
  || (wrong !== null && wrong.kind === 'body');

/**
 * The delay before a retry: doubling, half of it random so that clients spread; Retry-After (whole seconds, RFC 9110)
 * is the minimum, up to a limit.
 * @param {object} response k6's response
 * @param {number} attempt number of the failed attempt, from 1
 * @param {function(): number} random uniform numbers in [0, 1)
 * @returns {number} seconds
 */
export function retryDelay(response, attempt, random) {
  const doubled = Math.min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (attempt - 1));
  const asked = Number((response.headers || {})['Retry-After']) || 0;
  return Math.max(doubled * (0.5 + random() / 2), Math.min(asked, LONGEST_RETRY_AFTER_S));
}

const wait = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

/** Thrown when no attempt of a request succeeded; `fatal` when every other request would fail too. */
export class RequestError {
  constructor(reason, fatal) {
    this.reason = reason;
    this.fatal = fatal;
  }
}

/**
 * Create a client that acts as one tenant and may have many requests in flight.
 * @param {{mlflow: object, request_timeout_s: number}} settings
 * @param {string} tenant its workspace
 * @param {{requests: number, writes: number, retries: number}} counts updated with every request
 * @param {{random: function(): number, deadlineMs: number}} limits no request is sent after the deadline
 */
export function createRetryingClient(settings, tenant, counts, limits) {
  const headers = tenantHeaders(tokenOf(settings.mlflow, tenant), tenant);

  async function once(request) {
    const left = limits.deadlineMs - Date.now();
    if (left <= 0) throw new RequestError('time limit (max_duration_s) reached', true);
    counts.requests += 1;
    if (!READS.test(request.name)) counts.writes += 1;
    return http.asyncRequest(request.method, settings.mlflow.url + request.path, request.body, {
      headers: headersFor(request, headers),
      tags: { name: request.name },
      responseType: 'text',
      timeout: Math.min(left, settings.request_timeout_s * 1000),
    });
  }

  return {
    /**
     * Send a request until it succeeds.
     * @param {object} request see operations.js
     * @param {function(): Promise} findCreated finds what the request creates, if it exists: called when an earlier
     *   attempt may have succeeded unseen, or the server responds that it exists
     * @returns what the request selects of the response, or what was found
     * @throws {RequestError} when no attempt succeeded
     */
    async send(request, findCreated = async () => null) {
      for (let attempt = 1; ; attempt += 1) {
        const response = await once(request);
        let wrong = null;
        if (isSuccess(response)) {
          try {
            return readAnswer(response, request, true);
          } catch (reason) {
            if (!(reason instanceof WrongAnswer)) throw reason;
            wrong = reason;
          }
        }
        const retryable = isRetryable(response, wrong);
        if (retryable && attempt < ATTEMPTS) {
          counts.retries += 1;
          await wait(retryDelay(response, attempt, limits.random));
        }
        if (retryable || String(response.body).includes('RESOURCE_ALREADY_EXISTS')) {
          const found = await findCreated();
          if (found !== null) return found;
        }
        if (!retryable || attempt >= ATTEMPTS) {
          // A login page in place of a response is what a gateway sends without a session.
          const isFatal = response.status === 0 || response.status === 401 || (wrong !== null && wrong.kind === 'type');
          throw new RequestError(`${request.name}: ${wrong ? wrong.details : failureReason(response)}`, isFatal);
        }
      }
    },
  };
}
