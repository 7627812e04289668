// SPDX-License-Identifier: GPL-3.0-or-later
/** A client for filling: it keeps trying, counts what it needed, and says why it gave up. */
import http from 'k6/http';
import { answerOf, headersFor, passed, reasonOf, tenantHeaders } from './client.js';
import { ATTEMPTS, delayOf, retriable } from './retry.js';
import { tokenOf } from './tokens.js';

const READS = /^(search_|list_|get_|fetch_)/;
const wait = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

/** Thrown when a request has failed for good; `hopeless` when no other request can do better. */
export class GaveUp {
  constructor(reason, hopeless) {
    this.reason = reason;
    this.hopeless = hopeless;
  }
}

/**
 * A client that acts as one tenant and may have many requests on their way at once.
 * @param {{mlflow: object, request_timeout_s: number}} settings
 * @param {string} tenant its workspace
 * @param {{requests: number, writes: number, retries: number}} counts grow with every request sent
 * @param {{random: function(): number, deadlineMs: number}} limits no request is sent after the deadline
 */
export function createSteadyClient(settings, tenant, counts, limits) {
  const headers = tenantHeaders(tokenOf(settings.mlflow, tenant), tenant);

  async function once(request) {
    const left = limits.deadlineMs - Date.now();
    if (left <= 0) throw new GaveUp('the time limit (max_duration_s) was reached', true);
    counts.requests += 1;
    if (!READS.test(request.operation)) counts.writes += 1;
    return http.asyncRequest(request.method, settings.mlflow.url + request.path, request.body, {
      headers: headersFor(request, headers),
      tags: { name: request.operation },
      responseType: 'text',
      timeout: Math.min(left, settings.request_timeout_s * 1000),
    });
  }

  return {
    /**
     * Sends a request until it passes.
     * @param {object} request see operations.js
     * @param {function(): Promise} whenInDoubt finds what the request makes, if it is there: asked when an earlier
     *   try may have come through unseen, or the server says that it exists
     * @returns what the request asks of the answer, or what was found
     * @throws {GaveUp}
     */
    async send(request, whenInDoubt = async () => null) {
      for (let attempt = 1; ; attempt += 1) {
        const response = await once(request);
        const answer = passed(response) ? answerOf(response, request) : null;
        if (answer !== null) return answer;
        const again = retriable(response);
        if (again && attempt < ATTEMPTS) {
          counts.retries += 1;
          await wait(delayOf(response, attempt, limits.random));
        }
        if (again || String(response.body).includes('RESOURCE_ALREADY_EXISTS')) {
          const found = await whenInDoubt();
          if (found !== null) return found;
        }
        if (!again || attempt >= ATTEMPTS) {
          const reason = passed(response) ? 'the answer lacks what was asked for' : reasonOf(response);
          throw new GaveUp(`${request.operation}: ${reason}`, response.status === 0 || response.status === 401);
        }
      }
    },
  };
}
