# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository as a project of an automation controller: what a sync installs, and that a job finds its roles and modules in either of two ways.

AWX runs ansible-galaxy in the project's directory, with a place of its own for what it installs; a job has that place first on its path, then what
the project's ansible.cfg names. No Galaxy can be reached here: its address leads nowhere.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from checkout import NAME, NAMESPACE, ROOT, environment, files, load_yaml, relative, run, tool

pytestmark = pytest.mark.slow

LINK = Path(".collections", "ansible_collections", NAMESPACE, NAME)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone, with what is not committed yet laid over it."""
    place = tmp_path / "project"
    cloned = run("git", "clone", "--quiet", ROOT, place, cwd=tmp_path)
    assert cloned.returncode == 0, cloned.stderr
    for path in files("**"):
        (place / relative(path)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / relative(path))
    return place


def surroundings(place: Path, *paths: str) -> dict[str, str]:
    """The environment of a sync or job that looks for collections in these places."""
    return environment(ANSIBLE_COLLECTIONS_PATH=":".join(paths), ANSIBLE_GALAXY_SERVER="http://127.0.0.1:9", HOME=str(place), PWD=str(place / "project"))


def sync(project: Path) -> Path:
    """Install the requirements of the project, as a sync does, and return the directory."""
    target = project.parent / "requirements_collections"
    env = surroundings(project.parent, str(target))
    own = run(tool("ansible-galaxy"), "collection", "install", "-r", project / "collections" / "requirements.yml", cwd=project, env=env)
    assert own.returncode == 0, own.stdout + own.stderr
    installed = run(tool("ansible-galaxy"), "install", "-r", project / "requirements.yml", cwd=project, env=env)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return target


def job(project: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    """Print a plan, which needs a role, a filter and data of the collection."""
    command = (tool("ansible-playbook"), "playbooks/run_matrix.yml", "--check", "-e", "test_matrix_preset=smoke")
    return run(*command, cwd=project, env=surroundings(project.parent, *paths))


def test_a_sync_installs_the_collection_from_its_own_directory_and_a_job_finds_it(project: Path) -> None:
    target = sync(project)
    manifest = json.loads((target / "ansible_collections" / NAMESPACE / NAME / "MANIFEST.json").read_text(encoding="utf-8"))
    assert manifest["collection_info"]["version"] == load_yaml(ROOT / "galaxy.yml")["version"]
    shutil.rmtree(project / ".collections")
    planned = job(project, str(target), ".collections")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "cells" in planned.stdout


def test_a_job_finds_the_collection_through_the_link(project: Path) -> None:
    """Where the controller may install nothing, as in an organization without a Galaxy credential."""
    assert (project / LINK).is_symlink()
    planned = job(project, str(project.parent / "requirements_collections"), ".collections")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "cells" in planned.stdout


def test_without_either_a_job_fails_and_names_what_is_missing(project: Path) -> None:
    """So the two tests above see their own way and no other."""
    shutil.rmtree(project / ".collections")
    lost = job(project, str(project.parent / "requirements_collections"), ".collections")
    assert lost.returncode != 0
    assert "perfscale.mlflow" in lost.stdout + lost.stderr


@pytest.mark.parametrize("name", ["kubernetes", "openshift"])
def test_inventories_work_as_inventory_sources(project: Path, name: str) -> None:
    """AWX reads the file with the hosts from the project, together with the variables beside it."""
    command = (tool("ansible-inventory"), "-i", f"inventories/{name}/hosts.yml", "--playbook-dir", project, "--list", "--export")
    listed = run(*command, cwd=project, env=surroundings(project.parent, ".collections"))
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert found["all"]["vars"]["deploy_environment"] == name
    assert found["_meta"]["hostvars"].keys() == {"localhost"}
