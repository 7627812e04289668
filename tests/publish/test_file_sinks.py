# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs go to real servers and come back: an S3 gateway and nginx with WebDAV."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import s3, sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.restoration import restore
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from fakes.publish_servers import SCHEMAS

CHECKSUM, READ = "checksum of the server", "read back"


@pytest.fixture(params=["s3", "http"])
def settings(request, tmp_path):
    """The settings of a sink, below a prefix of the test's own."""
    if request.param == "s3":
        return {"kind": "s3", "endpoint": request.getfixturevalue("s3_url"), "bucket": "results", "prefix": tmp_path.name}
    return {"kind": "http", "url": f"{request.getfixturevalue('nginx_url')}/dav", "prefix": tmp_path.name}


def send(run, *settings, **options):
    return publish(run, sinks.create_sinks(settings, {}), Scanner(), SCHEMAS, **options)


def test_a_run_goes_and_comes_back(run, settings, tmp_path):
    sent = send(run, settings)
    assert sent["problems"] == []
    entry = sent["sinks"][0]
    assert (entry["sent"], entry["verified"]) == (5, {CHECKSUM if settings["kind"] == "s3" else READ: 5})
    assert send(run, settings)["sinks"][0]["sent"] == 0
    (run / "cells/t1-c4-r1/k6.log").write_text("more")
    assert send(run, settings)["sinks"][0]["sent"] == 1
    found = restore("latest", tmp_path / "back", sinks.create_sinks([settings], {}), SCHEMAS)
    assert (found["found"], found["run_id"], found["restored"]) == (True, "run-1", 5)
    for path in (path for path in (tmp_path / "back/run-1").rglob("*") if path.is_file()):
        assert path.read_bytes() == (run / path.relative_to(tmp_path / "back/run-1")).read_bytes()


@pytest.fixture(name="parts")
def fixture_parts(s3_url, tmp_path, monkeypatch):
    """Return (settings, client) of a bucket to which the samples go in two parts."""
    monkeypatch.setattr(s3, "PARTS_ABOVE", 9 << 20)
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
    settings = {"kind": "s3", "endpoint": s3_url, "bucket": "results", "prefix": tmp_path.name}
    return settings, sinks.create_sinks([settings], {})[0]._client


def test_a_large_file_goes_in_parts_and_comes_back(run, parts, tmp_path):
    settings, client = parts
    sent = send(run, settings)
    assert (sent["problems"], sent["sinks"][0]["verified"]) == ([], {CHECKSUM: 5})
    name = "run-1/cells/t1-c4-r1/samples.csv.gz"
    assert client.head_object(Bucket="results", Key=f"{tmp_path.name}/{name}")["ETag"].strip('"').endswith("-2")
    assert restore("run-1", tmp_path / "back", sinks.create_sinks([settings], {}), SCHEMAS)["found"]
    assert (tmp_path / "back" / name).read_bytes() == (run.parent / name).read_bytes()


def test_of_an_object_that_is_not_whole_nothing_stays(run, parts, tmp_path, monkeypatch):
    settings, client = parts
    # Smaller than S3 allows, which it says when all parts are there.
    monkeypatch.setattr(s3, "PART_BYTES", 1 << 20)
    assert "samples.csv.gz in bucket results: the store returned EntityTooSmall" in send(run, settings)["problems"][0]
    assert client.list_multipart_uploads(Bucket="results", Prefix=tmp_path.name).get("Uploads", []) == []


def test_what_is_not_there_is_not_found(settings, tmp_path):
    assert restore("latest", tmp_path, sinks.create_sinks([settings], {}), SCHEMAS)["found"] is False
    assert restore("run-9", tmp_path, sinks.create_sinks([settings], {}), SCHEMAS)["found"] is False


def test_a_wrong_secret_is_named_by_its_place(run, settings, monkeypatch):
    monkeypatch.setenv("PERFSCALE_S3_SECRET_KEY", "wrong-secret-of-the-tests")
    monkeypatch.setenv("PERFSCALE_UPLOAD_TOKEN", "wrong-token-of-the-tests")
    problem = send(run, settings)["problems"][0]
    assert "in the environment of ansible-playbook (in AWX: in the credential)" in problem
    assert problem.endswith(f"The local copy {run} is complete.")
    assert "wrong-" not in problem


