# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under the rule of ownership, one by one and in sets."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import objects as objects_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects, User, apply_all, deletion_blocker, remove_all
from fakes.fake_cluster import FakeCluster

SECRET = "/api/v1/namespaces/here/secrets/one"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def secret(name: str = "one", namespace: str | None = "here", **labels: str) -> dict:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "b"}}


def stored(name: str, run: str | None, **more: object) -> tuple[str, dict]:
    """An object of the cluster, ours of a run, or unmanaged."""
    found = secret(name)
    if run is not None:
        found = ownership.labelled(found, run)
    found["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "5", **more}
    return f"/api/v1/namespaces/here/secrets/{name}", found


def definition(scope: str = "Cluster") -> dict:
    spec = {"group": "example.com", "scope": scope, "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1", "served": True}]}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"}, "spec": spec}


def custom(namespace: str | None = None) -> dict:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", **({"namespace": namespace} if namespace else {})}}


def objects(cluster: FakeCluster, run_id: str = "run-2", timeout_s: float = 0.0) -> Objects:
    return Objects(cluster, run_id, timeout_s)


def test_labels_name_the_creator() -> None:
    cluster = FakeCluster()
    found = objects(cluster).present(secret(kept="yes"))
    assert (found["changed"], found["created"], found["owned"]) == (True, True, True)
    assert cluster.objects[SECRET]["metadata"]["labels"] == {"kept": "yes", **ownership.labels("run-2")}


def test_a_second_time_changes_nothing() -> None:
    cluster = FakeCluster()
    objects(cluster).present(secret())
    again = objects(cluster).present(secret())
    assert (again["changed"], again["created"]) == (False, False)


def test_objects_of_an_earlier_run_keep_their_label() -> None:
    cluster = FakeCluster(stored("one", "run-1"))
    found = objects(cluster).present({**secret(), "data": {"a": "c"}})
    assert found["changed"]
    assert ownership.run_id(cluster.objects[SECRET]) == "run-1"


@pytest.mark.parametrize(
    ("unmanaged", "value"),
    [pytest.param("adopt", "c", id="adopted-is-changed-not-labelled"), pytest.param("keep", "b", id="kept-is-left-alone")],
)
def test_unmanaged_objects(unmanaged: str, value: str) -> None:
    cluster = FakeCluster(stored("one", None))
    found = objects(cluster).present({**secret(), "data": {"a": value}}, unmanaged)
    assert not found["owned"]
    assert found["changed"] == (unmanaged == "adopt")
    assert cluster.objects[SECRET]["data"] == {"a": value}
    assert not ownership.is_ours(cluster.objects[SECRET])


def test_unmanaged_objects_fail_by_name() -> None:
    with pytest.raises(ClusterError, match="Secret here/one: exists without the label"):
        objects(FakeCluster(stored("one", None))).present(secret())


