# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of a run in a real OpenSearch, and in the form that its client library reads."""

from __future__ import annotations

import base64
import json
import urllib.request

import pytest
from opensearchpy import OpenSearch

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from fakes.publish_servers import PASSWORD, SCHEMAS, USERNAME


@pytest.fixture
def settings(opensearch_url, tmp_path):
    """A sink with an index of the test's own."""
    return {"kind": "opensearch", "url": opensearch_url, "index": tmp_path.name.lower().replace("_", "-")}


@pytest.fixture
def send(run, settings):
    return lambda **options: publish(run, sinks.create_sinks([{**settings, **options}], {}), Scanner(), SCHEMAS)


@pytest.fixture
def found(opensearch_url, settings):
    """Return the documents of the run that have some fields."""
    client = OpenSearch(opensearch_url)

    def search(**fields):
        query = {"bool": {"filter": [{"term": {f"{name.replace('__', '.')}.keyword": value}} for name, value in fields.items()]}}
        return [hit["_source"] for hit in client.search(index=settings["index"], body={"query": query, "size": 1000})["hits"]["hits"]]

    return search


def test_every_cell_operation_and_resource_is_a_document(send, found, record):
    sent = send()
    assert sent["problems"] == []
    entry = sent["sinks"][0]
    cell = record("cells/t1-c4-r1/cell.json")
    assert entry["verified"] == {"counted": entry["sent"]}
    assert len(found(uuid="run-1")) == entry["sent"]
    summary = found(uuid="run-1", metricName="cellSummary", jobName="t1-c4-r1")[0]
    assert summary["value"] == summary["goodputPerS"] == pytest.approx(cell["total"]["goodput_per_s"])
    assert (summary["verdict"], summary["n"], summary["P95"]) == ("valid", cell["total"]["n"], cell["total"]["latency_ms"]["p95"])
    assert (summary["labels"]["db_backend"], summary["timestamp"]) == ("sqlite", "2026-11-24T12:36:01.094Z")
    failed = found(uuid="run-1", metricName="cellSummary", jobName="t1-c5-r1")[0]
    assert (failed["verdict"], failed["reasons"]) == ("failed", ["Start the load: MLflow did not answer."])
    assert "value" not in failed
    operations = found(uuid="run-1", metricName="operationLatencyQuantiles")
    assert sorted(operation["quantileName"] for operation in operations) == sorted(cell["operations"])
    cpu = found(uuid="run-1", metricName="cpu_cores_mean", labels__component="mlflow")
    assert [document["value"] for document in cpu] == [cell["resources"]["mlflow"]["cpu_cores_mean"]]


def test_a_second_publication_duplicates_nothing(run, send, found):
    first = send()["sinks"][0]
    assert (send()["sinks"][0]["sent"], send()["sinks"][0]["unchanged"]) == (0, 2)
    # A fresh controller has no memory of earlier publications.
    (run / ".publish.json").unlink()
    assert send()["sinks"][0]["sent"] == first["sent"]
    assert len(found(uuid="run-1")) == first["sent"]


def test_a_cell_that_was_measured_again_replaces_the_first(run, send, found, record):
    send()
    cell = record("cells/t1-c4-r1/cell.json")
    cell["total"]["goodput_per_s"] = 99.5
    (run / "cells/t1-c4-r1/cell.json").write_text(json.dumps(cell))
    send()
    assert [document["value"] for document in found(uuid="run-1", metricName="cellSummary", verdict="valid")] == [99.5]


def test_numbers_are_numbers_with_a_fraction(send, opensearch_url, settings):
    send()
    mapping = OpenSearch(opensearch_url).indices.get_mapping(index=settings["index"])[settings["index"]]["mappings"]["properties"]
    assert {name: mapping[name]["type"] for name in ("value", "P95", "n", "timestamp")} == {"value": "float", "P95": "float", "n": "long", "timestamp": "date"}


def test_an_index_that_rejects_documents_is_named(send, opensearch_url, settings, run):
    OpenSearch(opensearch_url).indices.create(index=settings["index"], body={"mappings": {"properties": {"labels": {"type": "integer"}}}})
    problem = send()["problems"][0]
    assert f"index {settings['index']}: " in problem
    assert "mapper_parsing_exception" in problem
    assert problem.endswith(f"The local copy {run} is complete.")


def test_the_sink_is_reached_before_its_index_exists(opensearch_url):
    made = sinks.create_sinks([{"kind": "opensearch", "url": opensearch_url, "index": "nothing-yet"}], {})
    made[0].check_access()


def test_documents_go_through_tls_and_a_login(send, found, login_url, tls, monkeypatch):
    monkeypatch.setenv("PERFSCALE_OPENSEARCH_USERNAME", USERNAME)
    monkeypatch.setenv("PERFSCALE_OPENSEARCH_PASSWORD", PASSWORD)
    sent = send(url=login_url, ca_file=str(tls / "ca.crt"))
    assert sent["problems"] == []
    assert len(found(uuid="run-1")) == sent["sinks"][0]["sent"] > 0


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param(USERNAME, "wrong-password-of-the-tests", id="wrong password"),
        pytest.param("nobody-of-the-tests", PASSWORD, id="unknown user"),
        pytest.param("", "", id="no login"),
    ],
)
def test_a_rejected_login_is_named_by_its_place(send, run, settings, login_url, tls, monkeypatch, username, password):
    monkeypatch.setenv("PERFSCALE_OPENSEARCH_USERNAME", username)
    monkeypatch.setenv("PERFSCALE_OPENSEARCH_PASSWORD", password)
    sent = send(url=login_url, ca_file=str(tls / "ca.crt"))
    problem = "status 401 (401 Authorization Required 401 Authorization Required nginx/"
    assert sent["problems"][0].startswith(f"Sink opensearch (opensearch): POST {login_url}/{settings['index']}/_bulk: {problem}")
    remedy = "Set or correct the secret in the environment of ansible-playbook (in AWX: in the credential)."
    assert sent["problems"][0].endswith(f"). {remedy} The local copy {run} is complete.")
    hidden = base64.b64encode(f"{username}:{password}".encode()).decode()
    assert not [secret for secret in (password, hidden) if password and secret in repr(sent)]


def test_a_login_is_sent_to_no_server_of_an_unknown_authority(send, run, login_url):
    problem = "not trusted (unable to get local issuer certificate). Give its CA bundle as ca_file"
    assert f"certificate of {login_url.removeprefix('https://')}: {problem}" in send(url=login_url)["problems"][0]


def test_an_address_that_is_no_index_is_named(run, nginx_url):
    sent = publish(run, sinks.create_sinks([{"kind": "opensearch", "url": f"{nginx_url}/dav"}], {}), Scanner(), SCHEMAS)
    assert "status 401" in sent["problems"][0]


def test_the_server_is_a_real_one(opensearch_url):
    with urllib.request.urlopen(opensearch_url, timeout=5) as response:
        assert json.load(response)["version"]["distribution"] == "opensearch"
