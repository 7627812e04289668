# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of runs in an artifact store of ours: `workspaces/<workspace>/<experiment>/<run>` below the destination that MLflow serves."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

# MLflow's run ids are UUIDs without dashes; anything else in an experiment's directory belongs to no run.
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def run_directories(root: str) -> dict[str, Path]:
    """Return the directories of runs by run id. Raises MlflowError when the store cannot be read."""
    try:
        return {Path(path).name: Path(path) for path in _run_paths(root)}
    except OSError as error:
        raise _unusable(root, error) from error


def remove_runs(root: str, known: set[str]) -> int:
    """Remove the directories of all runs but the known ones, and the experiments' directories that are empty then; return how many runs. Raises MlflowError."""
    unknown = [path for run, path in run_directories(root).items() if run not in known]
    try:
        for path in unknown:
            shutil.rmtree(path)
    except OSError as error:
        raise _unusable(root, error) from error
    for experiment in {path.parent for path in unknown}:
        with suppress(OSError):  # other runs are in it
            experiment.rmdir()
    return len(unknown)


def _run_paths(root: str) -> Iterator[str]:
    for workspace in _directories(os.path.join(root, "workspaces")):
        for experiment in _directories(workspace):
            yield from (path for path in _directories(experiment) if _RUN_ID.fullmatch(os.path.basename(path)))


def _directories(path: str) -> list[str]:
    """Return the directories in a directory, none when it does not exist."""
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _unusable(root: str, error: OSError) -> MlflowError:
    return MlflowError(f"Artifacts {root}: {error.strerror} ({error.filename}). Make the directory writable, or start empty with local_stack_reset=true.")
