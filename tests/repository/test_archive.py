# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive that ansible-galaxy builds: what is in it, and that it works where it is installed."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from checkout import NAME, NAMESPACE, ROOT, copy_dependencies, environment, load_yaml, run, tool

MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.name != "__init__.py")
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))
UNWANTED = re.compile(
    r"(^|/)(__pycache__|\.pytest_cache|\.ruff_cache|\.mypy_cache|\.venv|\.perfscale|\.ansible|\.git|\.collections|\.ci|\.github|node_modules)(/|$)"
    r"|\.(pyc|tar\.gz|orig|swp|retry)$|^results(/|$)|^\.(coverage|editorconfig|pre-commit-config)"
)
GALAXY_REQUIRED = ("namespace", "name", "version", "readme", "authors", "description", "license", "tags", "repository", "documentation", "homepage", "issues")
HUB_TAGS = {"ai", "application", "cloud", "database", "eda", "infrastructure", "linux", "monitoring", "networking", "security", "storage", "tools", "windows"}


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory into which the archive was installed without a network."""
    place = tmp_path_factory.mktemp("installed")
    settings = place / "ansible.cfg"
    settings.write_text("[defaults]\nlocalhost_warning = false\n", encoding="utf-8")
    done = run(
        tool("ansible-galaxy"), "collection", "install", "--offline", "--no-deps", "-p", place / "collections", archive, cwd=place, env=environment_of(place)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def environment_of(place: Path) -> dict[str, str]:
    """The environment of a user who has only the installed collection."""
    return environment(
        ANSIBLE_COLLECTIONS_PATH=str(place / "collections"),
        ANSIBLE_CONFIG=str(place / "ansible.cfg"),
        ANSIBLE_HOME=str(place / "home"),
        PYTHONPATH="",
    )


def members(archive: Path) -> list[tarfile.TarInfo]:
    """What the archive holds."""
    with tarfile.open(archive) as tar:
        return tar.getmembers()


def test_the_archive_holds_what_users_need(archive: Path) -> None:
    names = {member.name for member in members(archive)}
    wanted = {"README.md", "LICENSE", "CHANGELOG.rst", "meta/runtime.yml", "files/k6/mlflow_scale_test.js", "playbooks/full_suite.yml"}
    wanted |= {"meta/execution-environment.yml", *load_yaml(ROOT / "meta" / "execution-environment.yml")["dependencies"].values()}
    assert wanted - names == set()


def test_the_archive_holds_nothing_else(archive: Path) -> None:
    assert [member.name for member in members(archive) if UNWANTED.search(member.name)] == []


def test_the_archive_leaves_the_tests_out(archive: Path) -> None:
    """They need the checkout. A new folder of tests belongs into build_ignore of galaxy.yml."""
    names = [member.name for member in members(archive) if member.name.startswith("tests/")]
    assert [name for name in names if name != "tests/config.yml" and not name.startswith("tests/sanity")] == []


def test_the_archive_has_no_symbolic_link(archive: Path) -> None:
    assert [member.name for member in members(archive) if member.issym() or member.islnk()] == []


def test_the_archive_is_small(archive: Path) -> None:
    """Pictures and captured results must not increase the size of every installation."""
    assert archive.stat().st_size < 3_000_000


def test_galaxy_metadata_is_complete() -> None:
    metadata = load_yaml(ROOT / "galaxy.yml")
    assert [key for key in GALAXY_REQUIRED if not metadata.get(key)] == []
    assert (metadata["namespace"], metadata["name"]) == (NAMESPACE, NAME)
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9a-z.]+)?", metadata["version"])
    assert HUB_TAGS & set(metadata["tags"])


@pytest.mark.slow
def test_ansible_doc_lists_all_modules(installed: Path) -> None:
    listed = run(tool("ansible-doc"), "--list", "--json", f"{NAMESPACE}.{NAME}", cwd=installed, env=environment_of(installed))
    assert listed.returncode == 0, listed.stderr
    assert sorted(json.loads(listed.stdout)) == [f"{NAMESPACE}.{NAME}.{name}" for name in MODULES]


@pytest.mark.slow
def test_ansible_doc_shows_every_module(installed: Path) -> None:
    shown = run(tool("ansible-doc"), "--json", *(f"{NAMESPACE}.{NAME}.{name}" for name in MODULES), cwd=installed, env=environment_of(installed))
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)) == len(MODULES)


@pytest.mark.slow
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_are_found_by_their_full_name(installed: Path, playbook: str) -> None:
    listed = run(tool("ansible-playbook"), f"{NAMESPACE}.{NAME}.{playbook}", "--list-tasks", cwd=installed, env=environment_of(installed))
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "TAGS: [" in listed.stdout


@pytest.mark.slow
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_have_a_right_syntax_in_the_checkout(playbook: str) -> None:
    checked = run(tool("ansible-playbook"), f"playbooks/{playbook}.yml", "--syntax-check", cwd=ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_changelog_is_in_order() -> None:
    checked = run(tool("antsibull-changelog"), "lint", cwd=ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_the_documentation_of_the_collection_is_in_order(tmp_path: Path) -> None:
    copy_dependencies(tmp_path)
    # Those of .venv would be found too, and nothing of them copied, since git ignores them.
    beside = environment(ANSIBLE_COLLECTIONS_PATH=str(tmp_path), ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false")
    checked = run(tool("antsibull-docs"), "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", ROOT, cwd=ROOT, env=beside)
    assert checked.returncode == 0, checked.stdout + checked.stderr
