# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact store of MLflow in a cluster, as its pod has it: a directory in a PersistentVolumeClaim that a Job of ours can mount too.

The Job uses the image, the user and the node of that pod, so it may change what MLflow wrote, and a volume that one node mounts is no obstacle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

CONTAINER = "artifacts"
# Files of run ids, one a line, that a container before this one may have left: of the live database, and of all that are to be kept.
LIVE, KNOWN = "live_runs", "known_runs"
_OPTION = "--artifacts-destination"
_FILE_URLS = ("file://", "/")
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
# Paths are workspaces/WORKSPACE/EXPERIMENT/RUN; MLflow's run ids are UUIDs without dashes. It prints how many runs were removed, and how many
# of the live database have a directory.
_PROGRAM = f"""
import contextlib, json, os, pathlib, re, shutil, sys
root, work = map(pathlib.Path, sys.argv[1:])
found = [path for path in root.glob("workspaces/*/*/*") if re.fullmatch("[0-9a-f]{{32}}", path.name) and path.is_dir() and not path.is_symlink()]
removed = 0
if (work / "{KNOWN}").exists():
    known = set((work / "{KNOWN}").read_text().split())
    unknown = [path for path in found if path.name not in known]
    for path in unknown:
        shutil.rmtree(path)
    for experiment in {{path.parent for path in unknown}}:
        with contextlib.suppress(OSError):
            os.rmdir(experiment)
    removed = len(unknown)
live = set((work / "{LIVE}").read_text().split())
print(json.dumps({{"removed": removed, "present": sum(path.name in live for path in found)}}))
"""
_SHELL = 'exec "$(command -v python3 || command -v python)" -c "$@"'


class ArtifactStore(NamedTuple):
    """Where MLflow keeps artifacts: the pod that serves them, its container, the claim and the directory, or why a Job cannot reach them."""

    pod: Mapping[str, Any]
    container: Mapping[str, Any]
    claim: str
    mount_path: str
    directory: str
    reason: str | None


def artifact_store(pod: Mapping[str, Any], container: str) -> ArtifactStore:
    """Return the store of MLflow's pod, by the arguments and volumes of its container."""
    served = next(entry for entry in pod["spec"]["containers"] if entry["name"] == container)
    destination = _destination(served)
    directory = destination.removeprefix("file://")
    if not destination.startswith(_FILE_URLS):
        return ArtifactStore(pod, served, "", "", directory, f"MLflow keeps artifacts in {destination or 'an unknown place'}, which no Job can mount")
    mounts = sorted(served.get("volumeMounts") or [], key=lambda mount: len(mount["mountPath"]), reverse=True)
    mount = next((entry for entry in mounts if f"{directory}/".startswith(f"{entry['mountPath'].rstrip('/')}/")), None)
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    claim = (volumes.get(mount["name"], {}).get("persistentVolumeClaim") or {}).get("claimName") if mount else None
    if not claim or mount is None or mount.get("subPath"):
        return ArtifactStore(pod, served, "", "", directory, f"MLflow's {directory} is not in a PersistentVolumeClaim that a Job can mount")
    return ArtifactStore(pod, served, claim, mount["mountPath"], directory, None)


def _destination(container: Mapping[str, Any]) -> str:
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == _OPTION or word.startswith(f"{_OPTION}="):
            return str(following if word == _OPTION else word.partition("=")[2])
    variables = {entry["name"]: entry.get("value") or "" for entry in container.get("env") or []}
    return str(variables.get("MLFLOW_ARTIFACTS_DESTINATION", ""))


def job_container(store: ArtifactStore, work: Mapping[str, str]) -> dict[str, Any]:
    """Return the container that counts and removes directories of runs; `work` is the mount {name, mountPath} with the files of run ids."""
    return python_container(store, work, _PROGRAM, store.directory, work["mountPath"])


def python_container(store: ArtifactStore, work: Mapping[str, str], program: str, *arguments: str) -> dict[str, Any]:
    """Return a container that runs a program with the Python, the user and the artifacts of MLflow; `work` is a mount of its own."""
    # Kubernetes makes one dollar sign of two.
    texts = [text.replace("$", "$$") for text in (program, *arguments)]
    return {
        "name": CONTAINER,
        "image": store.container["image"],
        "imagePullPolicy": store.container.get("imagePullPolicy", "IfNotPresent"),
        "command": ["sh", "-c", _SHELL, "sh", *texts],
        "resources": _RESOURCES,
        "securityContext": _identity(store.container),
        "volumeMounts": [{"name": "artifacts", "mountPath": store.mount_path}, dict(work)],
    }


def beside_mlflow(store: ArtifactStore, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a Job's pod with what it needs of MLflow's: its node, user, tolerations, pull secrets and claim."""
    spec = store.pod["spec"]
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [spec["nodeName"]]}]}]
    secrets = [*(pod.get("imagePullSecrets") or []), *(spec.get("imagePullSecrets") or [])]
    return {
        **pod,
        **({"tolerations": spec["tolerations"]} if spec.get("tolerations") else {}),
        **({"imagePullSecrets": secrets} if secrets else {}),
        "securityContext": {**_identity(spec), **{key: value for key, value in (spec.get("securityContext") or {}).items() if key.startswith("fsGroup")}},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}},
        "volumes": [*(pod.get("volumes") or []), {"name": "artifacts", "persistentVolumeClaim": {"claimName": store.claim}}],
    }


def _identity(subject: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user and SELinux label of a pod or container, so that the Job's files are as MLflow's own."""
    context = subject.get("securityContext") or {}
    keys = ("runAsUser", "runAsGroup", "supplementalGroups", "seLinuxOptions")
    return {key: context[key] for key in keys if context.get(key) is not None}


def counts(log: str) -> dict[str, int]:
    """Return {removed, present} from the log of the container. Raises ClusterError."""
    try:
        found = json.loads(log.strip().splitlines()[-1])
        return {"removed": int(found["removed"]), "present": int(found["present"])}
    except (ValueError, LookupError, TypeError) as error:
        raise ClusterError(f"Artifacts: the Job's output is no count ({log[-200:].strip() or 'empty'}). Run the same again.") from error
