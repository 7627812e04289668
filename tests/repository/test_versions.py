# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version and the address of the repository stand in galaxy.yml; whatever repeats them agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version

from checkout import ROOT, files, load_yaml, relative

GALAXY = load_yaml(ROOT / "galaxy.yml")
VERSION = Version(GALAXY["version"])
RELEASED = {Version(text) for text in load_yaml(ROOT / "changelogs" / "changelog.yaml")["releases"]}
ADDRESS = GALAXY["repository"]
# This repository under whatever host and name it was known, not MLflow's own.
OURS = re.compile(rf"https?://[^\s)\"'`<>]*?/{GALAXY['namespace']}/{GALAXY['name']}\b(?!-)")


@pytest.mark.parametrize("path", files("plugins/modules/*.py", "plugins/filter/*.py", "plugins/callback/*.py", "plugins/action/*.py"), ids=relative)
def test_what_was_added_was_added_in_a_version_that_is_there(path: Path) -> None:
    for text in re.findall(r"version_added: *['\"]?([\d.]+)", path.read_text(encoding="utf-8")):
        assert Version(text) in RELEASED | {VERSION}


def test_the_version_is_the_coming_one_while_there_are_changes() -> None:
    changes = files("changelogs/fragments/*.yml")
    assert max(RELEASED) < VERSION if changes else VERSION in RELEASED


def test_the_readme_installs_the_version() -> None:
    assert re.findall(r"perfscale\.mlflow:==([\d.]+)", (ROOT / "README.md").read_text(encoding="utf-8")) == [str(VERSION)]


def test_the_addresses_of_galaxy_are_of_the_repository() -> None:
    assert all(GALAXY[key].startswith(ADDRESS) for key in ("documentation", "homepage", "issues"))


def test_every_address_of_the_repository_is_that_of_galaxy() -> None:
    texts = {relative(path): path.read_text(encoding="utf-8", errors="ignore") for path in files("**") if path.suffix in (".md", ".yml", ".py", ".rst")}
    # A regular expression has backslashes in it.
    found = [(name, address) for name, text in texts.items() for address in OURS.findall(text.replace("\\", ""))]
    assert len(found) > 50
    assert [(name, address) for name, address in found if address != ADDRESS] == []


def test_documentation_pages_link_to_the_repository() -> None:
    assert ADDRESS.endswith(f"/{load_yaml(ROOT / 'docs' / 'docsite' / 'links.yml')['edit_on_github']['repository']}")


def test_the_tests_run_the_k6_of_the_images() -> None:
    variables = {"k6_runner": "k6_runner_pod_image", "publish": "publish_pod_image"}
    images = {load_yaml(ROOT / "roles" / role / "defaults" / "main.yml")[name] for role, name in variables.items()}
    [tested] = re.findall(r'^K6_OF_POD = "([\d.]+)"$', (ROOT / "tests" / "run.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert images == {f"docker.io/grafana/k6:{tested}"}
