// SPDX-License-Identifier: GPL-3.0-or-later
/** Loads a multi-tenant MLflow with training and browsing VUs. Settings: lib/settings.js; docs/workload.md. */
import { sleep } from 'k6';
import { browsing as browse } from './journeys/browsing.js';
import { training as train } from './journeys/training.js';
import { planWindow, secondsToStart } from './lib/clock.js';
import { beat } from './lib/heartbeat.js';
import { createIsolationProbe } from './lib/isolation.js';
import { scenariosOf, stopThresholds, vusOf } from './lib/profiles.js';
import { loadSettings } from './lib/settings.js';
import { loadSummary, operationThresholds } from './lib/summary.js';
import { assertTenantsExist } from './lib/tenants.js';
import { createVirtualUser } from './lib/virtual_user.js';

const settings = loadSettings();
const waitS = secondsToStart(settings, Date.now());
const SETUP_S = 60;
const virtualUser = createVirtualUser(settings, { training: train, browsing: browse });

export const options = {
  scenarios: scenariosOf(settings),
  thresholds: { ...operationThresholds(), ...stopThresholds(settings, waitS) },
  setupTimeout: `${Math.ceil(waitS) + SETUP_S}s`,
  systemTags: ['name', 'status', 'error_code', 'scenario', 'expected_response'],
  discardResponseBodies: true,
  // A redirect to a gateway's login page is no response of MLflow: it is recorded, not followed.
  maxRedirects: 0,
  insecureSkipTLSVerify: !settings.mlflow.tls_verify,
};

export function setup() {
  assertTenantsExist(settings);
  const now = Date.now();
  const window = { ...planWindow(settings.start_at ? Math.round(settings.start_at * 1000) : now, settings), users: vusOf(settings), vus: settings.vus };
  if (now >= window.end_ms) throw `start_at ${settings.start_at}: the window is over. Start the load earlier, or with a later start_at.`;
  console.log(JSON.stringify(window));
  sleep(secondsToStart(settings, now));
  return window;
}

export const training = (window) => virtualUser.iterate('training', window);
export const browsing = (window) => virtualUser.iterate('browsing', window);
export const mixed = (window) => virtualUser.iterate(null, window);
export const isolation = createIsolationProbe(settings);
export const heartbeat = (window) => beat(window);
export const handleSummary = (data) => loadSummary(data, settings);
