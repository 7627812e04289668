# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of a load that the k6-operator divides."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests, test_run
from fakes.fake_generator_pod import AVOID, ROOT
from fakes.fake_k6_operator import generator_of

SCRIPTS = pod_manifests.scripts(ROOT / "files" / "k6")
NOTES = {test_run.DIRECTORY: "/results/run@c.1.x"}
HOST = "kubernetes.io/hostname"
ROLES = ("initializer", "runner", "starter")


def spec_of(shards=4, **runner):
    """The spec of a TestRun."""
    return test_run.test_run(generator_of(shards, **runner), "k6-benchmark-1", "run-1", NOTES, ["--out", "csv=x"], SCRIPTS)["spec"]


@pytest.mark.parametrize("role", ROLES)
def test_every_pod_is_restricted(role):
    pod = spec_of(run_as_user=7, fs_group=8)[role]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 7, "fsGroup": 8}
    assert pod["containerSecurityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] == "false"


@pytest.mark.parametrize("role", ROLES)
def test_every_pod_has_a_given_image_and_our_labels(role):
    pod = spec_of(starter_image="starter:1")[role]
    assert pod["image"] == ("starter:1" if role == "starter" else "k6:1")
    assert pod["imagePullPolicy"] == "IfNotPresent"
    assert pod["metadata"]["labels"]["perfscale.mlflow/run-id"] == "run-1"


def test_a_starter_without_an_image_of_its_own_has_that_of_k6():
    assert spec_of()["starter"]["image"] == "k6:1"


def test_the_operator_gets_the_shards_and_the_arguments():
    spec = spec_of()
    assert (spec["parallelism"], spec["arguments"]) == (4, "--out csv=x")
    assert spec["script"] == {"configMap": {"name": "k6-benchmark-1", "file": "test.js"}}


def test_in_a_runner_k6_is_our_script():
    runner = spec_of()["runner"]
    items = runner["volumes"][0]["configMap"]["items"]
    assert {"key": "pod__load.sh", "path": "bin/k6", "mode": 0o555} in items
    environment = {entry["name"]: entry["value"] for entry in runner["env"]}
    assert environment["PATH"].startswith("/scripts/bin:")
    assert environment["PERFSCALE_DIRECTORY"] == "/results/run@c.1.x"


def test_the_initializer_has_neither_results_nor_the_container_that_keeps_them():
    initializer = spec_of()["initializer"]
    assert "initContainers" not in initializer
    assert {volume["name"] for volume in initializer["volumes"]} == {"scripts", "access", "tmp"}


def test_a_container_beside_k6_keeps_the_files():
    [keeper] = spec_of()["runner"]["initContainers"]
    assert keeper["restartPolicy"] == "Always"
    assert keeper["command"] == ["sh", "/scripts/pod/load.sh", "keep", "/results/run@c.1.x"]
    assert {"name": "results", "mountPath": "/results"} in keeper["volumeMounts"]


def test_the_kubelet_does_not_kill_a_busy_k6():
    assert "httpGet" not in spec_of()["runner"]["livenessProbe"]


def test_no_secret_is_in_a_test_run():
    [access] = [volume for volume in spec_of()["runner"]["volumes"] if volume["name"] == "access"]
    assert access["secret"]["secretName"] == "k6-benchmark-access"


@pytest.mark.parametrize(
    ("spread", "separates", "constraints"), [("none", False, 0), ("even", False, 1), ("separate", True, 0)], ids=["none", "even", "separate"]
)
def test_how_runners_are_spread(spread, separates, constraints):
    runner = spec_of(spread=spread, avoid=AVOID)["runner"]
    affinity = runner["affinity"]["podAntiAffinity"]
    # Measured pods are avoided in any case.
    assert len(affinity["preferredDuringSchedulingIgnoredDuringExecution"]) == 2
    own = {"labelSelector": {"matchLabels": {"k6_cr": "k6-benchmark-1", "runner": "true"}}, "topologyKey": HOST}
    assert (own in affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])) is separates
    assert len(runner.get("topologySpreadConstraints", [])) == constraints


def test_what_is_not_set_is_left_out():
    runner = spec_of(spread="none")["runner"]
    assert not {"affinity", "topologySpreadConstraints", "nodeSelector", "tolerations", "imagePullSecrets"} & runner.keys()


def test_the_configuration_of_an_attempt_has_the_whole_environment_of_k6():
    data = test_run.config_map("bench", "k6-benchmark-1", {"seed": 1}, {"HOME": "/results/x", "GOGC": "200"}, "mlflow_scale_test.js")["data"]
    assert data["environment"] == "HOME=/results/x\nGOGC=200\n"
    assert data["test.js"] == "export * from '/scripts/mlflow_scale_test.js';\n"


def test_two_attempts_of_one_load_have_the_same_digest():
    one, other = ({"seed": 1, "out_dir": where, "start_at": start} for where, start in (("/a", 1.0), ("/b", 2.0)))
    assert test_run.config_digest(one) == test_run.config_digest(other)
    assert test_run.config_digest(one) != test_run.config_digest({**one, "seed": 2})
