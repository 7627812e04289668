# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next release, rehearsed: version 1.0.0 is created from the fragments, built, and imported by the importer of Galaxy and Automation Hub."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from checkout import NAME, NAMESPACE, ROOT, build, environment, files, load_yaml, relative, run, tool
from controller_tools import import_archive, lint

pytestmark = pytest.mark.slow

VERSION = "1.0.0"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which version 1.0.0 was released."""
    place = tmp_path_factory.mktemp("release") / "ansible_collections" / NAMESPACE / NAME
    for path in files("**"):
        target = place / relative(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    galaxy = place / "galaxy.yml"
    galaxy.write_text(re.sub(r"(?m)^version: .*$", f"version: {VERSION}", galaxy.read_text(encoding="utf-8")), encoding="utf-8")
    beside = environment(ANSIBLE_COLLECTIONS_PATH=str(place.parents[2]), HOME=str(place.parents[2]))
    released = run(tool("antsibull-changelog"), "release", "--date", "2026-01-01", cwd=place, env=beside)
    assert released.returncode == 0, released.stdout + released.stderr
    return place


@pytest.fixture(scope="module")
def released(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the release."""
    return build(tmp_path_factory.mktemp("archive"), release)


@pytest.fixture(scope="module")
def imported(released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, Any]]:
    """The importer's output for the release: its warnings and errors, and the result that a hub would show."""
    return import_archive(released, tmp_path_factory.mktemp("hub"))


def test_a_release_empties_the_fragments_into_the_changelog(release: Path) -> None:
    changes = load_yaml(release / "changelogs" / "changelog.yaml")["releases"][VERSION]
    assert sorted(changes["fragments"]) == [path.name for path in files("changelogs/fragments/*.yml")]
    assert not list((release / "changelogs" / "fragments").glob("*.yml"))
    assert f"v{VERSION}\n" in (release / "CHANGELOG.rst").read_text(encoding="utf-8")


def test_the_importer_reports_nothing(imported: tuple[list[str], dict[str, Any]]) -> None:
    assert imported[0] == []


def test_the_archive_passes_the_production_profile(released: Path, tmp_path: Path) -> None:
    """`make lint` checks the checkout with its settings; the archive has none of them."""
    assert lint(released, tmp_path) == ""


def test_a_hub_shows_every_module_and_role(imported: tuple[list[str], dict[str, Any]]) -> None:
    pages = imported[1]["docs_blob"]["contents"]
    documented = {page["content_name"] for page in pages if page["content_type"] == "module" and page["doc_strings"]["doc"]}
    described = {page["content_name"] for page in pages if page["content_type"] == "role" and page["readme_html"]}
    assert documented == {path.stem for path in ROOT.glob("plugins/modules/*.py")}
    assert described == {path.parents[1].name for path in ROOT.glob("roles/*/meta/main.yml")}


def test_a_hub_gets_the_metadata_that_it_needs(imported: tuple[list[str], dict[str, Any]]) -> None:
    metadata = imported[1]["metadata"]
    assert (metadata["version"], metadata["license"]) == (VERSION, ["GPL-3.0-or-later"])
    assert imported[1]["requires_ansible"] == load_yaml(ROOT / "meta" / "runtime.yml")["requires_ansible"]