def test_damage_in_the_store_is_noticed(run, settings, tmp_path):
    send(run, settings)
    made = sinks.create_sinks([settings], {})
    made[0].put("run-1/cells/t1-c4-r1/k6.log", b"damaged")
    with pytest.raises(SinkError, match=r"k6\.log: its checksum differs from the manifest"):
        restore("run-1", tmp_path / "back", made, SCHEMAS)


def test_a_bucket_that_is_not_there_is_named(run, s3_url):
    problem = send(run, {"kind": "s3", "endpoint": s3_url, "bucket": "absent"})["problems"][0]
    assert "in bucket absent: the store returned NoSuchBucket" in problem
    assert "Create the bucket, or correct its name." in problem


def test_an_unknown_access_key_is_named(run, s3_url, monkeypatch):
    monkeypatch.setenv("PERFSCALE_S3_ACCESS_KEY", "nobody")
    # versitygw's word for it.
    assert "the store returned XAdminUserNotFound" in send(run, {"kind": "s3", "endpoint": s3_url, "bucket": "results"})["problems"][0]


def test_a_write_only_store_accepts_runs(run, nginx_url, tmp_path):
    """The manifest cannot be read, so the sent files are recorded here; the result shows that nothing was verified."""
    settings = {"kind": "http", "url": f"{nginx_url}/drop", "prefix": tmp_path.name}
    sent = send(run, settings)
    assert (sent["problems"], sent["sinks"][0]["verified"]) == ([], {"accepted, not verified": 5})
    assert send(run, settings)["sinks"][0]["sent"] == 0
    with pytest.raises(SinkError, match=r"read access missing\. Correct its secret"):
        restore("latest", tmp_path, sinks.create_sinks([settings], {}), SCHEMAS)


def test_a_limit_of_the_server_is_one_sentence_and_costs_nothing_local(run, nginx_url, tmp_path):
    """Small files arrive, a large one does not: the manifest is unchanged, and the files that arrived are complete."""
    settings = {"kind": "http", "url": f"{nginx_url}/small", "prefix": tmp_path.name}
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    sent = send(run, settings)
    assert "status 413" in sent["problems"][0]
    assert "Raise the server's limit for the size of a file." in sent["problems"][0]
    assert all(path.read_bytes() == data for path, data in before.items())
    assert restore("run-1", tmp_path / "back", sinks.create_sinks([settings], {}), SCHEMAS)["found"] is False


def test_a_redirect_is_not_followed(run, nginx_url):
    problem = send(run, {"kind": "http", "url": f"{nginx_url}/moved"})["problems"][0]
    assert "status 302, a redirect to elsewhere.invalid, which is not followed. Give the final URL." in problem


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"kind": "http", "url": "http://127.0.0.1:1"}, id="http"),
        pytest.param({"kind": "s3", "endpoint": "http://127.0.0.1:1", "bucket": "b"}, id="s3"),
        pytest.param({"kind": "opensearch", "url": "http://127.0.0.1:1"}, id="opensearch"),
    ],
)
def test_a_server_that_is_gone_is_named(run, settings):
    problem = send(run, settings)["problems"][0]
    assert "127.0.0.1:1" in problem
    assert "heck" in problem


def test_several_sinks_get_the_same(run, s3_url, nginx_url, tmp_path):
    (tmp_path / "shelf").mkdir()
    several = [
        {"kind": "directory", "path": str(tmp_path / "shelf")},
        {"kind": "s3", "endpoint": s3_url, "bucket": "results", "prefix": tmp_path.name},
        {"kind": "http", "url": f"{nginx_url}/dav", "prefix": tmp_path.name},
    ]
    assert send(run, *several)["problems"] == []
    manifests = [json.loads(sink.get("run-1/manifest.json")) for sink in sinks.create_sinks(several, {})]
    assert len({manifest["digest"] for manifest in manifests}) == 1