def test_dry_run_reports_and_changes_nothing() -> None:
    cluster = FakeCluster()
    assert objects(cluster).present(secret(), dry_run=True)["changed"]
    assert cluster.objects == {}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        pytest.param(custom(), "Kind Thing .*: not served by the cluster", id="kind-that-is-not-served"),
        pytest.param(secret(namespace=None), "Secret: missing namespace", id="no-namespace"),
    ],
)
def test_places_that_do_not_exist(manifest: dict, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        objects(FakeCluster()).present(manifest)


def test_a_set_is_applied_definitions_first() -> None:
    cluster = FakeCluster()
    done = apply_all(objects(cluster), [custom(), secret(namespace=None), definition("Namespaced")], "here", {"part": "x"})
    assert done["changed"] == ["CustomResourceDefinition things.example.com", "Thing here/t", "Secret here/one"]
    assert all(manifest["metadata"]["labels"]["part"] == "x" for manifest in cluster.objects.values())
    assert apply_all(objects(cluster), [custom(), secret(namespace=None), definition("Namespaced")], "here", {"part": "x"})["changed"] == []


def test_a_definition_that_is_not_served_in_time_is_named() -> None:
    cluster = FakeCluster()
    cluster.establishes = False
    with pytest.raises(ClusterError, match=r"things.example.com: not established within 0 s \(last seen: nothing yet\)"):
        apply_all(objects(cluster), [definition()])


def test_check_mode_counts_kinds_that_are_not_served_yet() -> None:
    cluster = FakeCluster()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
    done = apply_all(objects(cluster), [namespace, definition(), custom(), secret()], dry_run=True)
    assert done["changed"] == ["Namespace here", "CustomResourceDefinition things.example.com", "Thing t", "Secret here/one"]
    assert cluster.objects == {}


def test_an_unmanaged_namespace_is_used_as_it_is() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
    cluster = FakeCluster(("/api/v1/namespaces/here", namespace))
    done = apply_all(objects(cluster), [namespace])
    assert (done["changed"], done["unmanaged"]) == ([], ["Namespace here"])


@pytest.mark.parametrize(
    ("run_id", "removed", "unmanaged"),
    [
        pytest.param("run-2", ["Secret here/new"], ["Secret here/theirs", "Secret here/old"], id="of-one-run"),
        pytest.param("", ["Secret here/old", "Secret here/new"], ["Secret here/theirs"], id="of-all-runs"),
    ],
)
def test_only_what_is_ours_is_removed(run_id: str, removed: list, unmanaged: list) -> None:
    cluster = FakeCluster(stored("new", "run-2"), stored("old", "run-1"), stored("theirs", None))
    done = remove_all(objects(cluster, run_id), [secret("new"), secret("old"), secret("theirs"), secret("gone")])
    assert sorted(done["changed"]) == sorted(removed)
    assert sorted(done["unmanaged"]) == sorted(unmanaged)
    assert done["unchanged"] == ["Secret here/gone"]
    assert done["remaining"] == []
    assert f"Secret here/{'theirs'}" in unmanaged
    assert "/api/v1/namespaces/here/secrets/theirs" in cluster.objects


def test_kinds_are_removed_by_selector() -> None:
    cluster = FakeCluster(stored("new", "run-2"), stored("theirs", None))
    done = remove_all(objects(cluster), kinds=[("v1", "Secret", "here"), ("example.com/v1", "Thing", None)])
    assert done["changed"] == ["Secret here/new"]
    assert list(cluster.objects) == ["/api/v1/namespaces/here/secrets/theirs"]


def test_a_definition_with_objects_of_others_remains() -> None:
    cluster = FakeCluster()
    apply_all(objects(cluster), [definition()])
    cluster.objects["/apis/example.com/v1/things/theirs"] = {**custom(), "metadata": {"name": "theirs"}}
    done = remove_all(objects(cluster), [definition()])
    why = "1 objects of this kind still exist, which would be deleted with it"
    assert done["remaining"] == [{"object": "CustomResourceDefinition things.example.com", "why": why, "run_id": ""}]
    del cluster.objects["/apis/example.com/v1/things/theirs"]
    assert remove_all(objects(cluster), [definition()])["changed"] == ["CustomResourceDefinition things.example.com"]


def test_an_operator_whose_definition_has_objects_of_others_stays_as_a_whole() -> None:
    cluster = FakeCluster(stored("ours", "run-2"))
    apply_all(objects(cluster), [definition()])
    theirs = "/apis/example.com/v1/things/theirs"
    cluster.objects[theirs] = {**custom(), "metadata": {"name": "theirs"}}
    kinds = [("v1", "Secret", "here"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None)]
    done = remove_all(objects(cluster), kinds=kinds, is_unit=True)
    assert done["changed"] == []
    assert {entry["object"]: entry["why"] for entry in done["remaining"]} == {
        "Secret here/ours": "serves objects of CustomResourceDefinition things.example.com",
        "CustomResourceDefinition things.example.com": "1 objects of this kind still exist, which would be deleted with it",
    }
    assert {entry["run_id"] for entry in done["remaining"]} == {""}
    assert "/api/v1/namespaces/here/secrets/ours" in cluster.objects
    del cluster.objects[theirs]
    assert len(remove_all(objects(cluster), kinds=kinds, is_unit=True)["changed"]) == 2


@pytest.mark.parametrize("run_id", ["", "run-9"], ids=["unmanaged", "another-run"])
def test_what_is_used_stays(run_id: str) -> None:
    cluster = FakeCluster(stored("ours", "run-2"), stored("theirs", None))
    done = remove_all(objects(cluster), kinds=[("v1", "Secret", "here")], wait_gone=[secret("ours")], used_by=User("MLflow mlflow", run_id))
    assert done["remaining"] == [{"object": "Secret here/ours", "why": "is used by MLflow mlflow", "run_id": run_id}]
    assert done["changed"] == []
    assert not [request for request in cluster.requests if request[0] == "DELETE"]


def test_a_namespace_with_unmanaged_objects_remains() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
    cluster = FakeCluster(stored("ours", "run-2"), stored("theirs", None))
    apply_all(objects(cluster), [namespace])
    remaining = remove_all(objects(cluster), [namespace])["remaining"]
    assert [entry["object"] for entry in remaining] == ["Namespace here"]
    assert "unmanaged objects: Secret theirs." in remaining[0]["why"]
    assert "/api/v1/namespaces/here" in cluster.objects
    del cluster.objects["/api/v1/namespaces/here/secrets/theirs"]
    assert remove_all(objects(cluster), [namespace])["changed"] == ["Namespace here"]


def test_what_remains_is_reported_with_the_reason() -> None:
    cluster = FakeCluster(stored("one", "run-2"), stored("kept", None))
    cluster.held = {SECRET}
    done = remove_all(objects(cluster), [secret()], wait_gone=[secret("kept"), secret("gone")])
    assert done["remaining"] == [
        {"object": "Secret here/one", "why": "waits for its finalizers example.com/holds", "run_id": ""},
        {"object": "Secret here/kept", "why": "is not being deleted", "run_id": ""},
    ]


def test_a_definition_that_the_api_server_does_not_process_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cleanup that failed once (storage is initializing) may not be tried again until something changes."""
    monkeypatch.setattr(objects_module, "TRIGGER_S", 0.3)
    cluster = FakeCluster()
    cluster.forgotten = {f"{DEFINITIONS}/things.example.com"}
    apply_all(objects(cluster), [definition()])
    done = remove_all(objects(cluster, timeout_s=5.0), [definition()])
    assert done["remaining"] == []
    assert cluster.objects == {}
    assert [request for request in cluster.requests if request[0] == "PATCH"][1:] == [("PATCH", f"{DEFINITIONS}/things.example.com")]


def test_check_mode_removes_nothing() -> None:
    cluster = FakeCluster(stored("one", "run-2"))
    assert remove_all(objects(cluster), [secret()], dry_run=True)["changed"] == ["Secret here/one"]
    assert SECRET in cluster.objects


def test_deleting_what_is_gone_is_fine() -> None:
    objects(FakeCluster()).delete(secret())


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        pytest.param({"metadata": {"deletionTimestamp": "now"}}, "is being deleted", id="no-reason"),
        pytest.param(
            {
                "metadata": {"deletionTimestamp": "now"},
                "status": {"conditions": [{"status": "True", "message": "pods remain"}, {"status": "False", "message": "x"}]},
            },
            "is being deleted (pods remain)",
            id="condition",
        ),
    ],
)
def test_why_it_remains(manifest: dict, why: str) -> None:
    assert deletion_blocker(manifest) == why
