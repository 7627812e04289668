// SPDX-License-Identifier: GPL-3.0-or-later
/** The cheapest load k6 can make: the same GET over and over. What the workload's cost is compared with. */
import http from 'k6/http';

export const options = { vus: Number(__ENV.BARE_USERS), duration: __ENV.BARE_DURATION };

export default function get() {
  http.get(__ENV.BARE_URL);
}

export const handleSummary = (data) => ({ 'bare.json': JSON.stringify(data.metrics.http_reqs.values) });
