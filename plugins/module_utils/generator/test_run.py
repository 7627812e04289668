# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of a load that the k6-operator divides among runners: the TestRun of an attempt, and the ConfigMap with its configuration.

Plain settings in, plain objects out. Fields: TestRun of k6.io/v1alpha1
(https://github.com/grafana/k6-operator/blob/main/api/v1alpha1/testrun_types.go). Only fields that version 1.5.0 has are used.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests as manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.runner_preflight import PORT

API_VERSION, KIND = "k6.io/v1alpha1", "TestRun"
# Containers of a runner: that of k6, named by the operator, and the one that keeps the files.
RUNNER, KEEPER = "k6", "keeper"
COMPONENT = "load-runner"
# Where the operator mounts the ConfigMap that spec.script names, and the file that it runs by default.
TEST, ENTRY = "/test", "test.js"
ENVIRONMENT, CONFIG = "environment", "load_config.json"
# Annotations by which a controller without state.json finds its load: run and cell, digest of the configuration, directory in a runner, common start.
LOAD, DIGEST, DIRECTORY, START = (f"perfscale.mlflow/{name}" for name in ("load", "config-digest", "directory", "start-at"))
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - in the pod, a volume of its own
# The keeper waits, and packs the files of a k6 that memory killed.
_KEEPER_RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
# With the 0.1 cores of the default each of the starter's calls takes a tenth of a second, and runners start one after the other.
_STARTER_RESOURCES = {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}


def new_name(pod: str) -> str:
    """Return the name of a new TestRun; it begins as the generator's pod does, so that both are found by it."""
    return f"{pod}-{uuid.uuid4().hex[:8]}"


def path(namespace: str, name: str = "") -> str:
    """Return the path of a TestRun, or of all of a namespace."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/testruns" + (f"/{name}" if name else "")


def status_path(namespace: str, name: str, shard: int) -> str:
    """Return the path of k6's status (https://grafana.com/docs/k6/latest/reference/k6-rest-api/) in a runner, through the API server's proxy."""
    return f"/api/v1/namespaces/{namespace}/services/{name}-service-{shard}:{PORT}/proxy/v1/status"


def selector(name: str) -> str:
    """Return the equality selector of the Jobs and pods of a TestRun, as the operator labels them."""
    return f"app=k6,k6_cr={name}"


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the digest by which two loads are the same: of their configuration without what each attempt has of its own."""
    same = {key: value for key, value in config.items() if key not in ("out_dir", "start_at")}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def config_map(namespace: str, name: str, config: Mapping[str, Any], environment: Mapping[str, str], script: str) -> dict[str, Any]:
    """Return the ConfigMap of an attempt: the script that is run, the configuration, and the whole environment of k6."""
    # The scripts import each other by relative paths, which the keys of a ConfigMap cannot have.
    entry = f"export * from '{manifests.SCRIPTS}/{script}';\n"
    variables = "".join(f"{key}={value}\n" for key, value in environment.items())
    data = {ENTRY: entry, CONFIG: json.dumps(config), ENVIRONMENT: variables}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def test_run(
    generator: Mapping[str, Any], name: str, run_id: str, annotations: Mapping[str, str], arguments: Sequence[str], files: Mapping[str, str]
) -> dict[str, Any]:  # fmt: skip
    """Return the TestRun of an attempt: one initializer, `generator.shards` runners and one starter, all of them as restricted pods.

    `generator` is that of target.json, `annotations` are the four above, `arguments` those of `k6 run`, `files` the scripts by their paths.
    """
    settings = generator["runner"]
    labels = {**ownership.labels(run_id), manifests.COMPONENT_LABEL: COMPONENT}
    common = {
        "image": generator["image"],
        "imagePullPolicy": settings["image_pull_policy"],
        "automountServiceAccountToken": "false",
        "metadata": {"labels": labels},
        "securityContext": {**POD_SECURITY_CONTEXT, **_identity(settings)},
        "containerSecurityContext": CONTAINER_SECURITY_CONTEXT,
        **_given(imagePullSecrets=[{"name": secret} for secret in settings.get("image_pull_secrets") or []]),
        **_given(nodeSelector=dict(settings.get("node_selector") or {}), tolerations=list(settings.get("tolerations") or [])),
    }
    volumes = _volumes(generator, files)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": generator["namespace"], "annotations": dict(annotations)},
        "spec": {
            "parallelism": generator["shards"],
            "script": {"configMap": {"name": name, "file": ENTRY}},
            "arguments": " ".join(arguments),
            "initializer": {**common, **_initializer(settings, volumes)},
            "runner": {**common, **_runner(generator, name, annotations[DIRECTORY], volumes)},
            "starter": {**common, "image": settings["starter_image"] or generator["image"], "resources": _STARTER_RESOURCES},
        },
    }


