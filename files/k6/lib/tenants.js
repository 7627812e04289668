// SPDX-License-Identifier: GPL-3.0-or-later
/** The names of tenants, and whether they exist. The playbooks create and count them before a load; a run by hand checks them itself. */
import { failureReason, isSuccess, readAnswer, sendToServer } from './client.js';
import { listWorkspaces } from './operations.js';

const NAMED = 3;
const TIMEOUT_MS = 60000;

/** The names of a script's tenants. */
export function tenantNames({ prefix, count, numbers }) {
  return (numbers || Array.from({ length: count || 0 }, (_, i) => i + 1)).map((number) => `${prefix}${number}`);
}

/**
 * Check in a script's setup that the tenants of a run by hand exist.
 * @param {object} settings from settings.js
 * @throws {string} what to run first
 */
export function assertTenantsExist(settings) {
  if (!settings.by_hand) return;
  const names = tenantNames(settings.tenants);
  const { url } = settings.mlflow;
  const request = { ...listWorkspaces(), name: 'setup', select: 'workspaces.#.name', fallback: [] };
  const response = sendToServer(settings.mlflow, request, TIMEOUT_MS);
  const notListed = (why) => `MLflow ${url}: workspaces not listed (${why}). Check MLFLOW_URL and MLFLOW_TOKEN, and that workspaces are enabled.`;
  if (!isSuccess(response)) throw notListed(failureReason(response));
  let existing;
  try {
    existing = new Set(readAnswer(response, request, true));
  } catch (reason) {
    throw notListed(reason.details || String(reason));
  }
  const absent = names.filter((name) => !existing.has(name));
  if (absent.length === 0) return;
  const more = absent.length > NAMED ? ` and ${absent.length - NAMED} more` : '';
  throw `Tenants ${absent.slice(0, NAMED).join(', ')}${more}: absent from MLflow ${url}. Create them first with `
    + `ansible localhost -m perfscale.mlflow.workspaces -a 'url=${url} count=${names.length}', then fill them with mlflow_prefill_tenants.js.`;
}
