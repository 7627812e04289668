# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks of every kind, each loaded only where it is used: the libraries of the others cost a second of processor time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.settings import checked
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import Sink


class MissingLibrary(Exception):
    """A Python library that a kind of sink needs is not installed; `trace` is the traceback of its import."""

    def __init__(self, library: str, trace: str) -> None:
        super().__init__(f"Library {library}: is not installed. Install it for the Python that runs the modules.")
        self.library = library
        self.trace = trace


Maker = Callable[[Mapping[str, Any], Mapping[str, Any]], Sink]


def _directory(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    return DirectorySink(**options)


_MAKERS: dict[str, Maker] = {"directory": _directory}


def make(given: Iterable[Mapping[str, Any]], cluster: Mapping[str, Any]) -> list[Sink]:
    """Returns the sinks for a user's settings. `cluster` has the options for reaching the cluster of a volume. Raises SettingsError."""
    made = []
    for settings in checked(given):
        options = {key: value for key, value in settings.items() if key != "kind"}
        made.append(_MAKERS[settings["kind"]](options, cluster))
    return made
