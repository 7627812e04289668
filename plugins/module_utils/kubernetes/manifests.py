# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: read from files, directories and URLs as kubectl reads them, patched, and put into the order in which a cluster can take them."""

from __future__ import annotations

import json
import math
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_url
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line, read_text
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
# Aliases may make a small text a large object; the largest CRDs have some ten thousand parts.
_PARTS_MAX = 1_000_000
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

    Raises ClusterError when it is neither or something in it is no object.
    """
    try:
        documents = [document for document in _documents(text) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        where = f", line {mark.line + 1}" if mark else ""
        raise ClusterError(f"Manifest {origin}: invalid YAML ({one_line(str(problem), 200)}{where}). Correct the file.") from error
    found: list[dict[str, Any]] = []
    for document in documents:
        is_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)
        found += document["items"] if is_list else [document]
    return check(found, origin)


def _documents(text: str) -> list[Any]:
    """Return the documents of a text: JSON ones one after another, else YAML. Raises YAMLError, ValueError and RecursionError."""
    if text.lstrip().startswith("{"):
        try:
            return _json_documents(text)
        except ValueError:
            pass  # YAML may begin with a brace too
    budget = [_PARTS_MAX]
    return [_plain(document, budget) for document in yaml.load_all(text, Loader=_loader())]


def _json_documents(text: str) -> list[Any]:
    decoder, documents, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        documents.append(document)
    return documents


def _plain(value: Any, budget: list[int]) -> Any:
    """Return what YAML describes as JSON has it: keys are texts. Raises ValueError for what JSON has no form for."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("its aliases make it too large")
    if isinstance(value, dict):
        return {_key(key): _plain(part, budget) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, budget) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number of JSON")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"{type(value).__name__} has no form in JSON")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, (str, int, float)):
        return str(key)
    raise ValueError("a key is no text")


# Which plain scalars are no texts, as kubectl has it (sigs.k8s.io/yaml, goyaml.v2/resolve.go): YAML 1.1 without times and numbers to base 60, with the
# octal numbers of YAML 1.2; `=` is a text. Of a key that comes twice the last one counts.
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    is_old_octal = re.fullmatch(r"[-+]?0[0-7]+", digits)
    return int(digits, 8 if is_old_octal else 0)


def _loader() -> type:
    """Return the loader for `yaml.load_all`."""

    loader_class: Any = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": {}})

    def scalar(loader: Any, node: Any) -> str:
        return str(loader.construct_scalar(node))

    resolved: dict[str, tuple[re.Pattern[str], list[str] | None, Callable[[Any, Any], Any]]] = {
        "null": (re.compile("|".join(map(re.escape, _NULL))), ["", "~", "n", "N"], lambda loader, node: None),
        "bool": (re.compile("|".join((*_TRUE, *_FALSE))), list("yYnNtTfFoO"), lambda loader, node: scalar(loader, node) in _TRUE),
        "int": (_INTEGER, list("-+0123456789"), lambda loader, node: _integer(scalar(loader, node))),
        "float": (
            re.compile(f"{_FLOAT.pattern}|{_SPECIAL.pattern}"),
            list("-+.0123456789"),
            lambda loader, node: float(scalar(loader, node).replace("_", "").replace(".inf", "inf").replace(".nan", "nan")),
        ),
    }
    for name, (pattern, first, construct) in resolved.items():
        tag = f"tag:yaml.org,2002:{name}"
        loader_class.add_implicit_resolver(tag, re.compile(rf"(?:{pattern.pattern})\Z"), first)
        loader_class.add_constructor(tag, construct)
    loader_class.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"])
    # Written out, a time is a text.
    loader_class.add_constructor("tag:yaml.org,2002:timestamp", scalar)
    return loader_class  # type: ignore[no-any-return]


def check(manifests: Iterable[Any], origin: str) -> list[dict[str, Any]]:
    """Return the manifests. Raises ClusterError unless each one has apiVersion, kind and metadata.name."""
    found = list(manifests)
    for manifest in found:
        metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
        texts = [manifest.get("apiVersion"), manifest.get("kind"), metadata.get("name")] if isinstance(metadata, dict) else []
        if not texts or not all(text and isinstance(text, str) for text in texts):
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
            return {str(path): read_text(path)}
        names = sorted(name for name in path.iterdir() if name.suffix in SUFFIXES and name.name not in NO_MANIFESTS)
        return {str(name): read_text(name) for name in names}
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
