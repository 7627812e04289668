# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries of every kind are found, wherever they hide, and what merely looks odd is not."""

from __future__ import annotations

import base64
import gzip
import json
import random
from urllib.parse import quote

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner, in_file, secrets_of_run

CANARY = 'canary/of+"perfscale'
# Put together here, so that no secret scanner takes this file for a leak.
JWT = ".".join(["eyJ" + "hbGciOiJSUzI1NiJ9", "eyJ" + "zdWIiOiJjYW5hcnkifQ", "c2lnbmF0dXJlLW9mLWEtY2FuYXJ5"])
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIB"
AWS = "AK" + "IAIOSFODNN7EXAMPLE"


def scan(tmp_path, data, known=(), name="file.txt"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return Scanner(known).file(path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(f"time=x msg={JWT} end", "a JSON web token", id="jwt"),
        pytest.param(PEM, "a private key", id="rsa key"),
        pytest.param("-----BEGIN PRIVATE" + " KEY-----", "a private key", id="key"),
        pytest.param("postgresql://mlflow:hunter2@db:5432/mlflow", "a URI with a password", id="uri"),
        pytest.param("redis://:hunter2@[::1]/0", "a URI with a password", id="uri without a user"),
        pytest.param("Authorization: Bearer abcdefghijklmnop123", "a bearer token in a header", id="bearer"),
        pytest.param('{"authorization": "bearer 0123456789abcdef"}', "a bearer token in a header", id="bearer in json"),
        pytest.param("authorization: Basic YWRtaW46YWRtaW4=", "a password in a header", id="basic"),
        pytest.param(f"key {AWS} here", "an AWS access key", id="aws"),
        pytest.param("sha256" + "~" + "a" * 43, "an OpenShift token", id="openshift"),
        pytest.param("gh" + "p_" + "a1" * 18, "a GitHub token", id="github"),
        pytest.param('{"db_password": "hunter2hunter2"}', "a password in a field", id="password in json"),
        pytest.param("secret-key: 'hunter2hunter2'", "a password in a field", id="secret key in yaml"),
    ],
)
def test_forms_of_secrets_are_found(tmp_path, text, kind):
    assert scan(tmp_path, f"first\nsecond {text}\n") == f"{kind} (line 2)"
    assert scan(tmp_path, gzip.compress(f"{text}\n".encode()), name="file.gz") == f"{kind} (line 1)"
    assert scan(tmp_path, b"\x89PNG\0\0" + text.encode(), name="file.png") == kind


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/api@x",
        "https://mlflow.example.com:8443/mlflow",
        "sha256:" + "a" * 64,
        '"token_file": "/run/secrets/token", "token_mode": "per_tenant"',
        '"secret": "perfscale-k6-access"',
        "the bearer of this letter",
        "password: {{ lookup('env', 'X') }}",
        "eyJhbGciOiJ.eyJ",
        "AKIA",
        base64.b64encode(bytes(range(256)) * 8).decode(),
        "MLFLOW_TOKEN was read from a file",
        "user@example.com:22/path",
    ],
)
def test_what_only_looks_odd_is_no_finding(tmp_path, text):
    assert scan(tmp_path, text) is None


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(CANARY, id="plain"),
        pytest.param(json.dumps({"x": CANARY}), id="json"),
        pytest.param(f"https://host/?q={quote(CANARY, safe='')}", id="url"),
        pytest.param(base64.b64encode(CANARY.encode()).decode(), id="base64"),
    ],
)
def test_known_values_are_found_however_they_are_written(tmp_path, written):
    assert scan(tmp_path, f"x\ny\nz {written}", [CANARY]) == "a secret of this run (line 3)"
    assert scan(tmp_path, written) is None


def test_short_values_are_not_searched_for(tmp_path):
    assert scan(tmp_path, "admin and unused", ["admin", "unused"]) is None


