# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and dictionaries that a user gives as text, with -e name=… or in a survey of AWX, where Ansible keeps them as text; or in a file."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line, read_text

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]
    YAML_ERROR: str | None = traceback.format_exc()
else:
    YAML_ERROR = None


def as_list(value: Any, name: str, elements: str = "str") -> list[Any]:
    """Return a list from a list, from text that is a YAML or JSON list, or from texts with commas between them; nothing and an empty text are empty.

    `name` is that of the input, `elements` str or dict. Raises ValueError with a sentence.
    """
    is_yaml = isinstance(value, str) and (value.lstrip()[:1] in ("[", "{") or "\n" in value.strip() or elements == "dict")
    items = _parsed(value, name, elements) if is_yaml else value
    if isinstance(items, str):
        items = [part.strip() for part in items.split(",") if part.strip()]
    items = [] if items is None else items
    if not isinstance(items, (list, tuple)) or (elements == "dict" and not all(isinstance(item, Mapping) for item in items)):
        raise ValueError(f"Input {name}: not a list{' of dictionaries' if elements == 'dict' else ''}. {_remedy(name, elements)}")
    # What is a list stays the object that it is, since Ansible templates its elements when they are read.
    return items if isinstance(items, list) else list(items)


def as_dict(value: Any, name: str) -> dict[str, Any]:
    """Return a dictionary from a dictionary or from text that is a YAML or JSON dictionary; nothing and an empty text are empty.

    `name` is that of the input. Raises ValueError with a sentence.
    """
    found = _parsed(value, name, "dictionary") if isinstance(value, str) else value
    found = {} if found is None else found
    if not isinstance(found, Mapping):
        raise ValueError(f"Input {name}: not a dictionary. {_remedy(name, 'dictionary')}")
    return found  # type: ignore[return-value]


def read_yaml(path: str, name: str, key: str = "") -> Any:
    """Return the dictionary in a YAML file, or with `key` its list of dictionaries under that key.

    `name` is what the file is. Raises ValueError with a sentence.
    """
    what = f"{name} {one_line(path, 200)}"
    try:
        document = yaml.safe_load(read_text(path))
    except OSError as error:
        raise ValueError(f"{what}: not readable ({error.strerror or error}). Correct the path.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{what}: no text in UTF-8 or UTF-16. Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise ValueError(f"{what}: not YAML ({one_line(str(reason))}{f', line {mark.line + 1}' if mark else ''}). Correct the file.") from error
    if not isinstance(document, dict):
        raise ValueError(f"{what}: empty or not a dictionary. Write key: value lines.")
    if not key:
        return document
    items = document.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{what}: has no list of dictionaries `{key}`. Write it as in files/.")
    return items


def _parsed(text: str, name: str, kind: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ValueError(f"Input {name}: neither YAML nor JSON ({reason}). {_remedy(name, kind)}") from error


def _remedy(name: str, kind: str) -> str:
    examples = {"str": f"{name}=a,b or '{{\"{name}\": [\"a\", \"b\"]}}'", "dict": f"'{{\"{name}\": [{{…}}]}}'", "dictionary": f"'{{\"{name}\": {{…}}}}'"}
    return f"Give it as -e {examples.get(kind, examples['dictionary'])}, or in a file as -e @FILE."
