# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines and clones in a real MLflow on SQLite and PostgreSQL, which keeps running while both work inside its database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.clones import program as program_of_job
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import Baselines, DataSet, LocalStore, StartState, check_health
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import counts_by_tenant
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import inspect
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_copies import PostgresCopies, copies_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import connection_string, count_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tracking_schema import open_database
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import PATH, ensure_workspaces
from fakes.local_stacks import Stack

API = "/api/2.0/mlflow"
CLONE = Path(__file__).with_name("clone.yml")
SHAPE = check_shape({"experiments_per_tenant": 2, "runs_per_experiment": 2, "prompts_per_experiment": 1})
CLONES = [f"clone-{number}" for number in range(1, 5)]
DATA_SET = DataSet("5f6a59d7ec68", "tenant-")


class Server:
    """A running stack with a client of its MLflow."""

    def __init__(self, stack: Stack, target: dict[str, Any]) -> None:
        self.stack = stack
        self.database = target["database"]
        self.client = MlflowClient(target["mlflow"]["url"])
        self.baselines = Baselines(LocalStore(self.database), target["mlflow"]["version"], DATA_SET)

    def create_tenant(self, number: int) -> None:
        self.client.json("POST", PATH, body={"name": f"tenant-{number}"})

    def create_experiment(self, tenant: str, name: str) -> str:
        return self.client.json("POST", f"{API}/experiments/create", workspace=tenant, body={"name": name})["experiment_id"]

    def create_run(self, tenant: str, experiment: str) -> str:
        """Create a run with one artifact and return its id."""
        run = self.client.json("POST", f"{API}/runs/create", workspace=tenant, body={"experiment_id": experiment})["run"]["info"]["run_id"]
        address = f"{self.client.url}/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model.json"
        with urllib.request.urlopen(urllib.request.Request(address, b"{}", {"X-MLFLOW-WORKSPACE": tenant}, method="PUT"), timeout=30) as response:
            assert response.status == 200
        return run

    def run_status(self, tenant: str, run: str) -> int:
        return self.client.request("GET", f"{API}/runs/get", workspace=tenant, query={"run_id": run}).status

    def artifacts(self, tenant: str, run: str) -> list[str]:
        found = self.client.json("GET", f"{API}/artifacts/list", workspace=tenant, query={"run_id": run})
        return [file["path"] for file in found.get("files", [])]

    def runs(self, tenant: str) -> list[dict[str, Any]]:
        """Return the runs of the data set in a tenant."""
        found = self.client.json("POST", f"{API}/experiments/search", workspace=tenant, body={"filter": "name LIKE 'prefill-%'", "max_results": 100})
        ids = [experiment["experiment_id"] for experiment in found["experiments"]]
        return self.client.json("POST", f"{API}/runs/search", workspace=tenant, body={"experiment_ids": ids})["runs"]

    def clone(self, tenants: int) -> str:
        """Fill tenants with the playbook and return its output."""
        run = self.stack.directory / "results" / "run"
        done = self.stack.play(CLONE, clone_target_file=str(run / "target.json"), clone_run_dir=str(run), clone_tenants=tenants)
        assert done.returncode == 0
        return done.stdout

    def run_directory(self, run: str) -> Path | None:
        return next(Path(self.database["artifacts_dir"]).rglob(run), None)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    stack = Stack(tmp_path_factory.mktemp(request.param))
    try:
        yield Server(stack, stack.deploy(local_stack_db_backend=request.param, metrics_profile="none"))
    finally:
        assert stack.play("teardown", teardown_data=True).returncode == 0


@pytest.fixture(scope="module")
def filled(server: Server) -> dict[str, Any]:
    """Keep the initial state and one tenant with a run; return the start state of that level's first cell."""
    server.baselines.save_initial()
    server.create_tenant(1)
    run = server.create_run("tenant-1", server.create_experiment("tenant-1", "first"))
    return {**StartState(server.baselines).saved("run/t1-c1-r1", 1), "run": run}


def test_the_first_cell_of_a_level_starts_from_its_baseline(server: Server, filled: dict[str, Any]) -> None:
    assert count_rows(server.database) == filled["rows"] == filled["baseline"]["rows"]
    assert server.artifacts("tenant-1", filled["run"]) == ["model.json"]


