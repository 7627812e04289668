# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: read from files, directories and URLs, patched, and put into the order in which a cluster can take them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_url
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

try:
    from kubernetes.utils.quantity import parse_quantity
except ImportError:  # the modules report it with missing_required_lib
    parse_quantity = None  # type: ignore[assignment]

try:
    import yaml
except ImportError:  # the modules report it with missing_required_lib
    yaml = None  # type: ignore[assignment]
    YAML_ERROR: str | None = traceback.format_exc()
else:
    YAML_ERROR = None

SUFFIXES = (".yml", ".yaml", ".json")
# Files for kustomize, which are no objects.
NO_MANIFESTS = ("kustomization.yml", "kustomization.yaml")
# Dependencies come first; everything else stays in the order in which it was written.
FIRST_KINDS = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role")


def object_name(manifest: Mapping[str, Any]) -> str:
    """Return the readable name of an object: kind, namespace and name."""
    metadata = manifest.get("metadata") or {}
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest.get('kind') or 'Object'} {namespace}{metadata.get('name') or '(no name)'}"


def quantity(text: str | float | None) -> float | None:
    """Return a Kubernetes quantity as a number (cores, bytes), or None without one. Raises ValueError."""
    if text is None or text == "":
        return None
    try:
        return float(parse_quantity(str(text).strip()))  # type: ignore[no-untyped-call]
    except ValueError:
        raise ValueError(f"Quantity {text}: invalid Kubernetes quantity. Write it like 500m, 2, 512Mi or 4Gi.") from None


def parse(text: str, origin: str) -> list[dict[str, Any]]:
    """Return the objects of a YAML or JSON text with any number of documents; lists are flattened.

    Raises ClusterError when it is no YAML or something in it is no object.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ClusterError(f"Manifest {origin}: invalid YAML ({str(error).splitlines()[0]}). Correct the file.") from error
    found: list[dict[str, Any]] = []
    for document in documents:
        is_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)
        found += document["items"] if is_list else [document]
    return check(found, origin)


def check(manifests: Iterable[Any], origin: str) -> list[dict[str, Any]]:
    """Return the manifests. Raises ClusterError unless each one has apiVersion, kind and metadata.name."""
    found = list(manifests)
    for manifest in found:
        complete = isinstance(manifest, dict) and manifest.get("apiVersion") and manifest.get("kind") and (manifest.get("metadata") or {}).get("name")
        if not complete:
            raise ClusterError(f"Manifest {origin}: content without apiVersion, kind or metadata.name. Give Kubernetes objects only.")
    return found


def read(sources: Iterable[str], fetch: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the objects of files, of the files directly in directories, and of http(s) URLs, which `fetch` reads.

    Raises ClusterError naming the source that is unreadable or empty.
    """
    found: list[dict[str, Any]] = []
    for source in sources:
        texts = {redact_url(source): fetch(source)} if source.startswith(("http://", "https://")) else _files(Path(source))
        objects = [manifest for origin, text in texts.items() for manifest in parse(text, origin)]
        if not objects:
            raise ClusterError(f"Manifest {redact_url(source)}: no objects. Give files ending in {', '.join(SUFFIXES)}, a directory of them, or a URL.")
        found += objects
    return found


def _files(path: Path) -> dict[str, str]:
    try:
        if not path.is_dir():
            return {str(path): path.read_text(encoding="utf-8")}
        names = sorted(name for name in path.iterdir() if name.suffix in SUFFIXES and name.name not in NO_MANIFESTS)
        return {str(name): name.read_text(encoding="utf-8") for name in names}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise ClusterError(f"Manifest {path}: unreadable ({why}). Correct the path or its permissions.") from error


def in_order(manifests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifests, dependencies first."""
    return sorted(manifests, key=lambda manifest: FIRST_KINDS.index(manifest["kind"]) if manifest["kind"] in FIRST_KINDS else len(FIRST_KINDS))


def patched(manifests: Iterable[dict[str, Any]], patches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifests with every patch merged into the one object that it names by kind and name.

    Raises ClusterError when a patch names nothing, since it would have no effect.
    """
    found = list(manifests)
    for patch in patches:
        wanted = (patch.get("kind"), (patch.get("metadata") or {}).get("name"))
        positions = [index for index, manifest in enumerate(found) if (manifest["kind"], manifest["metadata"]["name"]) == wanted]
        if not positions:
            raise ClusterError(f"Patch of {object_name(patch)}: no manifest of this kind and name. Correct the patch, or give the manifest.")
        for index in positions:
            found[index] = merge(found[index], patch)
    return found


def merge(base: Any, patch: Any) -> Any:
    """Return `base` changed by `patch`: dictionaries key by key (null removes), lists of named items by name, everything else replaced."""
    if isinstance(patch, Mapping):
        before = base if isinstance(base, dict) else {}
        merged = {key: value for key, value in before.items() if key not in patch}
        return merged | {key: merge(before.get(key), value) for key, value in patch.items() if value is not None}
    if _are_named(base) and _are_named(patch):
        changes = {item["name"]: item for item in patch}
        return [merge(item, changes.pop(item["name"], {})) for item in base] + list(changes.values())
    return patch


def _are_named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and "name" in item for item in value)