def network_policy(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that admits only the operator, and pods of a TestRun such as the starter, to the control API of runners: it has no login."""
    peers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings["operator"]["namespace"]}}},
        {"podSelector": {"matchLabels": {"app": "k6"}}},
    ]
    spec = {
        "podSelector": {"matchLabels": {manifests.COMPONENT_LABEL: COMPONENT}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": peers, "ports": [{"protocol": "TCP", "port": PORT}]}],
    }
    metadata = {"name": policy_name(settings["name"]), "namespace": settings["namespace"]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def policy_name(pod: str) -> str:
    """Return the name of the policy for the runners that belong to a generator's pod."""
    return f"{pod}-runners"


def _initializer(settings: Mapping[str, Any], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what only the initializer has: it runs the script's init code once, which reads the configuration and the token."""
    return {
        "env": [{"name": "PERFSCALE_CONFIG", "value": f"{TEST}/{CONFIG}"}, {"name": "HOME", "value": "/tmp"}],  # noqa: S108
        "resources": dict(settings["resources"]),
        "volumes": [volume for volume in volumes if volume["name"] != "results"],
        "volumeMounts": [*_access_mounts(), _TMP],
    }


def _runner(generator: Mapping[str, Any], name: str, directory: str, volumes: list[dict[str, Any]]) -> dict[str, Any]:
    settings = generator["runner"]
    mounts = [*_access_mounts(), {"name": "results", "mountPath": manifests.RESULTS}, _TMP]
    environment = {
        # The operator runs `k6`; the first directory has load.sh under this name.
        "PATH": f"{manifests.SCRIPTS}/bin:{_PATH}",
        "PERFSCALE_ATTEMPT": TEST,
        "PERFSCALE_DIRECTORY": directory,
        "PERFSCALE_HOLD_S": str(settings["hold_s"]),
    }
    keeper = {
        "name": KEEPER,
        "image": generator["image"],
        "command": ["sh", f"{manifests.SCRIPTS}/pod/load.sh", "keep", directory],
        "restartPolicy": "Always",
        "resources": _KEEPER_RESOURCES,
        "volumeMounts": mounts,
    }
    return {
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": dict(settings["resources"]),
        # The operator's default asks k6 itself, so a busy k6 would be killed, and the container that holds the files of one that has ended.
        "livenessProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 3600, "periodSeconds": 3600},
        "readinessProbe": {"httpGet": {"path": "/v1/status", "port": PORT}, "periodSeconds": 2, "timeoutSeconds": 2},
        "initContainers": [keeper],
        "volumes": volumes,
        "volumeMounts": mounts,
        **_given(affinity=_affinity(settings, name), topologySpreadConstraints=_spread(settings, name)),
    }


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not empty."""
    return {key: value for key, value in fields.items() if value}


def _identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: settings[name] for key, name in (("runAsUser", "run_as_user"), ("fsGroup", "fs_group")) if settings.get(name) is not None}


def _access_mounts() -> list[dict[str, Any]]:
    return [
        {"name": "scripts", "mountPath": manifests.SCRIPTS, "readOnly": True},
        {"name": "access", "mountPath": manifests.SECRETS, "readOnly": True},
    ]


def _volumes(generator: Mapping[str, Any], files: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the volumes of a runner: those of the generator's pod, with its script as `k6` too, and an output of its own."""
    settings = {"name": generator["pod"], "volume": "empty_dir", "volume_size": generator["runner"]["volume_size"]}
    volumes = manifests.volumes(settings, files)
    scripts = next(volume for volume in volumes if volume["name"] == "scripts")
    scripts["configMap"]["items"].append({"key": manifests.key_of("pod/load.sh"), "path": "bin/k6", "mode": 0o555})
    return volumes


def _affinity(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the anti-affinity against measured pods and, if runners are to be separate, each other.

    The operator's own `separate` would replace the first one.
    """
    avoided = manifests.affinity(settings.get("avoid") or [], settings["avoid_required"])
    if settings["spread"] != "separate":
        return avoided
    term = {"labelSelector": {"matchLabels": _runners_of(name)}, "topologyKey": manifests.HOSTNAME}
    against = dict(avoided.get("podAntiAffinity") or {})
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"podAntiAffinity": {**against, required: [*against.get(required, []), term]}}


def _spread(settings: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the constraint that has about as many runners on each node, where that is possible."""
    if settings["spread"] != "even":
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": manifests.HOSTNAME,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _runners_of(name)},
        }
    ]


def _runners_of(name: str) -> dict[str, str]:
    return {"k6_cr": name, "runner": "true"}
