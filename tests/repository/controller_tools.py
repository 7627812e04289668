# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy, Automation Hub and an automation controller run on the collection, in environments of their own in the user's cache.

They are separate from .venv: the importer needs older packages than the tests, and only an environment without the bundle `ansible` shows what is missing.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from checkout import NAME, NAMESPACE, ROOT, copy_dependencies, environment, load_yaml, run, unpack

CORE = load_yaml(ROOT / "execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
# The importer of Galaxy and Automation Hub depends on ansible-lint and ansible-builder, which it calls.
HUB = f"galaxy-importer==0.4.44\nansible-lint>=26,<27\nansible-builder>=3.2,<4\n{CORE}"


def hub() -> Path:
    """Return the directory with the programs of a hub."""
    return cache.ensure_environment(cache.default_directory(), "hub", HUB)[0] / "bin"


def collections(archive: Path, directory: Path) -> Path:
    """Lay the archive's collection and what it depends on below a directory, as in an image, and return that directory."""
    unpack(archive, directory)
    copy_dependencies(directory)
    return directory


def introspect(directory: Path) -> dict[str, list[str]]:
    """Return what ansible-builder would install for the collections of a directory: `python` and `system`, each line with its origin."""
    excluded = directory / "exclude-bindep.txt"
    excluded.write_text("\n".join(load_yaml(ROOT / "execution-environment.yml")["dependencies"]["exclude"]["system"]), encoding="utf-8")
    completed = run(hub() / "ansible-builder", "introspect", "--sanitize", "--exclude-bindep-reqs", excluded, directory, cwd=directory)
    if completed.returncode:
        raise RuntimeError(f"ansible-builder introspect: rc {completed.returncode}.\n{completed.stdout}{completed.stderr}")
    found = yaml.safe_load(completed.stdout) or {}
    return {kind: found.get(kind) or [] for kind in ("python", "system")}


def execution_environment(directory: Path) -> Path:
    """Return the directory with the programs of a Python that has what an image built for these collections has, and nothing else."""
    wanted = sorted({line.split("#")[0].strip() for line in introspect(directory)["python"]})
    return cache.ensure_environment(cache.default_directory(), "execution-environment", "\n".join([CORE, *wanted]))[0] / "bin"


def lint(archive: Path, place: Path) -> str:
    """Run ansible-lint on an archive as the importer of a hub does, and return its findings.

    The importer stops it after three minutes, which a busy machine may need; and it calls a playbook wrong whose module defaults name a group that it
    cannot find, so the dependencies lie beside.
    """
    collections(archive, place)
    unpacked = place / "ansible_collections" / NAMESPACE / NAME
    tools = hub()
    surroundings = environment(HOME=str(place), ANSIBLE_COLLECTIONS_PATH=str(place), PYTHONPATH=str(place))
    surroundings["PATH"] = f"{tools}:{surroundings['PATH']}"
    # antsibull-changelog indents as it likes, and certification lets its folder out.
    shutil.rmtree(unpacked / "changelogs")
    command = (tools / "ansible-lint", "--offline", "--profile", "production", "--format", "pep8", "--nocolor")
    completed = run(*command, cwd=unpacked, env=surroundings, timeout_s=1200.0)
    return completed.stdout if completed.returncode == 0 else completed.stdout + completed.stderr


def import_archive(archive: Path, place: Path) -> tuple[list[str], dict[str, Any]]:
    """Run the importer as a hub that requires released, tagged collections; return the warnings and errors it logs, and its result.

    Without ansible-lint, see `lint`, and where no other collection is installed.
    """
    shutil.copy(archive, place)
    settings = {f"GALAXY_IMPORTER_{name}": "true" for name in ("CHECK_REQUIRED_TAGS", "REQUIRE_V1_OR_GREATER")}
    tools = hub()
    surroundings = environment(**settings, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false", HOME=str(place), PYTHONPATH="", ANSIBLE_NOCOLOR="1")
    surroundings["PATH"] = f"{tools}:{surroundings['PATH']}"
    completed = run(tools / "python", "-m", "galaxy_importer.main", archive.name, cwd=place, env=surroundings, timeout_s=600.0)
    found = [line for line in (completed.stdout + completed.stderr).splitlines() if line.startswith(("WARNING", "ERROR"))]
    if completed.returncode:
        found.append(f"galaxy-importer: rc {completed.returncode}")
    result = place / "importer_result.json"
    return found, json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
