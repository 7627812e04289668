# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets of every kind are found, wherever they hide, and what merely looks odd is not."""

from __future__ import annotations

import base64
import gzip
import html
import json
import lzma
import random
import time
import zipfile
from urllib.parse import quote

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import secret_forms, secret_scan
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import (
    KNOWN,
    AllowedError,
    Scanner,
    in_file,
    secrets_of_connection,
    secrets_of_run,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.unpacking import Limits
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
from fakes.planted_secrets import CLEAN, PACKED, PASSWORD, TEXTS, bomb, nested
from fakes.playbook import ROOT
from fakes.run_factory import write_run

CANARY = 'canary/of+"perfscale & more'
FIELD = "a password in a field"
JWT = TEXTS["json web token"].split("msg=")[1].split()[0]
LINE = TEXTS["yaml password, quoted"].encode()


def scan(tmp_path, data, known=(), name="file.txt", **options):
    """The findings in a file, as texts."""
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [str(finding) for finding in Scanner(known, **options).findings(path, name)]


@pytest.mark.parametrize("kind", TEXTS)
def test_planted_secrets_are_found(tmp_path, kind):
    assert scan(tmp_path, TEXTS[kind])


def test_planted_secrets_are_found_in_the_middle_of_an_archive(tmp_path):
    lines = [line for text in TEXTS.values() for line in [*text.splitlines(), *["2026-11-29T16:45:33Z token_file=x, search of tenant-1 in 12.5 ms"] * 500]]
    (tmp_path / "file.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 1))
    found = {finding.line for finding in Scanner().findings(tmp_path / "file.gz")}
    line, missed = 1, []
    for kind, text in TEXTS.items():
        count = len(text.splitlines())
        if not found & set(range(line, line + count)):
            missed.append(kind)
        line += count + 500
    assert missed == []
    assert len(found) < 200


@pytest.mark.parametrize("kind", PACKED)
def test_secrets_are_found_where_they_hide(tmp_path, kind):
    assert {finding.partition(" (")[0] for finding in scan(tmp_path, PACKED[kind])} == {FIELD}


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_odd_is_no_finding(tmp_path, text):
    assert scan(tmp_path, f"before\n{text}\nafter\n") == []


def test_the_tables_are_large_enough():
    assert len(TEXTS) + len(PACKED) > 100
    assert len(CLEAN) > 60


@pytest.mark.parametrize("folder", ["docs", "files", "tests/unit/fixtures"])
def test_files_of_ours_have_no_finding(folder):
    scanner = Scanner()
    found = {path: scanner.findings(path) for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert len(found) > 10
    assert {str(path): list(map(str, findings)) for path, findings in found.items() if findings} == {}


def test_a_run_with_its_report_has_no_finding(tmp_path):
    run = write_run(tmp_path / "run-1", tenants=(1, 10), concurrency=(5,))
    formats = ["csv", "markdown", "charts", "html"]
    create_report([str(run)], str(run / "report"), formats, ROOT / "files" / "schemas", ROOT / "files" / "report")
    paths = [path for path in run.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} >= {".json", ".csv", ".md", ".png", ".html"}
    assert {str(path): list(map(str, Scanner().findings(path))) for path in paths if Scanner().findings(path)} == {}


def test_a_finding_names_kind_line_and_member_and_not_the_value(tmp_path):
    assert scan(tmp_path, f"first\nsecond\n{JWT}\n") == ["a JSON web token (line 3)"]
    assert scan(tmp_path, PACKED["gz in zip"]) == [f"{FIELD} (line 1 of b.txt.gz)"]
    assert scan(tmp_path, b"\x89PNG\0" + LINE) == [FIELD]
    assert scan(tmp_path, ("one\n" + LINE.decode()).encode("utf-16")) == [f"{FIELD} (line 2)"]


def test_every_secret_of_a_file_is_named(tmp_path):
    assert scan(tmp_path, LINE + b"x\n" + JWT.encode()) == ["a JSON web token (line 3)", f"{FIELD} (line 1)"]


def test_what_is_allowed_is_no_finding_and_hides_no_other(tmp_path):
    allowed = [{"path": "*.txt", "kind": FIELD}]
    assert scan(tmp_path, LINE, allowed=allowed) == []
    assert scan(tmp_path, LINE, allowed=allowed, name="file.log") == [f"{FIELD} (line 1)"]
    assert scan(tmp_path, LINE + JWT.encode(), allowed=allowed) == ["a JSON web token (line 2)"]
    assert scan(tmp_path, LINE, known=[PASSWORD], allowed=allowed) == [f"{KNOWN} (line 1)"]


@pytest.mark.parametrize("entry", [{"path": "*"}, {"path": "*", "kind": ""}, {"path": "*", "kind": "x", "line": "1"}, "x", {"path": "*", "kind": KNOWN}])
def test_an_allowed_finding_that_cannot_be_used_is_named(entry):
    with pytest.raises(AllowedError, match=r"^Allowed finding .*\. (Write|Remove) "):
        Scanner(allowed=[entry])


WRITTEN = {
    "plain": CANARY,
    "json": json.dumps({"x": CANARY}),
    "html": f"<p>{html.escape(CANARY)}</p>",
    "url": f"https://host/?q={quote(CANARY, safe='')}",
    "url, lower case": f"https://host/?q={quote(CANARY, safe='').replace('%2F', '%2f').replace('%2B', '%2b').replace('%22', '%22')}",
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 after one character": base64.b64encode(f"u{CANARY}:x".encode()).decode(),
    "base64 after two characters": base64.b64encode(f"ab{CANARY}".encode()).decode(),
    "base64url": base64.urlsafe_b64encode(f"???>>>{CANARY}".encode()).decode(),
    "utf-16": CANARY.encode("utf-16"),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_known_values_are_found_however_they_are_written(tmp_path, written):
    assert [finding.split(" (")[0] for finding in scan(tmp_path, written, [CANARY])] == [KNOWN]
    assert scan(tmp_path, written) == []


def test_short_values_are_not_searched_for(tmp_path):
    assert scan(tmp_path, "admin and unused", ["admin", "unused"]) == []


@pytest.mark.parametrize("before", [0, (1 << 20) - 10, (1 << 20) - 8192, (1 << 20) - 4000, (2 << 20) - 8200, 3 << 20])
def test_a_value_across_blocks_is_found_once_with_its_line(tmp_path, before):
    text = b"line\n" * (before // 5) + b"x" * (before % 5) + CANARY.encode() + b"\n" * (1 << 20)
    assert scan(tmp_path, text, [CANARY]) == [f"{KNOWN} (line {before // 5 + 1})"]


@pytest.mark.parametrize("before", [(1 << 20) - back for back in (0, 8, 16, 20, 24, 40, 50, 55)])
def test_a_masked_form_across_blocks_is_no_finding(tmp_path, before):
    assert scan(tmp_path, b"x" * before + b"\npassword: optional\nurl: postgresql://mlflow:***@db/x\n" + b"x" * 9000) == []


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(lambda data: gzip.compress(data)[:-9], id="cut"),
        pytest.param(lambda data: lzma.compress(data)[:-9], id="cut xz"),
        pytest.param(lambda data: gzip.compress(b"first\n") + gzip.compress(data), id="second member"),
        pytest.param(lambda data: gzip.compress(b"first\n") + data, id="after the archive"),
        pytest.param(lambda data: b"\x1f\x8b\n" + data, id="no archive"),
        pytest.param(lambda data: b"PK\x03\x04\n" + data, id="no zip"),
        pytest.param(lambda data: b"BZh9\n" + data, id="no bz2"),
        pytest.param(lambda data: gzip.compress(b"x" * (5 << 20) + b" " + data), id="large"),
    ],
)
def test_no_archive_hides_anything(tmp_path, packed):
    assert scan(tmp_path, packed(JWT.encode() + b"\n" + random.Random(1).randbytes(1000)))[0].startswith("a JSON web token")
    assert scan(tmp_path, packed(b"nothing of interest\n")) == []


@pytest.mark.parametrize(
    ("data", "limits", "problem"),
    [
        pytest.param(lambda: bomb(16 << 20), Limits(floor_bytes=2 << 20), "an archive that unpacks to more than 3 MiB", id="gz bomb"),
        pytest.param(lambda: gzip.compress(bomb(16 << 20)), Limits(floor_bytes=2 << 20), "an archive that unpacks to more than 2 MiB", id="bomb in gz"),
        pytest.param(lambda: nested(6), Limits(), "an archive within 5 archives", id="deep"),
        pytest.param(lambda: b"x\n" * (3 << 20), Limits(seconds=0.0), "a file that is not read within 0 s", id="slow"),
        pytest.param(lambda: b"\x28\xb5\x2f\xfd" + b"x" * 10, Limits(), "an archive that cannot be read (zstd)", id="zstd"),
    ],
)
def test_a_bomb_is_named_and_not_followed(tmp_path, data, limits, problem):
    begun = time.monotonic()
    assert scan(tmp_path, data(), limits=limits) == [problem]
    assert time.monotonic() - begun < 20


def test_an_encrypted_zip_is_named(tmp_path):
    data = bytearray(PACKED["zip"])
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr("a", "x")
    data = bytearray((tmp_path / "plain.zip").read_bytes())
    # The bit for encryption, in the header of the member and in the directory.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert scan(tmp_path, bytes(data)) == ["an archive that cannot be read (encrypted)"]


def test_what_decides_about_clean_is_in_the_digest(monkeypatch):
    digest = Scanner(["a-known-secret"]).digest(b"key")
    assert digest == Scanner(["a-known-secret"]).digest(b"key")
    assert digest != Scanner(["a-known-secret"]).digest(b"another key")
    assert digest != Scanner(["another-secret"]).digest(b"key")
    assert digest != Scanner(["a-known-secret"], [{"path": "x", "kind": FIELD}]).digest(b"key")
    rules = secret_scan.rules_digest()
    monkeypatch.setattr(secret_scan, "version", lambda name: "9.9")
    assert secret_scan.rules_digest() != rules
    assert digest != Scanner(["a-known-secret"]).digest(b"key")


def test_nothing_is_sent_to_verify_a_secret(monkeypatch):
    """The library can ask the service that issued a token whether it is valid; that would publish it."""
    requests = pytest.importorskip("requests")

    def request(*arguments, **options):
        raise AssertionError(f"a request to {arguments}")

    monkeypatch.setattr(requests.Session, "request", request)
    for text in TEXTS.values():
        assert list(secret_forms.find(text.encode()))


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
    write(tmp_path / "home/.kube/config", json.dumps({"users": [{"user": {"token": "token-of-the-default"}}]}))
    environment = {
        "MLFLOW_TOKEN": "token-of-the-environment",
        "PERFSCALE_S3_SECRET_KEY": "secret-key-of-s3",
        "PERFSCALE_OPENSEARCH_PASSWORD": "password-of-opensearch",
        "PROMETHEUS_TOKEN_FILE": keyfile,
        "KUBECONFIG": kubeconfig,
        "HOME": str(tmp_path / "home"),
        "https_proxy": "http://me:password-of-the-proxy@proxy:3128",
        "PROMETHEUS_URL": "https://me:password-of-prometheus@host",
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
        "token-of-the-default",
        "password-of-the-proxy",
        "password-of-prometheus",
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
        pytest.param("admin:pass-w0rd\n", ["admin:pass-w0rd", "pass-w0rd"], id="login"),
        pytest.param("", [], id="empty"),
        pytest.param('["a", {"b": ["c"]}, 1]', ["a", "c"], id="json"),
        pytest.param("http://[broken", ["http://[broken"], id="a broken address"),
    ],
)
def test_what_a_private_file_holds(tmp_path, text, values):
    assert list(in_file(tmp_path / write(tmp_path / "x", text).rsplit("/", 1)[-1])) == values


def test_secrets_of_a_connection_are_gathered(tmp_path):
    assert secrets_of_connection({"host": "h", "validate_certs": True}) == set()
    options = {
        "api_key": "the-api-key",
        "password": "the-password",
        "proxy": "http://u:of-the-proxy@p:1",
        "proxy_headers": {"basic_auth": "me:basic"},
        "kubeconfig": {"users": [{"user": {"token": "of-the-kubeconfig"}}]},
    }
    assert secrets_of_connection(options) == {"the-api-key", "the-password", "of-the-proxy", "me:basic", "basic", "of-the-kubeconfig"}
    options = {"kubeconfig": write(tmp_path / "config", "token: of-the-file")}
    assert secrets_of_connection(options) == {"of-the-file"}
