// SPDX-License-Identifier: GPL-3.0-or-later
/** Loads a multi-tenant MLflow with training and browsing users. Settings: lib/settings.js; docs/workload.md. */
import { browsing as browse } from './journeys/browsing.js';
import { training as train } from './journeys/training.js';
import { planWindow } from './lib/clock.js';
import { beat } from './lib/heartbeat.js';
import { scenariosOf, usersOf } from './lib/profiles.js';
import { loadSettings } from './lib/settings.js';
import { loadSummary, operationThresholds } from './lib/summary.js';
import { createUser } from './lib/user.js';

const settings = loadSettings();
const user = createUser(settings, { training: train, browsing: browse });

export const options = {
  scenarios: scenariosOf(settings),
  thresholds: operationThresholds(),
  systemTags: ['name', 'status', 'error_code', 'scenario', 'expected_response'],
  discardResponseBodies: true,
  // A gateway that redirects to a login page has not answered: the redirect is recorded, not followed.
  maxRedirects: 0,
  insecureSkipTLSVerify: !settings.mlflow.tls_verify,
};

export function setup() {
  const window = { ...planWindow(Date.now(), settings), users: usersOf(settings) };
  console.log(JSON.stringify(window));
  return window;
}

export const training = (window) => user.iterate('training', window);
export const browsing = (window) => user.iterate('browsing', window);
export const mixed = (window) => user.iterate(null, window);
export const heartbeat = (window) => beat(window);
export const handleSummary = (data) => loadSummary(data, settings);
