# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed build on a machine that has little else: no inventory, no entry of the user in passwd, no home, neither apt nor Prometheus.

Its tenants hold an empty data set, and its list is given as text.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import ONE_CELL
from .suite import ANSIBLE_PLAYBOOK, PLANNED, ROOT, Suite, check_from_an_empty_place

HIDDEN = {"apt-get", "dpkg-deb", "prometheus", "process-exporter", "prometheus-process-exporter"}
HOMES = {"HOME", "USER", "LOGNAME"}
# In a user namespace the processes have this user id, which is in no passwd, and the files of the tests stay theirs.
USER_ID = 54321


@functools.cache
def as_another_user() -> list[str]:
    """Return what runs a command under a user id without an entry in passwd, or nothing where the kernel or the container does not allow that."""
    unshare = shutil.which("unshare")
    prefix = [unshare or "unshare", "--user", f"--map-user={USER_ID}", f"--map-group={USER_ID}"]
    return prefix if unshare and subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL, timeout=30, check=False).returncode == 0 else []


class Installed(Suite):
    """A suite that sees the installed collection, and neither the checkout nor its ansible.cfg, on a bare machine."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.programs = directory / "programs"
        self.temporary = directory / "tmp"
        self.collections = directory / "collections"
        self.config = directory / "ansible.cfg"
        # Without a home Ansible itself needs another place for its files (README.md).
        places = {"collections_path": self.collections, "home": self.temporary, "remote_tmp": self.temporary}
        self.config.write_text("\n".join(["[defaults]", *(f"{name} = {path}" for name, path in places.items())]), encoding="utf-8")

    def install(self) -> None:
        """Build the collection and install it."""
        galaxy, environment = str(ANSIBLE_PLAYBOOK.with_name("ansible-galaxy")), super().environment()
        subprocess.run([galaxy, "collection", "build", str(ROOT), "--output-path", str(self.directory)], check=True, env=environment, timeout=120)
        [archive] = self.directory.glob("*.tar.gz")
        # By its own configuration: the one of the checkout would find the collection there and install nothing.
        install = [galaxy, "collection", "install", str(archive), "--offline", "--no-deps", "-p", str(self.collections)]
        subprocess.run(install, check=True, env=environment, timeout=120)

    def lay_bare(self) -> None:
        """Create a directory of programs without those that are hidden, and the cache of a user without a home, which holds MLflow only."""
        self.programs.mkdir()
        for program in (program for directory in os.environ["PATH"].split(os.pathsep) for program in Path(directory).glob("*")):
            if program.name not in HIDDEN and not (self.programs / program.name).is_symlink():
                (self.programs / program.name).symlink_to(program)
        mlflow = Path(os.environ["PERFSCALE_MLFLOW"]).parents[1]
        cache = self.temporary / f"perfscale.mlflow-{USER_ID if as_another_user() else os.getuid()}"
        cache.mkdir(parents=True)
        (cache / mlflow.name).symlink_to(mlflow)

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in super().environment(extra).items() if name not in HOMES and not name.startswith("XDG_")}
        return {**kept, "PATH": str(self.programs), "TMPDIR": str(self.temporary)}

    def command(self, playbook: str, variables: dict[str, Any] | None = None, *options: str) -> list[str]:
        return [*as_another_user(), *super().command(playbook, variables, *options)]


@pytest.fixture(name="bare", scope="module")
def fixture_bare(tmp_path_factory):
    """A suite on a bare machine and its finished run, torn down at the end."""
    suite = Installed(tmp_path_factory.mktemp("bare"))
    suite.install()
    suite.lay_bare()
    variables = {**ONE_CELL, "run_id": "bare", "test_matrix_concurrency": 10, "test_matrix_duration": "30s", "data_set_experiments_per_tenant": 0}
    yield suite, suite.play("perfscale.mlflow.full_suite", variables, "-e", "report_formats=csv,html,markdown")
    assert suite.play("perfscale.mlflow.teardown").returncode == 0
    assert not suite.processes()


def test_the_run_passes(bare):
    suite, finished = bare
    assert finished.returncode == 0
    assert suite.run_json()["status"] == "complete"


def test_check_mode_from_an_empty_place(bare):
    assert PLANNED in check_from_an_empty_place(bare[0], "perfscale.mlflow.full_suite")


def test_the_sampler_measures(bare):
    suite, finished = bare
    assert "Resources are measured by the sampler of this collection instead of Prometheus. prometheus: not on PATH" in finished.stdout
    resources = suite.cell("t1-c10-r1")["resources"]
    assert {name: (figures["status"], figures["source"]) for name, figures in resources.items()} == dict.fromkeys(("mlflow", "k6_benchmark"), ("ok", "sampler"))
    assert resources["mlflow"]["cpu_cores_mean"] > 0
    # In the table of all components and in that of the cell.
    assert (suite.results / "bare" / "report" / "index.html").read_text(encoding="utf-8").count("ok (sampler)") == 4


def test_browsing_reads_what_training_creates_in_an_empty_data_set(bare):
    cell = bare[0].cell("t1-c10-r1")
    assert (cell["rows"]["before"]["runs"], cell["rows"]["after"]["runs"] > 0) == (0, True)
    assert {name: figures["failed"] for name, figures in cell["operations"].items() if figures["failed"]} == {}
    assert [name for name, figures in cell["operations"].items() if not figures["n"]] == []
    assert cell["verdict"]["status"] == "valid"


def test_a_list_given_as_text_is_a_list(bare):
    report = bare[0].results / "bare" / "report"
    assert {path.suffix for path in report.iterdir()} == {".csv", ".html", ".json", ".md", ".xml"}


def test_no_directory_is_named_like_a_home(bare):
    suite, _finished = bare
    found = [str(path) for path in suite.directory.rglob("~*") if suite.programs not in path.parents]
    assert found == []


@pytest.mark.skipif(not as_another_user(), reason="no user namespaces here")
def test_a_user_that_no_passwd_names_has_a_cache(bare):
    handle = json.loads((bare[0].directory / ".perfscale" / "local_stack" / "mlflow.json").read_text(encoding="utf-8"))
    assert handle["argv"][0].startswith(f"{bare[0].temporary}/perfscale.mlflow-{USER_ID}/")
