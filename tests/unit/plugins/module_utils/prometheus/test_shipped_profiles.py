# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped metrics profiles: few enough, valid PromQL, and every figure that a valid cell needs."""

from __future__ import annotations

import json
from pathlib import Path

import promql_parser
import pytest
import yaml
from jsonschema import Draft202012Validator

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, Window, check
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile

ROOT = Path(__file__).resolve().parents[5]
PROFILES = [pytest.param(path, id=path.stem) for path in sorted(ROOT.glob("files/metrics_profiles/*.yml"))]
GROUPS = {"mlflow": "mlflow", "k6_benchmark": "k6_benchmark"}
PODS = {
    "mlflow": {"namespace": "opendatahub", "pod": "mlflow-.*", "container": "mlflow"},
    "k6_benchmark": {"namespace": "opendatahub", "pod": "k6-benchmark"},
    "router": {"namespace": "openshift-ingress", "pod": "router-default-.*"},
}


@pytest.mark.parametrize("path", PROFILES)
def test_a_shipped_profile_is_valid(path):
    entries = load_profile(str(path))
    schema = json.loads((ROOT / "files" / "schemas" / "metrics_profile.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert len(entries) <= 14
    required = {entry.field for entry in entries if not entry.optional}
    assert required >= {"cpu_cores_mean", "cpu_cores_peak", "memory_bytes", "coverage"}


@pytest.mark.parametrize("path", PROFILES)
def test_its_queries_are_promql(path):
    components = GROUPS if path.stem == "local" else PODS
    queries = check(Request(load_profile(str(path)), components, Window(1000.0, 1020.5), 1.0))
    for query in queries:
        promql_parser.parse(query)
        assert "{{" not in query


@pytest.mark.parametrize("name", ["kubernetes", "openshift"])
def test_a_profile_of_clusters_counts_nothing_twice(name):
    """Each counter of cAdvisor passes `max by`, so that two jobs with the same series count once; the ids distinguish restarted containers."""
    entries = {entry.metric: entry for entry in load_profile(str(ROOT / "files" / "metrics_profiles" / f"{name}.yml"))}
    for metric in ("cpu_mean", "cpu", "samples"):
        text = " ".join(entries[metric].query.split())
        assert "max by (namespace, pod, container, id) (" in text
        assert 'image!=""' in text
        assert 'image=""' in text
    figures = {field for entry in entries.values() for field in (entry.field, *entry.fields)}
    wanted = {"restarts", "oom_kills", "throttled_ratio", "network.receive_bytes_per_s", "volumes.used_bytes", "cpu_utilization", "limits.memory_bytes"}
    assert figures >= wanted
