# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the private cluster, with an initdb and a postgres that only pretend."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.postgres import Cluster

INITDB = 'mkdir -p "$2"; echo 15 > "$2/PG_VERSION"; echo "$@" > "$2/arguments"; cp "$6" "$2/seen"'
POSTGRES = 'cat > "$3/statements"'


@pytest.fixture
def programs(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(commands, "unprivileged", lambda: None)
    program("libpq.so", "", tmp_path / "site-packages/package.libs")
    program("initdb", INITDB, tmp_path / "site-packages/package/install/bin")
    return program("postgres", POSTGRES, tmp_path / "site-packages/package/install/bin").parent


def test_a_cluster_is_created_once(programs: Path, tmp_path: Path) -> None:
    cluster = Cluster(str(tmp_path / "state"), str(programs))
    assert cluster.home() is None
    made, is_new = cluster.ensure("15.18")
    assert is_new
    assert made["data_dir"] == str(tmp_path / "state/cluster/data")
    assert made["bin_dir"] == str(programs)
    assert made["user"] is None
    assert cluster.ensure("15.18") == (made, False)
    data = Path(made["data_dir"])
    assert (data / "statements").read_text() == 'CREATE DATABASE "mlflow";\n'


def test_the_password_is_only_in_its_file(programs: Path, tmp_path: Path) -> None:
    made, _new = Cluster(str(tmp_path / "state"), str(programs)).ensure("15.18")
    passfile = Path(made["passfile"])
    password = passfile.read_text().strip().rsplit(":", 1)[1]
    assert passfile.stat().st_mode & 0o777 == 0o600
    assert passfile.read_text() == f"127.0.0.1:*:*:perfscale:{password}\n"
    data = Path(made["data_dir"])
    assert (data / "seen").read_text().strip() == password
    assert "--auth scram-sha-256" in (data / "arguments").read_text()
    assert password not in (data / "arguments").read_text()
    assert not (data.parent / "password").exists()


def test_removing_leaves_nothing(programs: Path, tmp_path: Path) -> None:
    cluster = Cluster(str(tmp_path / "state"), str(programs))
    cluster.ensure("15.18")
    assert cluster.remove() is True
    assert list((tmp_path / "state").iterdir()) == []
    assert cluster.remove() is False


def test_a_cluster_of_another_version_is_an_error(programs: Path, tmp_path: Path) -> None:
    cluster = Cluster(str(tmp_path / "state"), str(programs))
    cluster.ensure("15.18")
    with pytest.raises(ToolError, match=r"created by version 15, the programs are 17.2.*local_stack_reset=true"):
        cluster.ensure("17.2")


def test_an_incomplete_cluster_is_created_again(program: Callable[..., Path], programs: Path, tmp_path: Path) -> None:
    program("initdb", "echo initdb: error: no space; exit 1", programs)
    cluster = Cluster(str(tmp_path / "state"), str(programs))
    with pytest.raises(ToolError, match=r"PostgreSQL: initdb ended with exit code 1 \(initdb: error: no space\).*DB_BACKEND=sqlite"):
        cluster.ensure("15.18")
    assert not (tmp_path / "state/cluster/password").exists()
    program("initdb", INITDB, programs)
    assert cluster.ensure("15.18")[1] is True


def test_who_cannot_reach_the_state_directory_gets_a_home_elsewhere(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(Path(tmp_path).stat().st_uid)
    monkeypatch.setattr(commands, "unprivileged", lambda: me)
    monkeypatch.setattr(commands, "identity", lambda _account: {})
    monkeypatch.setattr(commands, "reaches", lambda _account, _path: False)
    cluster = Cluster(str(tmp_path / "state"), str(programs))
    made, _new = cluster.ensure("15.18")
    home = Path(made["home"])
    try:
        assert home.parent == Path("/var/tmp")
        assert home.stat().st_mode & 0o777 == 0o700
        assert made["user"] == me.pw_name
        # The programs were out of reach as well, so they were copied with their libraries.
        assert made["bin_dir"] == str(home / "server/package/install/bin")
        assert (home / "server/package.libs/libpq.so").exists()
        assert cluster.home() == home
    finally:
        cluster.remove()
    assert not home.exists()


def test_root_without_an_account_is_a_sentence(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise KeyError("postgres or nobody")

    monkeypatch.setattr(commands, "unprivileged", none)
    with pytest.raises(ToolError, match="PostgreSQL: root may not run it, and no user postgres or nobody exists"):
        Cluster(str(tmp_path), str(programs)).ensure("15.18")


def test_a_state_directory_that_is_a_file_is_a_sentence(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match=r"PostgreSQL cluster .*Choose another local_stack_state_dir"):
        Cluster(str(tmp_path / "file/state"), str(programs)).ensure("15.18")
