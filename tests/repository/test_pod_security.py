# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pod that this collection makes passes the restricted Pod Security Standard, and takes images by digest.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.filter.security_context import security_context
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.text_input import as_dict, as_list
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests, test_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import volume_pod
from checkout import ROOT, files, load_yaml, relative
from fakes.fake_generator_pod import settings_of
from fakes.fake_k6_operator import generator_of

# Kinds of volumes that the standard allows; none of them is a path of the node.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST = ("hostNetwork", "hostPID", "hostIPC")
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGES = (f"registry.example.com:5000/a/b@{DIGEST}", f"registry.example.com:5000/a/b:1.2@{DIGEST}", "registry.example.com:5000/a/b:1.2", "b")


def violations(spec: dict[str, Any]) -> Iterator[str]:
    """Yield what the standard forbids in the specification of a pod."""
    pod = spec.get("securityContext") or {}
    yield from (name for name in HOST if spec.get(name))
    yield from (f"sysctl {entry['name']}" for entry in pod.get("sysctls") or [])
    for volume in spec.get("volumes") or []:
        yield from (f"volume {volume['name']}: {kind}" for kind in volume if kind not in VOLUMES | {"name"})
    containers = [*spec["containers"], *(spec.get("initContainers") or []), *(spec.get("ephemeralContainers") or [])]
    for container in containers:
        own = container.get("securityContext") or {}
        both = {**pod, **own}
        found = {
            "privileged": own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
            "capabilities": (own.get("capabilities") or {}).get("drop") != ["ALL"],
            "added capabilities": set((own.get("capabilities") or {}).get("add") or []) - {"NET_BIND_SERVICE"},
            "runAsNonRoot": both.get("runAsNonRoot") is not True,
            "runAsUser": both.get("runAsUser") == 0,
            "seccompProfile": (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"),
            "procMount": own.get("procMount", "Default") != "Default",
            "seLinuxOptions": (both.get("seLinuxOptions") or {}).keys() & {"user", "role"},
            "windowsOptions": both.get("windowsOptions"),
            "hostPort": any(port.get("hostPort") for port in container.get("ports") or []),
        }
        yield from (f"{container['name']}: {name}" for name, is_wrong in found.items() if is_wrong)


def postgresql(image: str, **changes: Any) -> dict[str, Any]:
    """Return the pod of PostgreSQL as the role renders it."""
    role = ROOT / "roles" / "postgresql"
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - YAML, not HTML
    environment.filters.update({f"perfscale.mlflow.{filter_.__name__}": filter_ for filter_ in (as_dict, as_list, security_context)})
    environment.filters["combine"] = lambda first, *more: {**first, **{key: value for part in more for key, value in part.items()}}
    environment.filters["to_json"] = json.dumps
    values = {**load_yaml(role / "defaults" / "main.yml"), "postgresql_namespace": "here", "__postgresql_secret": "postgresql", **changes}
    text = environment.from_string((role / "templates" / "server.yml.j2").read_text(encoding="utf-8")).render({**values, "postgresql_image": image})
    deployment = next(document for document in yaml.safe_load_all(text) if document["kind"] == "Deployment")
    return dict(deployment["spec"]["template"]["spec"])


def of_test_run(role: str) -> Callable[[str], dict[str, Any]]:
    """Return how the k6-operator makes a pod of a TestRun: its fields are those of a pod, under other names."""

    def build(image: str) -> dict[str, Any]:
        generator = {**generator_of(2), "image": image}
        pod = test_run.test_run(generator, "t", "run-1", {test_run.DIRECTORY: "/results/x"}, [], {})["spec"][role]
        own = {"securityContext": pod["containerSecurityContext"]}
        return {
            "securityContext": pod["securityContext"],
            "automountServiceAccountToken": pod["automountServiceAccountToken"] != "false",
            "containers": [{"name": "k6", "image": pod["image"], **own}],
            "initContainers": [{**container, **own} for container in pod.get("initContainers", [])],
            "volumes": pod.get("volumes", []),
        }

    return build


# Where pods are made: how.
PODS: dict[str, dict[str, Callable[[str], dict[str, Any]]]] = {
    "plugins/module_utils/generator/pod_manifests.py": {
        "k6": lambda image: pod_manifests.pod(settings_of(image=image), pod_manifests.scripts(ROOT / "files" / "k6"))["spec"],
        "k6 with a user": lambda image: pod_manifests.pod(settings_of(image=image, run_as_user=1, fs_group=2), {})["spec"],
    },
    "plugins/module_utils/generator/test_run.py": {role: of_test_run(role) for role in ("initializer", "runner", "starter")},
    "plugins/module_utils/publish/volume.py": {
        "volume": lambda image: volume_pod("here", "results", {"image": image})["spec"],
        "volume with a user": lambda image: volume_pod("here", "results", {"image": image, "run_as_user": "1", "fs_group": "2"})["spec"],
    },
    "roles/postgresql/templates/server.yml.j2": {
        "postgresql": postgresql,
        "postgresql, user by the cluster": lambda image: postgresql(image, postgresql_run_as_user=0),
        "postgresql without exporter": lambda image: postgresql(image, postgresql_exporter=False, postgresql_network_policy=True),
    },
}
each_pod = pytest.mark.parametrize("pod", [pytest.param(pod, id=name) for pods in PODS.values() for name, pod in pods.items()])


@each_pod
def test_a_pod_is_restricted(pod: Callable[[str], dict[str, Any]]) -> None:
    assert list(violations(pod("image"))) == []


@each_pod
@pytest.mark.parametrize("image", IMAGES)
def test_a_pod_takes_any_reference_of_an_image(pod: Callable[[str], dict[str, Any]], image: str) -> None:
    assert pod(image)["containers"][0]["image"] == image


@each_pod
def test_a_pod_has_no_token_of_the_cluster(pod: Callable[[str], dict[str, Any]]) -> None:
    assert pod("image")["automountServiceAccountToken"] is False


def test_all_places_that_make_pods_are_listed() -> None:
    manifest = re.compile(r"\"kind\": \"Pod\", \"metadata\": |\"runner\": {\*\*common|^      containers:$|^  containers:$", re.MULTILINE)
    found = {relative(path) for path in files("plugins/**/*.py", "roles/**/*.j2", "files/**/*.yml") if manifest.search(path.read_text(encoding="utf-8"))}
    assert found == set(PODS)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param({"hostNetwork": True}, "hostNetwork", id="network of the node"),
        pytest.param({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "volume x: hostPath", id="path of the node"),
        pytest.param({"securityContext": {"runAsNonRoot": True}}, "c: seccompProfile", id="no seccomp profile"),
        pytest.param({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, "c: runAsNonRoot", id="root"),
        pytest.param({"containers": [{"name": "c", "securityContext": {"capabilities": {"drop": ["ALL"]}}}]}, "c: allowPrivilegeEscalation", id="escalation"),
        pytest.param({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}, "i: privileged", id="init container"),
    ],
)
def test_the_policy_finds_what_is_forbidden(change: dict[str, Any], found: str) -> None:
    good = {"securityContext": security_context("pod"), "containers": [{"name": "c", "securityContext": security_context("container")}]}
    assert list(violations(good)) == []
    assert found in list(violations({**good, **change}))
