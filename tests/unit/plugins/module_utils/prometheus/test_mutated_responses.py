# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server answers, a client of Prometheus ends with a result or with a sentence, and so does all that is made of the result."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, Window, collect
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import documents, series_csv, summary_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import probe
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError
from fakes.mutated_responses import mutations

VECTOR = {"resultType": "vector", "result": [{"metric": {"group": "mlflow", "pod": "a"}, "value": [1020, "0.5"]}]}
MATRIX = {"resultType": "matrix", "result": [{"metric": {"group": "mlflow", "pod": "a"}, "values": [[1000, "1"], [1020, "2"]]}]}
FIELD = {"component_label": "group", "instance_label": "pod"}
ENTRIES = {
    "instant": ({"metricName": "m", "query": "q", "instant": True, "field": "cpu_cores_mean", **FIELD}, VECTOR),
    "range": ({"metricName": "m", "query": "q", "field": "memory_bytes", **FIELD}, MATRIX),
    "both ends": ({"metricName": "m", "query": "q", "instant": True, "captureStart": True}, MATRIX),
    "scalar": ({"metricName": "m", "query": "q", "instant": True}, {"resultType": "scalar", "result": [1020, "5"]}),
}
HINTS = {"warnings": ["w"], "infos": ["i"]}


@pytest.mark.parametrize("kind", ENTRIES)
def test_no_answer_ends_in_a_raw_exception(server, kind):
    entry, data = ENTRIES[kind]
    window = Window(1000.0, 1020.0)
    request = Request(load_profile([entry]), {"mlflow": "mlflow"}, window, 1.0)
    named = 0
    for body in mutations({"status": "success", "data": data, **HINTS}):
        server.responses = [(200, body.decode("latin-1"))]
        found = collect(request, PrometheusClient(server.url, timeout=5), 0.0)
        named += bool(found.errors)
        written = series_csv(found.measurements) + summary_csv(found.resources, found.measurements, {}, window, 0.0)
        written += json.dumps([documents(found.measurements, window, ""), [one.describe() for one in found.measurements]], allow_nan=False)
        assert "\x1b" not in written + "".join(found.errors + found.warnings)
    assert named > 20


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422])
def test_no_probe_ends_in_a_raw_exception(server, status):
    for body in mutations({"status": "success", "data": MATRIX, **HINTS}):
        server.responses = [(status, body.decode("latin-1"))]
        try:
            probe(PrometheusClient(server.url, timeout=5), {"mlflow": {"group": "mlflow"}}, 1020.0)
        except (PrometheusError, ResponseError) as error:
            assert "\x1b" not in str(error)
