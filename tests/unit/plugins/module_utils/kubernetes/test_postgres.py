# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psql in a Job: its container, what it prints, and how names and texts are quoted."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.postgres import identifier, literal, psql_container, read_rows, results
from fakes.fake_jobs import PLACE, FakeJobCluster


def test_the_password_is_in_no_argument():
    container = psql_container(PLACE, "SELECT 1;")
    variables = {entry["name"]: entry.get("value") or entry["valueFrom"]["secretKeyRef"] for entry in container["env"]}
    assert (variables["PGHOST"], variables["PGUSER"], variables["PGDATABASE"]) == ("postgresql.odh.svc", "mlflow", "mlflow")
    assert variables["PGPASSWORD"] == {"name": "postgresql-credentials", "key": "password"}
    assert (container["securityContext"], container["resources"]["limits"]) == ({"runAsUser": 999, "runAsGroup": 999}, {"cpu": "1", "memory": "256Mi"})


def test_kubernetes_leaves_the_dollar_signs_of_a_script():
    assert psql_container(PLACE, "DO $do$ BEGIN END $do$;")["command"][-1] == "DO $$do$$ BEGIN END $$do$$;"


def test_without_a_user_the_platform_chooses_one():
    assert psql_container({**PLACE, "run_as_user": None}, "")["securityContext"] == {}


def test_rows_are_counted_by_a_job():
    cluster = FakeJobCluster({"postgresql": 'a message\n{"rows" : {"runs" : 7, "odd name" : 0}, "bytes" : 8192}\n'})
    assert read_rows(cluster, PLACE, "run-1") == {"rows": {"odd name": 0, "runs": 7}, "bytes": 8192}
    assert cluster.created[0]["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_output_that_was_cut_is_named():
    with pytest.raises(ClusterError, match=r"^Database: the output of psql is incomplete\. Run the same again\."):
        results('{"rows": {"ru')


@pytest.mark.parametrize(("quote", "text", "quoted"), [(identifier, 'a"b', '"a""b"'), (literal, "it's", "'it''s'")], ids=["identifier", "literal"])
def test_quotes_are_doubled(quote, text, quoted):
    assert quote(text) == quoted
