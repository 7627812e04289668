# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: what ansible-builder reads from this collection, and that it is what the collection's code needs."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

from checkout import ROOT, environment, run
from controller_tools import collections, execution_environment, hub, introspect

pytestmark = pytest.mark.slow

# Named otherwise on the package index than in an import.
PACKAGES = {
    "PIL": "pillow",
    "detect_secrets": "detect-secrets",
    "opensearchpy": "opensearch-py",
    "prometheus_client": "prometheus-client",
    "psycopg": "psycopg[binary]",
    "websocket": "websocket-client",
    "yaml": "PyYAML",
}
# Not imported here, but expected of a checkout's environment by playbooks beside these: Ansible's json_query, and OpenShift's client library.
FOR_OTHER_PLAYBOOKS = {"jmespath", "openshift"}
IMPORT_ALL = """
import importlib, importlib.util, pathlib, sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
for name in sys.argv[2].split(","):
    importlib.import_module(name)
root = pathlib.Path(sys.argv[1], "ansible_collections/perfscale/mlflow")
for path in sorted(root.glob("plugins/**/*.py")):
    importlib.import_module(".".join(("ansible_collections.perfscale.mlflow", *path.relative_to(root).with_suffix("").parts)))
"""


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collections of an image."""
    return collections(archive, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ansible-builder build` would hand to a container engine."""
    place = tmp_path_factory.mktemp("builder")
    made = run(
        *(hub() / "ansible-builder", "create", "--file", ROOT / "execution-environment.yml", "--context", place / "context"),
        *("--output-filename", "Containerfile"),
        cwd=place,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "outdated" not in made.stdout + made.stderr
    return place / "context"


def imported_packages() -> set[str]:
    """The packages, by their names on the index, that the plugins import and that are part of neither Python nor Ansible."""
    found = set()
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"}


def listed_packages(name: str) -> set[str]:
    """The packages of a requirements file, without their versions."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {re.split(r"[<>=~]", line)[0] for line in lines if line and not line.startswith(("#", "-r"))}


def test_what_is_imported_is_listed_and_nothing_else() -> None:
    wanted = {PACKAGES.get(name, name) for name in imported_packages()}
    assert listed_packages("meta/ee-requirements.txt") == wanted


def test_a_checkout_has_it_too() -> None:
    assert (listed_packages("meta/ee-requirements.txt") | FOR_OTHER_PLAYBOOKS) - listed_packages("requirements.txt") == set()


def test_no_version_is_capped() -> None:
    """Certification requires lower bounds only, since collections share an environment, and leaves Ansible to the environment."""
    text = (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if not line.startswith("#") and re.search(r"<|==|~=|^ansible", line)] == []


def test_the_builder_finds_the_requirements_of_the_collection(installed: Path) -> None:
    ours = {line.split("#")[0].strip() for line in introspect(installed)["python"] if line.endswith("from collection perfscale.mlflow")}
    # ansible-builder leaves PyYAML out, which comes with Ansible.
    assert {re.split("[<>=]", line)[0] for line in ours} == listed_packages("meta/ee-requirements.txt") - {"PyYAML"}


def test_the_builder_finds_no_system_package(installed: Path) -> None:
    """Neither k6 nor oc nor kubectl: the load runs in pods, everything else goes through APIs."""
    assert introspect(installed)["system"] == []


def test_the_builder_creates_a_context(context: Path) -> None:
    text = (context / "Containerfile").read_text(encoding="utf-8")
    assert "ansible-core>=2.19" in text
    assert "ansible-runner" in text
    assert not re.search(r"\b(k6|oc|kubectl)\b", text)
    assert (context / "_build" / "exclude-bindep.txt").read_text(encoding="utf-8").split() == ["openshift-clients", "kubernetes-client"]
    assert "perfscale/mlflow.git" in (context / "_build" / "requirements.yml").read_text(encoding="utf-8")


def test_all_code_can_be_imported_in_it(installed: Path) -> None:
    """In a Python that has what ansible-builder found and nothing else; the third-party packages by name, since the code guards their import."""
    python = execution_environment(installed) / "python"
    done = run(python, "-c", IMPORT_ALL, installed, ",".join(sorted(imported_packages())), cwd=installed, env=environment(PYTHONPATH=""))
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_image_has_the_callbacks_of_the_repository(context: Path) -> None:
    configured = configparser.ConfigParser()
    configured.read(ROOT / "ansible.cfg", encoding="utf-8")
    page = (context / "Containerfile").read_text(encoding="utf-8")
    assert f"ENV ANSIBLE_STDOUT_CALLBACK={configured['defaults']['stdout_callback']}\n" in page
    assert f"ENV ANSIBLE_CALLBACKS_ENABLED={configured['defaults']['callbacks_enabled'].replace(' ', '')}\n" in page