def test_what_a_load_leaves_is_gone_after_the_restoration_and_mlflow_serves(server: Server, filled: dict[str, Any]) -> None:
    experiment = server.create_experiment("tenant-1", "of the load")
    left = server.create_run("tenant-1", experiment)
    assert count_rows(server.database) != filled["baseline"]["rows"]
    found = StartState(server.baselines).restored("run/t1-c2-r1", 1, "cell")
    assert (found["status"], found["removed_runs"]) == ("restored", 1)
    check_health(server.client, DATA_SET, 1)
    assert count_rows(server.database) == filled["baseline"]["rows"]
    assert server.run_status("tenant-1", left) == 404
    assert server.run_directory(left) is None
    assert server.artifacts("tenant-1", filled["run"]) == ["model.json"]
    # Ids are counted on from the baseline, so the loads of two cells create the same ones.
    assert server.create_experiment("tenant-1", "of the load") == experiment


def test_levels_are_restored_in_any_order(server: Server, filled: dict[str, Any]) -> None:
    states = StartState(server.baselines)
    assert states.restored("run/t2-c1-r1", 2, "cell")["tenants"] == 1
    server.create_tenant(2)
    second = server.create_run("tenant-2", server.create_experiment("tenant-2", "second"))
    states.saved("run/t2-c1-r1", 2)
    for level, status in ((1, 404), (2, 200)):
        assert states.restored(f"run/t{level}-c1-r2", level, "cell")["tenants"] == level
        check_health(server.client, DATA_SET, level)
        assert server.run_status("tenant-2", second) == status
    assert server.artifacts("tenant-2", second) == ["model.json"]


def test_a_restoration_that_fails_leaves_the_whole_state_before_it(server: Server, filled: dict[str, Any]) -> None:
    before = count_rows(server.database)
    with pytest.raises(MlflowError, match="from copy absent failed"):
        copies_of(server.database).restore("absent")
    assert count_rows(server.database) == before
    assert server.run_status("tenant-1", filled["run"]) == 200