@pytest.mark.parametrize("before", [(1 << 20) - 10, (1 << 20) - 4000, 3 << 20])
def test_a_value_across_blocks_is_found_with_its_line(tmp_path, before):
    text = b"line\n" * (before // 5) + b"x" * (before % 5) + CANARY.encode() + b"\n" * 3000000
    assert scan(tmp_path, text, [CANARY]) == f"a secret of this run (line {before // 5 + 1})"


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(lambda data: gzip.compress(data)[:-9], id="cut"),
        pytest.param(lambda data: gzip.compress(b"first\n") + gzip.compress(data), id="second member"),
        pytest.param(lambda data: gzip.compress(b"first\n") + data, id="after the archive"),
        pytest.param(lambda data: b"\x1f\x8b\n" + data, id="no archive"),
        pytest.param(lambda data: gzip.compress(b"x" * (5 << 20) + b" " + data), id="large"),
    ],
)
def test_no_archive_hides_anything(tmp_path, packed):
    assert scan(tmp_path, packed(JWT.encode() + b"\n" + random.Random(1).randbytes(1000))).startswith("a JSON web token")
    assert scan(tmp_path, packed(b"nothing of interest\n")) is None


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_secrets_of_a_run_are_gathered(tmp_path):
    private = tmp_path / "private"
    dsn = write(private / "dsn", "postgresql://mlflow:p%40ssword@127.0.0.1/mlflow\n")
    token = write(private / "load.token", "token-of-the-load\n")
    token_map = write(private / "tokens.json", json.dumps({"tenant-1": "token-of-tenant-1"}))
    write(private / "prometheus.token", "token-beside")
    write(private / "readme.token", "public", mode=0o644)
    kubeconfig = write(tmp_path / "config", "users:\n- user:\n    token: token-of-kubeconfig\n    client-key-data: a2V5LW9mLWt1YmU=\n")
    keyfile = write(tmp_path / "elsewhere", "token-in-a-file")
    target = {"mlflow": {"token_file": token, "token_map_file": token_map}, "prometheus": {"token_file": None}, "database": {"dsn_file": dsn}}
    write(tmp_path / "run/target.json", json.dumps(target))
    environment = {
        "MLFLOW_TOKEN": "token-of-the-environment",
        "PERFSCALE_S3_SECRET_KEY": "secret-key-of-s3",
        "PERFSCALE_OPENSEARCH_PASSWORD": "password-of-opensearch",
        "PROMETHEUS_TOKEN_FILE": keyfile,
        "KUBECONFIG": kubeconfig,
        "HOME": "/home/of-nobody",
        "TOKEN": token,
    }
    assert secrets_of_run(tmp_path / "run", environment) == {
        "postgresql://mlflow:p%40ssword@127.0.0.1/mlflow",
        "p%40ssword",
        "p@ssword",
        "token-of-the-load",
        "token-of-tenant-1",
        "token-beside",
        "token-of-kubeconfig",
        "a2V5LW9mLWt1YmU=",
        "token-in-a-file",
        "token-of-the-environment",
        "secret-key-of-s3",
        "password-of-opensearch",
    }


def test_what_cannot_be_read_is_left_out(tmp_path):
    write(tmp_path / "run/target.json", "not json")
    environment = {"A_TOKEN_FILE": str(tmp_path / "absent"), "KUBECONFIG": f"{tmp_path}/absent:"}
    assert secrets_of_run(tmp_path / "run", environment) == set()
    assert secrets_of_run(tmp_path / "absent", {}) == set()


def test_a_token_that_is_too_long_for_a_path_is_a_value(tmp_path):
    token = f"{JWT}{'x' * 1000}"
    assert secrets_of_run(tmp_path, {"K8S_AUTH_API_KEY": token}) == {token}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("one line\n", ["one line"], id="line"),
        pytest.param("two\nlines\n", [], id="several lines"),
        pytest.param("", [], id="empty"),
        pytest.param('["a", {"b": ["c"]}, 1]', ["a", "c"], id="json"),
        pytest.param("http://[broken", ["http://[broken"], id="a broken address"),
    ],
)
def test_what_a_private_file_holds(tmp_path, text, values):
    assert list(in_file(tmp_path / write(tmp_path / "x", text).rsplit("/", 1)[-1])) == values
