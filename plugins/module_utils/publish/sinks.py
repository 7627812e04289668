# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of sinks, complete and typed, and the sinks created from them. Each is loaded only if it is used: its libraries cost half a second."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_params, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import Sink, secret_from

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING: str | None = traceback.format_exc()
else:
    MISSING = None

# For missing_required_lib and its `exception`.
LIBRARY = "jsonschema"

_REQUIRED = object()
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Secrets that are sent in a header unchanged; a library that rejects one prints it.
_HEADERS, _IN_A_HEADER = ("token_env", "access_key_env"), re.compile(r"[ -~]*")


class SettingsError(Exception):
    """Invalid settings of sinks; the text has one sentence for each problem."""


class Kind(NamedTuple):
    """One kind of sink: its options with their defaults, and the options that name the environment variable of a needed secret."""

    options: Mapping[str, Any]
    secrets: Sequence[str] = ()


_TLS = {"ca_file": "", "validate_certs": True}
KINDS: dict[str, Kind] = {
    "directory": Kind({"path": _REQUIRED, "prefix": "", "create": False}),
    "pvc": Kind(
        {
            "namespace": _REQUIRED,
            "claim": _REQUIRED,
            "prefix": "",
            "create": False,
            "size": "10Gi",
            "storage_class": "",
            "image": "",
            "timeout_s": 180,
        }
    ),
    "s3": Kind(
        {
            "bucket": _REQUIRED,
            "endpoint": "",
            "region": "us-east-1",
            "prefix": "",
            "path_style": True,
            "access_key_env": "PERFSCALE_S3_ACCESS_KEY",
            "secret_key_env": "PERFSCALE_S3_SECRET_KEY",
            "timeout_s": 60,
            **_TLS,
        },
        ("access_key_env", "secret_key_env"),
    ),
    "http": Kind({"url": _REQUIRED, "prefix": "", "token_env": "PERFSCALE_UPLOAD_TOKEN", "timeout_s": 60, **_TLS}),
    "opensearch": Kind(
        {
            "url": _REQUIRED,
            "index": "perfscale-mlflow",
            "username_env": "PERFSCALE_OPENSEARCH_USERNAME",
            "password_env": "PERFSCALE_OPENSEARCH_PASSWORD",
            "timeout_s": 60,
            **_TLS,
        }
    ),
}


