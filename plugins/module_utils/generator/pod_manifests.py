# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of the generator's pod and what belongs to it: scripts, PersistentVolumeClaim, network policy; their names and paths.

Plain settings in, plain objects out. The pod follows the restricted security standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/) and runs with any user id, since OpenShift assigns one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import proxy_variables
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT

CONTAINER = "k6"
PROGRAM = "k6"
# Directories in the pod.
SCRIPTS = "/scripts"
RESULTS = "/results"
SECRETS = "/var/run/perfscale.mlflow"
# The keys of the Secret are the names of the files.
TOKEN, TOKEN_MAP, CA_BUNDLE = "token", "tokens.json", "ca.crt"

DIGEST = "perfscale.mlflow/digest"
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
COMPONENT = "load-generator"
HOSTNAME = "kubernetes.io/hostname"
SUFFIXES = (".js", ".sh")


def scripts_name(pod: str) -> str:
    """Return the name of the ConfigMap with the scripts."""
    return f"{pod}-scripts"


def secret_name(pod: str) -> str:
    """Return the name of the Secret with tokens and CA bundle."""
    return f"{pod}-access"


def claim_name(pod: str) -> str:
    """Return the name of the PersistentVolumeClaim."""
    return f"{pod}-results"


def secret_file(name: str) -> str:
    """Return the path of a file of the Secret in the pod."""
    return f"{SECRETS}/{name}"


def scripts(directory: Path | str) -> dict[str, str]:
    """Return the scripts below a directory, by their relative path."""
    root = Path(directory)
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*")) if path.suffix in SUFFIXES}


def key_of(path: str) -> str:
    """Return the key of a script in the ConfigMap, where keys have no slashes."""
    return path.replace("/", "__")


def config_map(settings: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the ConfigMap that carries the scripts."""
    data = {key_of(path): text for path, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(settings, scripts_name(settings["name"])), "data": data}


def volume_claim(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the PersistentVolumeClaim for the output, if one is requested instead of the node's disk."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": settings["volume_size"]}}}
    if settings.get("storage_class"):
        spec["storageClassName"] = settings["storage_class"]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _metadata(settings, claim_name(settings["name"])), "spec": spec}


def network_policy(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that denies all connections to the generator; its own connections are subject to the policies of their targets."""
    spec = {"podSelector": {"matchLabels": _own_labels(settings)}, "policyTypes": ["Ingress"], "ingress": []}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _metadata(settings, settings["name"]), "spec": spec}


def pod(settings: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the pod. Its annotation is a digest of its spec and the scripts: another digest needs another pod."""
    digest_of_files = hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()
    spec = _spec(settings, files)
    digest = hashlib.sha256(json.dumps([spec, digest_of_files], sort_keys=True).encode()).hexdigest()
    metadata = {**_metadata(settings, settings["name"]), "annotations": {DIGEST: digest}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _metadata(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"name": name, "namespace": settings["namespace"], "labels": _own_labels(settings)}


def _own_labels(settings: Mapping[str, Any]) -> dict[str, str]:
    return {NAME_LABEL: settings["name"], COMPONENT_LABEL: COMPONENT}


def _spec(settings: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    identity = {key: settings[name] for key, name in (("runAsUser", "run_as_user"), ("fsGroup", "fs_group")) if settings.get(name) is not None}
    optional = {
        "imagePullSecrets": [{"name": name} for name in settings.get("image_pull_secrets") or []],
        "nodeSelector": dict(settings.get("node_selector") or {}),
        "tolerations": list(settings.get("tolerations") or []),
        "affinity": affinity(settings.get("avoid") or [], settings["avoid_required"]),
    }
    return {
        "restartPolicy": "Always",
        "automountServiceAccountToken": False,
        # A Service named mlflow or k6 would add variables to the environment that scripts and k6 would read as settings.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {**POD_SECURITY_CONTEXT, **identity},
        "containers": [_container(settings)],
        "volumes": volumes(settings, files),
        **{key: value for key, value in optional.items() if value},
    }


def _container(settings: Mapping[str, Any]) -> dict[str, Any]:
    environment = {
        "HOME": "/tmp",  # noqa: S108 - in the pod, a volume of its own
        "SSL_CERT_FILE": secret_file(CA_BUNDLE),
        "MLFLOW_TOKEN_FILE": secret_file(TOKEN),
        "K6_NO_USAGE_REPORT": "true",
        **({"MLFLOW_URL": settings["mlflow_url"]} if settings.get("mlflow_url") else {}),
        # For scripts that are run by hand; a load gets its own environment.
        **proxy_variables(settings.get("proxy")),
    }
    mounts = [
        {"name": "scripts", "mountPath": SCRIPTS, "readOnly": True},
        {"name": "results", "mountPath": RESULTS},
        {"name": "access", "mountPath": SECRETS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
    ]
    return {
        "name": CONTAINER,
        "image": settings["image"],
        "imagePullPolicy": settings["image_pull_policy"],
        "command": ["sh", f"{SCRIPTS}/pod/load.sh", "idle"],
        "workingDir": RESULTS,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": dict(settings["resources"]),
        "securityContext": CONTAINER_SECURITY_CONTEXT,
        "volumeMounts": mounts,
    }


def volumes(settings: Mapping[str, Any], files: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the volumes scripts, results, access and tmp of a pod; those of `settings.name` are mounted."""
    items = [{"key": key_of(path), "path": path} for path in files]
    name = settings["name"]
    if settings["volume"] == "claim":
        results: dict[str, Any] = {"persistentVolumeClaim": {"claimName": claim_name(name)}}
    else:
        results = {"emptyDir": {"sizeLimit": settings["volume_size"]}}
    return [
        {"name": "scripts", "configMap": {"name": scripts_name(name), "items": items}},
        {"name": "results", **results},
        # The pod starts before there is a token. Any user of the pod may read it, since its user id is not known beforehand.
        {"name": "access", "secret": {"secretName": secret_name(name), "optional": True, "defaultMode": 0o444}},
        {"name": "tmp", "emptyDir": {}},
    ]


def affinity(avoid: Sequence[Mapping[str, Any]], is_required: bool) -> dict[str, Any]:
    """Return the anti-affinity against pods of other components: each of `avoid` has labels, and namespaces (none: all)."""
    if not avoid:
        return {}
    terms = [_term(entry) for entry in avoid]
    if is_required:
        return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    weighted = [{"weight": 100, "podAffinityTerm": term} for term in terms]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}


def _term(entry: Mapping[str, Any]) -> dict[str, Any]:
    # Without either, a term applies to the pod's own namespace only, and the measured system may be in another one.
    where: dict[str, Any] = {"namespaces": list(entry["namespaces"])} if entry.get("namespaces") else {"namespaceSelector": {}}
    return {"labelSelector": {"matchLabels": dict(entry["labels"])}, "topologyKey": HOSTNAME, **where}
