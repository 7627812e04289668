# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on a volume of a real cluster, through the API server, and back."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.restoration import restore
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import create_sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import pod_name
from cluster_suite import ROOT
from fakes.run_factory import write_bare_run

SCHEMAS = ROOT / "files" / "schemas"
USER = 1000660000


@pytest.fixture
def run(tmp_path):
    """A run with many small files and one that travels in pieces."""
    directory = tmp_path / "results" / "run-1"
    for number in range(60):
        (directory / f"cells/t{number}-c1-r1").mkdir(parents=True)
        (directory / f"cells/t{number}-c1-r1/cell.json").write_text(json.dumps({"id": number}))
    (directory / "cells/t0-c1-r1/samples.csv.gz").write_bytes(bytes(range(256)) * 80000)
    return write_bare_run(directory)


@pytest.fixture
def settings(namespace):
    return {"kind": "pvc", "namespace": namespace, "claim": "results", "create": True, "size": "1Gi", "timeout_s": 60}


@pytest.fixture
def sink(cluster, namespace, images, kubeconfig, settings):
    """Create the sink in a namespace that admits only restricted pods; any user id will do."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.request("PATCH", f"/api/v1/namespaces/{namespace}", body=labels, content_type="application/merge-patch+json")
    pod = {"image": images["k6"], "run_as_user": str(USER), "fs_group": str(USER), "script": str(ROOT / "files" / "publish" / "volume.sh")}

    def made(**changes):
        login = {**dict.fromkeys(connection_spec()), "kubeconfig": kubeconfig}
        return create_sinks([{**settings, **changes}], {"login": login, "run_id": "run-1", "pod": pod})[0]

    return made


def pods(cluster, namespace):
    return [pod["metadata"]["name"] for pod in cluster.items(f"/api/v1/namespaces/{namespace}/pods")]


def test_a_run_goes_to_a_volume_and_comes_back(cluster, namespace, run, sink, tmp_path):
    volume = sink()
    sent = publish(run, [volume], Scanner(), SCHEMAS)
    assert sent["problems"] == []
    assert (sent["sinks"][0]["sent"], sent["sinks"][0]["verified"]) == (62, {"read back": 62})
    assert publish(run, [volume], Scanner(), SCHEMAS)["sinks"][0]["sent"] == 0
    claim = cluster.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/results")
    assert "app.kubernetes.io/managed-by" not in claim["metadata"]["labels"]
    pod = cluster.get(f"/api/v1/namespaces/{namespace}/pods/{pod_name('results')}")
    assert (pod["metadata"]["labels"]["perfscale.mlflow/run-id"], pod["metadata"]["labels"]["app.kubernetes.io/managed-by"]) == ("run-1", "perfscale.mlflow")
    volume.close(for_good=True)
    assert pods(cluster, namespace) == []
    # Another controller, later: the pod is gone, the files are not.
    later = sink()
    found = restore("latest", tmp_path / "back", [later], SCHEMAS)
    assert (found["found"], found["restored"]) == (True, 62)
    samples = "cells/t0-c1-r1/samples.csv.gz"
    assert (tmp_path / "back/run-1" / samples).read_bytes() == (run / samples).read_bytes()
    later.close(for_good=True)
    assert pods(cluster, namespace) == []


def test_a_deleted_pod_is_created_again(cluster, namespace, run, sink):
    volume = sink()
    assert publish(run, [volume], Scanner(), SCHEMAS)["problems"] == []
    cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod_name('results')}")
    write_bare_run(run, started=1001.0)
    sent = publish(run, [volume], Scanner(), SCHEMAS)
    assert (sent["problems"], sent["sinks"][0]["sent"]) == ([], 1)
    volume.close(for_good=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"create": False}, r"PersistentVolumeClaim .*/results: does not exist\. Create it, or set create: true\.", id="no claim"),
        pytest.param({"image": "localhost/nothing:1", "timeout_s": 20}, r"did not start within \d+ s \((ErrImagePull|ImagePullBackOff)", id="no image"),
        pytest.param({"storage_class": "nothing", "timeout_s": 6}, r"did not start within \d+ s \(.*unbound immediate", id="no storage class"),
    ],
)
def test_what_prevents_the_volume_from_mounting_is_reported(run, sink, changes, words):
    volume = sink(**changes)
    problem = publish(run, [volume], Scanner(), SCHEMAS)["problems"][0]
    assert re.search(words, problem), problem
