// SPDX-License-Identifier: GPL-3.0-or-later
/** What a tenant's requests log in with, a bearer token or user:password: one for all tenants, or one for each. */
import { SharedArray } from 'k6/data';
import { b64encode } from 'k6/encoding';

/**
 * The value of the Authorization header.
 * @param {string} token a bearer token or `user:password`; no token has a colon (RFC 6750, 2.1)
 * @returns {string}
 */
export const authorizationOf = (token) => (token.includes(':') ? `Basic ${b64encode(token)}` : `Bearer ${token}`);

/**
 * Read a token per tenant. They are in memory once, not once per VU: 500 tokens of 1 KB times 200 VUs are 100 MB.
 * @param {string[]} tenants whose tokens are needed
 * @param {function(): object} read returns the map tenant -> token; called once per k6
 * @returns {function(string): string} the token of a tenant
 * @throws {string} an error that names a tenant without a token
 */
export function tokensOf(tenants, read) {
  const values = new SharedArray('tokens', () => {
    const map = read();
    return tenants.map((tenant) => {
      if (typeof map[tenant] !== 'string' || !map[tenant]) {
        throw `mlflow.token_map_file: no token for ${tenant}. Add one for every tenant of the load.`;
      }
      return map[tenant];
    });
  });
  const indexes = new Map(tenants.map((tenant, index) => [tenant, index]));
  return (tenant) => values[indexes.get(tenant)];
}

/** The token that a tenant uses, or null without authentication. */
export const tokenOf = (mlflow, tenant) => (mlflow.tokens ? mlflow.tokens(tenant) : mlflow.token);