def test_what_a_killed_restoration_left_is_cleared_by_the_next(server: Server, filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    copies = copies_of(server.database)
    if not isinstance(copies, PostgresCopies):
        pytest.skip("SQLite's own journal rolls back (tests/unit: test_a_lock_that_is_never_released_ends_with_the_rows_as_they_were)")

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    # Killed between the complete copy and the swap.
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(PostgresCopies, "_alone", die)
        copies.restore(filled["baseline"]["name"])
    assert server.run_status("tenant-1", filled["run"]) == 200
    with psycopg.connect(psycopg.conninfo.make_conninfo(connection_string(server.database["dsn_file"]), dbname="postgres")) as connection:
        names = "SELECT datname FROM pg_database WHERE datname IN ('mlflow_restoring', 'mlflow_replaced')"
        assert connection.execute(names).fetchall() == [("mlflow_restoring",)]
        copies.restore(filled["baseline"]["name"])
        assert connection.execute(names).fetchall() == []
    assert count_rows(server.database) == filled["baseline"]["rows"]


@contextmanager
def sessions_that_come(database: dict[str, Any]) -> Iterator[list[Any]]:
    """Open a session every 20 ms and keep it, as a pool does; return the sessions."""
    is_done, sessions = Event(), []

    def connect() -> None:
        while not is_done.wait(0.02):
            # A session that comes while the database is renamed waits, and is ended or finds no database.
            with suppress(psycopg.Error):
                sessions.append(psycopg.connect(connection_string(database["dsn_file"])))

    thread = Thread(target=connect)
    thread.start()
    try:
        yield sessions
    finally:
        is_done.set()
        thread.join()
        for session in sessions:
            session.close()


def test_a_database_whose_sessions_come_again_at_once_is_saved_and_restored(server: Server, filled: dict[str, Any]) -> None:
    copies = copies_of(server.database)
    if not isinstance(copies, PostgresCopies):
        pytest.skip("SQLite has no sessions: a copy waits for locks (tests/unit: test_a_copy_is_restored_under_an_open_connection)")
    rows = count_rows(server.database)
    with sessions_that_come(server.database) as sessions:
        copies.save("busy")
        copies.restore("busy")
    assert len(sessions) > 2
    assert count_rows(server.database) == rows
    assert server.run_status("tenant-1", filled["run"]) == 200
    copies.delete("busy")


def test_a_description_holds_the_revision_of_the_schema(server: Server, filled: dict[str, Any]) -> None:
    described = json.loads((Path(server.database["baselines_dir"]) / f"{filled['baseline']['name']}.json").read_text())
    assert described["schema_revision"] == copies_of(server.database).query("SELECT version_num FROM alembic_version")[0][0]


@pytest.fixture(scope="module")
def cloned(server: Server, filled: dict[str, Any]) -> str:
    """Fill four tenants, three of them with clones; return the output of the playbook."""
    return server.clone(len(CLONES))


def test_one_tenant_is_filled_through_rest_and_all_are_complete(server: Server, cloned: str) -> None:
    assert "complete in 4 checked tenants" in cloned
    filled_by_k6 = json.loads(next((server.stack.directory / "results" / "run" / "prefill").rglob("prefill_summary.json")).read_text())["tenants"]
    assert list(filled_by_k6) == ["1"]
    found = inspect(server.client, "clone-", [1, 2, 3, 4], SHAPE, "full")
    assert found["shortfalls"] == []


def test_clones_have_as_many_rows_as_their_source(server: Server, cloned: str) -> None:
    with open_database(server.database) as database:
        counts = counts_by_tenant(database)
    assert [counts[name] for name in CLONES] == [counts["clone-1"]] * 4


def test_clones_have_ids_and_paths_of_their_own(server: Server, cloned: str) -> None:
    runs = {run["info"]["run_id"]: (name, run["info"]) for name in CLONES for run in server.runs(name)}
    assert len(runs) == 16
    for run, (name, info) in runs.items():
        assert info["artifact_uri"].endswith(f"/workspaces/{name}/{info['experiment_id']}/{run}/artifacts")
    assert len({info["experiment_id"] for _name, info in runs.values()}) == 8


def test_prompts_of_clones_name_their_own_experiments(server: Server, cloned: str) -> None:
    for name in CLONES:
        versions = server.client.json("GET", f"{API}/model-versions/search", workspace=name, query={"filter": "tags.`mlflow.prompt.is_prompt` = 'true'"})
        tags = [tag["value"] for version in versions["model_versions"] for tag in version["tags"] if tag["key"] == "mlflow.prompt.experiment_ids"]
        experiments = {run["info"]["experiment_id"] for run in server.runs(name)}
        assert {number for tag in tags for number in re.findall(r"\d+", tag)} == experiments


def test_artifacts_of_clones_are_those_of_the_source(server: Server, cloned: str) -> None:
    contents = []
    for name in CLONES:
        run = min(server.runs(name), key=lambda found: (found["info"]["start_time"], found["info"]["experiment_id"]))["info"]
        path = f"/api/2.0/mlflow-artifacts/artifacts/{run['experiment_id']}/{run['run_id']}/artifacts/artifact_1.json"
        contents.append(server.client.request("GET", path, workspace=name).data)
    assert len(contents[0]) > 1000
    assert set(contents) == {contents[0]}


def test_the_program_of_a_job_clones_with_the_python_of_mlflow(server: Server, cloned: str, tmp_path: Path) -> None:
    if server.database["kind"] != "postgres":
        pytest.skip("Jobs are for the PostgreSQL of a cluster (tests/cluster/test_full_suite.py)")
    ensure_workspaces(server.client, ["clone-5", "clone-6"], 2, 60)
    program, *arguments = program_of_job(server.database["artifacts_dir"], {"prefix": "clone-", "count": 6, "shape": SHAPE, "is_dry": False})
    given = psycopg.conninfo.conninfo_to_dict(connection_string(server.database["dsn_file"]))
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "passfile": "PGPASSFILE"}
    environment = {names[key]: str(value) for key, value in given.items() if key in names}
    python = Path(os.environ["PERFSCALE_MLFLOW"]).with_name("python")
    # Isolated, since this checkout must not be what it imports.
    argv = [str(python), "-I", "-c", program, *arguments, str(tmp_path)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    found = {"error": None, **json.loads(done.stdout)}
    assert found["error"] is None
    assert {key: found[key] for key in ("is_possible", "reason", "source", "tenants", "files")} == {
        "is_possible": True, "reason": None, "source": 1, "tenants": 2, "files": 16,
    }  # fmt: skip
    assert inspect(server.client, "clone-", [5, 6], SHAPE, "full")["shortfalls"] == []
    with open_database(server.database) as database:
        counts = counts_by_tenant(database)
    assert [counts["clone-5"], counts["clone-6"]] == [counts["clone-1"]] * 2


def test_what_comes_after_clones_has_new_ids(server: Server, cloned: str) -> None:
    experiments = {run["info"]["experiment_id"] for name in CLONES for run in server.runs(name)}
    assert server.create_experiment("clone-4", "after") not in experiments


def test_a_tenant_with_more_than_the_data_set_is_not_multiplied(server: Server, cloned: str) -> None:
    server.create_run("clone-2", server.runs("clone-2")[0]["info"]["experiment_id"])
    output = " ".join(server.clone(5).split())
    assert "Prefill through REST: Tenant clone-2: holds something else than exactly the data set" in output
    assert "complete in 5 checked tenants" in output
