# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the runs and old result folders that a list of paths means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.material import VERDICT_FILE, Material, ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.old_folder import is_old_folder, read_old_folder
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.run_folder import is_run_folder, read_run_folder


def read_sources(sources: Sequence[str | Path]) -> Material:
    """Reads run directories, old result folders, and directories that contain such.

    What is broken or foreign is named in the warnings and the rest is read. Raises ReportError when nothing can be used.
    """
    material = Material()
    seen: set[Path] = set()
    for source in sources:
        for folder in _folders(Path(source), material):
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                _read(folder, material)
    if not material.cells:
        why = " ".join(material.warnings)
        raise ReportError(
            f"Report of {', '.join(str(source) for source in sources)}: nothing usable was found. "
            f"Give a run directory, a directory of runs, or a folder with summary_tenants-<T>_concurrency_<C>.json files. {why}".strip()
        )
    return material


def _folders(source: Path, material: Material) -> list[Path]:
    if not source.is_dir():
        material.warnings.append(f"Source {source}: is not a directory. It is left out; check the path.")
        return []
    if _is_known(source):
        return [source]
    try:
        children = sorted(child for child in source.iterdir() if child.is_dir() and not _is_left_alone(child))
    except OSError as error:
        material.warnings.append(f"Source {source}: cannot be listed ({error.strerror}). It is left out; check its permissions.")
        return []
    known = [child for child in children if _is_known(child)]
    material.warnings.extend(
        f"Folder {child}: holds neither a run nor results of the old suite. It is left out." for child in children if child not in known
    )
    return known


def _is_left_alone(child: Path) -> bool:
    """Hidden directories, and reports that an earlier call wrote here."""
    return child.name.startswith(".") or (child / VERDICT_FILE).is_file()


def _is_known(folder: Path) -> bool:
    return is_run_folder(folder) or is_old_folder(folder)


def _read(folder: Path, material: Material) -> None:
    (read_run_folder if is_run_folder(folder) else read_old_folder)(folder, material)
