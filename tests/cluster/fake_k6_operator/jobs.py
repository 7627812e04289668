# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fake of the k6-operator creates for a TestRun: the Jobs and Services that were seen of the real one, as plain manifests."""

from __future__ import annotations

import json
from typing import Any

PORT = 6565
_UNPAUSE = json.dumps({"data": {"type": "status", "id": "default", "attributes": {"paused": False}}})
# The real starter has curl. Python does the same in an image without it, and an image with neither fails as the real one does: exit code 127.
_START = """if command -v python3 >/dev/null; then
  python3 -c 'import sys, urllib.request as r
for url in sys.argv[2:]: r.urlopen(r.Request(url, sys.argv[1].encode(), {"Content-Type": "application/json"}, method="PATCH"), timeout=30)' "$@"
else
  body=$1; shift
  for url in "$@"; do curl --retry 3 -X PATCH -H 'Content-Type: application/json' -d "$body" "$url"; done
fi"""
_INITIALIZE = 'k6 archive "$@" -O /tmp/test.archived.tar && k6 inspect --execution-requirements /tmp/test.archived.tar'


def labels_of(name: str, pod: dict[str, Any], **more: str) -> dict[str, str]:
    """Return the labels of a Job, its pod and a Service; those of the TestRun do not replace the operator's."""
    return {**((pod.get("metadata") or {}).get("labels") or {}), "app": "k6", "k6_cr": name, **more}


def _owned(test_run: dict[str, Any], kind: str, version: str, name: str, labels: dict[str, str], **content: Any) -> dict[str, Any]:
    owner = {key: test_run[key] for key in ("apiVersion", "kind")} | {key: test_run["metadata"][key] for key in ("name", "uid")}
    metadata = {"name": name, "namespace": test_run["metadata"]["namespace"], "labels": labels}
    metadata["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _job(test_run: dict[str, Any], role: str, settings: dict[str, Any], container: dict[str, Any], labels: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return a Job whose pod runs once, whatever becomes of it."""
    whole = {
        "image": settings["image"],
        "imagePullPolicy": settings.get("imagePullPolicy", "IfNotPresent"),
        "env": settings.get("env", []),
        "resources": settings.get("resources", {}),
        "securityContext": settings.get("containerSecurityContext", {}),
        "volumeMounts": settings.get("volumeMounts", []),
        **container,
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": settings.get("automountServiceAccountToken") != "false",
        "securityContext": settings.get("securityContext", {}),
        "containers": [whole],
        "volumes": settings.get("volumes", []),
        **{key: settings[key] for key in ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "imagePullSecrets") if key in settings},
        **more,
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    name = f"{test_run['metadata']['name']}-{role}"
    return _owned(test_run, "Job", "batch/v1", name, labels, spec={"backoffLimit": 0, "template": template})


def _with_script(test_run: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a pod with the ConfigMap of the script mounted at /test."""
    volume = {"name": "k6-test-volume", "configMap": {"name": test_run["spec"]["script"]["configMap"]["name"]}}
    mount = {"name": "k6-test-volume", "mountPath": "/test", "readOnly": True}
    return {**settings, "volumes": [volume, *settings.get("volumes", [])], "volumeMounts": [mount, *settings.get("volumeMounts", [])]}


def _script(test_run: dict[str, Any]) -> str:
    return f"/test/{test_run['spec']['script']['configMap'].get('file', 'test.js')}"


def initializer(test_run: dict[str, Any]) -> dict[str, Any]:
    """Return the Job that runs the script's init code."""
    settings = _with_script(test_run, test_run["spec"]["initializer"])
    environment = [word for entry in settings.get("env", []) for word in ("-e", f"{entry['name']}=$({entry['name']})")]
    command = ["sh", "-c", _INITIALIZE, "sh", _script(test_run), *environment]
    return _job(test_run, "initializer", settings, {"name": "k6", "command": command}, labels_of(test_run["metadata"]["name"], settings))


def segments(shard: int, shards: int) -> list[str]:
    """Return the flags by which k6 of a shard does its part."""
    if shards == 1:
        return []
    edges = ["0", *(f"{number}/{shards}" for number in range(1, shards)), "1"]
    return [f"--execution-segment={edges[shard - 1]}:{edges[shard]}", f"--execution-segment-sequence={','.join(edges)}"]


def runner(test_run: dict[str, Any], shard: int) -> dict[str, Any]:
    """Return the Job of a shard."""
    spec, name = test_run["spec"], test_run["metadata"]["name"]
    settings = _with_script(test_run, spec["runner"])
    probe = {"httpGet": {"path": "/v1/status", "port": PORT}}
    tags = ["--tag", f"instance_id={shard}", "--tag", f"testrun_name={name}"]
    flags = [*segments(shard, spec["parallelism"]), *spec.get("arguments", "").split()]
    container = {
        "name": "k6",
        "command": ["k6", "run", "--quiet", *flags, _script(test_run), f"--address=0.0.0.0:{PORT}", "--paused", *tags],
        "ports": [{"containerPort": PORT}],
        "livenessProbe": settings.get("livenessProbe", probe),
        "readinessProbe": settings.get("readinessProbe", probe),
    }
    added = {"imagePullPolicy": settings.get("imagePullPolicy", "IfNotPresent"), "securityContext": settings.get("containerSecurityContext", {})}
    beside = [{**entry, **added, "volumeMounts": [settings["volumeMounts"][0], *entry.get("volumeMounts", [])]} for entry in settings.get("initContainers", [])]
    labels = labels_of(name, settings, runner="true")
    return _job(test_run, str(shard), settings, container, labels, hostname=f"{name}-{shard}", initContainers=beside)


def service(test_run: dict[str, Any], shard: int) -> dict[str, Any]:
    """Return the Service of a shard, by which its k6 is controlled."""
    name = test_run["metadata"]["name"]
    spec = {"ports": [{"name": "http-api", "port": PORT, "protocol": "TCP"}], "selector": {"job-name": f"{name}-{shard}"}}
    return _owned(test_run, "Service", "v1", f"{name}-service-{shard}", labels_of(name, test_run["spec"]["runner"], runner="true"), spec=spec)


def starter(test_run: dict[str, Any], addresses: list[str]) -> dict[str, Any]:
    """Return the Job that ends the pause of all shards, one after the other; its exit code is that of the last one."""
    settings = test_run["spec"]["starter"]
    urls = [f"http://{address}:{PORT}/v1/status" for address in addresses]
    container = {"name": "k6-curl", "command": ["sh", "-c", _START, "sh", _UNPAUSE, *urls]}
    return _job(test_run, "starter", settings, container, labels_of(test_run["metadata"]["name"], settings))
