# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of the generator's pod."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests
from fakes.fake_generator_pod import AVOID, ROOT, settings_of

SCRIPTS = pod_manifests.scripts(ROOT / "files" / "k6")


def test_the_pod_is_restricted_and_holds_no_secret():
    spec = pod_manifests.pod(settings_of(run_as_user=7, fs_group=8, image_pull_secrets=["pull"], mlflow_url="http://m"), SCRIPTS)["spec"]
    container = spec["containers"][0]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 7, "fsGroup": 8}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not spec["automountServiceAccountToken"]
    assert not spec["enableServiceLinks"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert {"name": "MLFLOW_URL", "value": "http://m"} in container["env"]
    paths = [item["path"] for item in spec["volumes"][0]["configMap"]["items"]]
    assert {"mlflow_scale_test.js", "lib/settings.js", "journeys/training.js", "pod/load.sh"} <= set(paths)


def test_the_scripts_fit_into_a_config_map():
    data = pod_manifests.config_map(settings_of(), SCRIPTS)["data"]
    assert "lib__settings.js" in data
    assert sum(len(text.encode()) for text in data.values()) < 2**20


@pytest.mark.parametrize("required", [pytest.param(True, id="required"), pytest.param(False, id="preferred")])
def test_anti_affinity_reaches_other_namespaces(required):
    rules = pod_manifests.affinity(AVOID, required)["podAntiAffinity"]
    (name, entries), = rules.items()
    assert name.startswith("required" if required else "preferred")
    terms = entries if required else [entry["podAffinityTerm"] for entry in entries]
    assert [term.get("namespaceSelector") for term in terms] == [{}, None]
    assert terms[1]["namespaces"] == ["data"]


def test_nothing_to_avoid_is_no_affinity():
    assert "affinity" not in pod_manifests.pod(settings_of(avoid=[]), SCRIPTS)["spec"]


PROXIES = {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(("proxy", "expected"), [pytest.param("http://proxy:3128", PROXIES, id="configured"), pytest.param(None, {}, id="none")])
def test_the_pod_has_the_configured_proxy_and_none_of_the_controller(proxy, expected, monkeypatch):
    for name in ("HTTP_PROXY", "https_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "http://of-the-controller:1")
    [container] = pod_manifests.pod(settings_of(proxy=proxy), SCRIPTS)["spec"]["containers"]
    assert {entry["name"]: entry["value"] for entry in container["env"] if "proxy" in entry["name"].lower()} == expected


def test_another_proxy_needs_another_pod():
    digests = {pod_manifests.pod(settings_of(proxy=proxy), SCRIPTS)["metadata"]["annotations"][pod_manifests.DIGEST] for proxy in (None, "http://proxy:3128")}
    assert len(digests) == 2