def checked(sinks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the settings of every sink, complete and typed. Raises SettingsError with every problem; no secret is in it or in them."""
    found, problems = [], []
    names: set[str] = set()
    for number, given in enumerate(sinks, start=1):
        name = str(given.get("name") or given.get("kind") or f"number {number}")
        if not _NAME.fullmatch(name):
            problems.append(f"Sink {name}: invalid name. Use at most 63 letters, digits, dots, dashes and underscores.")
        if name in names:
            problems.append(f"Sink {name}: duplicate name. Give each sink a name of its own.")
        names.add(name)
        options, wrong = _options(name, given)
        problems += wrong
        found.append({"name": name, "kind": given.get("kind"), **options})
    if problems:
        raise SettingsError(" ".join(problems))
    return found


def _options(name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    kind = KINDS.get(str(given.get("kind")))
    if kind is None:
        return {}, [f"Sink {name}: unknown kind {given.get('kind')!r}. Allowed: {', '.join(KINDS)}."]
    problems = [
        f"Sink {name}: unknown option {key}. Allowed for {given['kind']}: {', '.join(kind.options)}."
        for key in given
        if key not in ("name", "kind", *kind.options)
    ]
    options: dict[str, Any] = {}
    for key, default in kind.options.items():
        value = given.get(key)
        # A survey passes an empty text for an unanswered question.
        if value is None or value == "":
            if default is _REQUIRED:
                problems.append(f"Sink {name}: option {key} missing. A sink of kind {given['kind']} needs it.")
            options[key] = default
            continue
        try:
            options[key] = _typed(value, default)
        except ValueError as error:
            problems.append(f"Sink {name}: option {key} is {error}.")
    problems += [f"Sink {name}: {problem}" for problem in _problems(options, kind)]
    return options, problems


def _typed(value: Any, default: Any) -> Any:
    """Return a value in the type of its default. Raises ValueError."""
    text = str(value).strip()
    if isinstance(default, bool):
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ValueError(f"{text!r}, neither true nor false")
        return text.lower() in _TRUE
    if isinstance(default, int):
        if not text.isdigit() or int(text) < 1:
            raise ValueError(f"{text!r}, not a whole number above 0")
        return int(text)
    if isinstance(value, (dict, list)):
        raise ValueError("a list or a mapping, not a text")
    return text


def _problems(options: Mapping[str, Any], kind: Kind) -> Iterable[str]:
    for key in ("url", "endpoint"):
        value = options.get(key)
        if isinstance(value, str) and value:
            yield from _url_problems(key, value)
    if any(part in (".", "..") for part in str(options.get("prefix", "")).split("/")):
        yield f"option prefix {options['prefix']!r} leaves the sink. Give plain names, separated by slashes."
    for key in options:
        if not key.endswith("_env"):
            continue
        if not _VARIABLE.fullmatch(str(options[key])):
            yield f"option {key} is not the name of an environment variable. Give the name of the variable, not the secret itself."
        elif key in kind.secrets and not secret_from(options[key]):
            yield f"the environment variable {options[key]} is not set. Set it for ansible-playbook (in AWX by a credential), or name another one in {key}."
        elif key in _HEADERS and not _IN_A_HEADER.fullmatch(secret_from(options[key])):
            yield f"the environment variable {options[key]} holds a character that a header cannot carry. Set it to the secret alone, in ASCII."


def _url_problems(key: str, value: str) -> Iterable[str]:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, urlsplit("")
    if parts.username or parts.password:
        yield f"option {key} holds credentials. Remove them; they come from the environment."
    elif not usable or parts.query or parts.fragment:
        yield f"option {key} is not a base URL. Write it as https://host:port/path."


Factory = Callable[[Mapping[str, Any], Mapping[str, Any]], Sink]


class MissingLibrary(Exception):
    """A Python library that a kind of sink needs is not installed; `trace` is the traceback of its import."""

    def __init__(self, library: str, trace: str | None) -> None:
        super().__init__(f"Library {library}: not installed. Install it for the Python that runs the modules.")
        self.library = library
        self.trace = trace


def _directory(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink

    return DirectorySink(**options)


def _http(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import URLLIB3_ERROR
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.http_put import HttpSink

    _require("urllib3", URLLIB3_ERROR)
    return HttpSink(**options)


def _opensearch(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.opensearch import OPENSEARCH_ERROR, OpenSearchSink

    _require("opensearch-py", OPENSEARCH_ERROR)
    return OpenSearchSink(**options)


def _s3(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.s3 import BOTOCORE_ERROR, S3Sink

    _require("botocore", BOTOCORE_ERROR)
    return S3Sink(**options)


def _pvc(options: Mapping[str, Any], cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import VolumeSink

    _require(LIBRARIES, MISSING)
    try:
        connected = cluster_from(cluster["login"])
    except ClusterError as error:
        raise SettingsError(f"Sink {options['name']} (pvc): {error}") from error
    return VolumeSink(options["name"], connected, cluster["run_id"], cluster["pod"], options)


def _require(library: str, error: str | None) -> None:
    if error:
        raise MissingLibrary(library, error)


_FACTORIES: dict[str, Factory] = {"directory": _directory, "pvc": _pvc, "s3": _s3, "http": _http, "opensearch": _opensearch}


def create_sinks(given: Iterable[Mapping[str, Any]], cluster: Mapping[str, Any]) -> list[Sink]:
    """Return the sinks for a user's settings. `cluster` has the connection to the cluster of a volume (cluster_options).

    Raises SettingsError with every problem, SinkError, and MissingLibrary.
    """
    created = []
    for settings in checked(given):
        options = {key: value for key, value in settings.items() if key != "kind"}
        created.append(_FACTORIES[settings["kind"]](options, cluster))
    return created


def sink_spec() -> dict[str, Any]:
    """Return the options of every module that works with sinks."""
    return {
        **connection_spec(),
        "sinks": {"type": "list", "elements": "dict", "required": True},
        "pod": {"type": "dict", "default": {}},
        "schema_directory": {"type": "path", "required": True},
    }


def cluster_options(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return the connection to the cluster of a volume: the login, the settings of the pod that mounts it, and the run that creates it."""
    return {"login": connection_params(params), "pod": params["pod"], "run_id": run_id}
