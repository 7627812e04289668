# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks and their results as text: the sentences that a person needs on the console, and everything, as one line, for the log;
and the run that they are about."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable

try:
    import yaml
except ImportError:  # the modules that import this file write no YAML, and may run where PyYAML is absent
    yaml = None  # type: ignore[assignment]

LOG = "ansible.log"
FACT = "test_matrix_run_dir"
MODULES = "perfscale.mlflow."
HIDDEN = "The result is hidden (no_log)."
# The keys of a failed task that explain the failure, the best first.
_MESSAGE_KEYS = ("msg", "reason", "module_stderr", "stderr", "module_stdout", "stdout", "rc")
# Without use in a log: arguments repeat the task, differences may show contents of private files, the rest is logged on lines of its own.
_LEFT_OUT = ("invocation", "diff", "exception", "warnings", "deprecations")
# What ansible-core puts before the sentence of a plugin of this collection: the chain of what was being evaluated.
_CHAIN = re.compile(r"(?s)\A.*?plugin 'perfscale\.mlflow\.\w+' failed: ")
_PREFIX = re.compile(r"\A(?:Task failed: |Module failed: |Action failed: )+")
# Where ansible-core shows the lines of YAML around an error.
_FRAME = re.compile(r"\n(?:Origin: |<<< caused by >>>|The error was: )")
_LONGEST_LINE = 4000
_ROLE = re.compile(r"\Aperfscale\.mlflow\.\w+ : ")


def plain(value: Any) -> str:
    """Return any value as text, without user information of URLs; bytes decoded, structures as YAML."""
    if isinstance(value, str):
        return redact_text(str(value))
    if isinstance(value, (bytes, bytearray)):
        return redact_text(bytes(value).decode("utf-8", "replace"))
    if value is None:
        return ""
    try:
        if isinstance(value, (Mapping, list, tuple)):
            return yaml.safe_dump(json.loads(one_line(value)), allow_unicode=True, default_flow_style=False, sort_keys=False).rstrip("\n")
        return redact_text(str(value))
    except Exception:  # a value may raise anything when it is converted; the rest of the result must not be lost
        return f"({type(value).__name__}, cannot be shown)"


def lines(value: Any) -> list[str]:
    """Return a message as lines without empty ones: a text, or a list of texts of one or more lines each."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    found = [line.rstrip() for part in parts for line in printable(plain(part)).split("\n")]
    return [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} … ({len(line)} characters)" for line in found if line.strip()]


def sentence(text: str) -> str:
    """Return an error or warning without the chain, the prefix and the frames that ansible-core adds around it."""
    return _FRAME.split(_PREFIX.sub("", _CHAIN.sub("", text)), maxsplit=1)[0].strip()


def error_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the error lines of a failed task, each once; of a loop those of the items that failed."""
    if result.get("censored") or result.get("_ansible_no_log"):
        return [HIDDEN]
    items = result.get("results")
    if isinstance(items, list):
        failed = [item for item in items if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))]
        if failed:
            return _once(line for item in failed for line in error_lines(item))
    for key in _MESSAGE_KEYS:
        value = result.get(key)
        found = lines([sentence(plain(part)) for part in value] if isinstance(value, (list, tuple)) else sentence(plain(value)))
        if found:
            return found
    return ["The task failed without a message."]


def warning_text(warning: Any) -> str:
    """Return a warning of ansible-core with its causes as one sentence; only the texts are common to the types that its versions use."""
    event, messages = getattr(warning, "event", None), []
    while event is not None:
        messages.append(plain(getattr(event, "msg", None)).strip())
        event = getattr(getattr(event, "chain", None), "event", None)
    causes = _once(text for text in messages if text)
    text = ": ".join([*(cause.rstrip(".") for cause in causes[:-1]), *causes[-1:]])
    return sentence(text or plain(getattr(warning, "msg", None) or warning))


def one_line(result: Any, limit: int | None = None) -> str:
    """Return a result as JSON on one line, cut after `limit` characters."""
    text = printable(json.dumps(_printable(_without_internals(result)), ensure_ascii=False))
    return text if limit is None or len(text) <= limit else f"{text[:limit]} … ({len(text)} characters)"


def _without_internals(result: Any) -> Any:
    """Return a result, and those of its items, without keys that are useless in a log or must not be there."""
    if not isinstance(result, Mapping):
        return result
    if result.get("_ansible_no_log"):
        return HIDDEN
    shown = {key: value for key, value in result.items() if key not in _LEFT_OUT and not str(key).startswith("_ansible_")}
    if isinstance(shown.get("results"), list):
        shown["results"] = [_without_internals(item) for item in shown["results"]]
    return shown


def _printable(value: Any) -> Any:
    """Return a value of plain types, as JSON accepts them."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {plain(key): _printable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(part) for part in value]
    return plain(value)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def task_label(name: str) -> str:
    """Return the name of a task without the role that ansible-core puts before it."""
    return _ROLE.sub("", name.strip())


def task_location(path: str | None) -> str:
    """Return file and line of a task, the file from its role or playbook on."""
    file, _colon, line = (path or "").rpartition(":")
    parts = file.split(os.sep)
    for room in ("roles", "playbooks"):
        if room in parts:
            return f"{'/'.join(parts[parts.index(room) :])}:{line}"
    return f"{os.path.basename(file)}:{line}"


def run_directory(action: str, result: Mapping[str, Any]) -> str | None:
    """Return the run directory that the result of a task names: as the fact of the roles, or as an argument of a module of this collection."""
    facts = result.get("ansible_facts")
    if isinstance(facts, Mapping) and isinstance(facts.get(FACT), str):
        return str(facts[FACT])
    invocation = result.get("invocation")
    arguments = invocation.get("module_args") if isinstance(invocation, Mapping) else None
    if not action.startswith(MODULES) or not isinstance(arguments, Mapping):
        return None
    named, target = arguments.get("run_directory"), arguments.get("path")
    if isinstance(named, str):
        return named
    return os.path.dirname(target) if isinstance(target, str) and os.path.basename(target) == "target.json" else None
