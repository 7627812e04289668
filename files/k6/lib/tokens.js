// SPDX-License-Identifier: GPL-3.0-or-later
/** Which bearer token a tenant's requests carry: one for all, or one for each. */
import { SharedArray } from 'k6/data';

/**
 * A token per tenant. They lie in memory once, not once per user: 500 tokens of 1 KB times 200 users are 100 MB.
 * @param {string[]} tenants whose tokens are needed
 * @param {function(): object} read gives the map tenant -> token; called once per k6
 * @throws {string} a sentence that names a tenant without a token
 */
export function tokensOf(tenants, read) {
  const values = new SharedArray('tokens', () => {
    const map = read();
    return tenants.map((tenant) => {
      if (typeof map[tenant] !== 'string' || !map[tenant]) {
        throw `mlflow.token_map_file: has no token for ${tenant}. Write one for every tenant of the load.`;
      }
      return map[tenant];
    });
  });
  const places = new Map(tenants.map((tenant, place) => [tenant, place]));
  return (tenant) => values[places.get(tenant)];
}

/** The token that a tenant uses, or null where none is wanted. */
export const tokenOf = (mlflow, tenant) => (mlflow.tokens ? mlflow.tokens(tenant) : mlflow.token);
