# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No URL keeps its user information or a query token, whatever is around it, and everything else stays as it is."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import has_user_information, redact_text, redact_url, user_information_in

CANARY = "hunter2" + "canary"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param(f"http://u:{CANARY}@host:5000/path", "http://host:5000/path", id="user and password"),
        pytest.param(f"https://{CANARY}@host/x.git", "https://host/x.git", id="token as user"),
        pytest.param(f"redis://:{CANARY}@[::1]:6379/0", "redis://[::1]:6379/0", id="password alone, IPv6"),
        pytest.param(f"postgresql+psycopg://u:a%2F{CANARY}@db/x", "postgresql+psycopg://db/x", id="percent-encoded"),
        pytest.param(f"postgresql://u:a/{CANARY}@db:5432/x", "postgresql://db:5432/x", id="slash in the password"),
        pytest.param(f"postgresql://u:a@{CANARY}@db/x", "postgresql://db/x", id="at sign in the password"),
        pytest.param(f"http://u:1{CANARY}/2@host/", "http://host/", id="password that begins like a port"),
        pytest.param(f"https://host/a?access_token={CANARY}&page=2", "https://host/a?access_token=***&page=2", id="query token"),
        pytest.param(f"https://host/a?x=1&X-Amz-Signature={CANARY}", "https://host/a?x=1&X-Amz-Signature=***", id="signature"),
        pytest.param(f"https://host/c?sv=1&sig={CANARY}", "https://host/c?sv=1&sig=***", id="shared access signature"),
        pytest.param(f"https://host/cb#id_token={CANARY}", "https://host/cb#id_token=***", id="fragment"),
        pytest.param(f"jdbc:postgresql://db/x?user=me&password={CANARY}", "jdbc:postgresql://db/x?user=me&password=***", id="libpq"),
    ],
)
def test_secrets_of_urls_are_removed(url, shown):
    assert redact_url(url) == shown
    for text in (f"MLflow {url}: refused.", f'{{"url": "{url}"}}', f"'{url}'", f"<a href={url}>", f"one {url}\nand {url}"):
        assert CANARY not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/api@x",
        "https://mlflow.example.com:8443/mlflow",
        "http://[::1]:9090",
        "https://host/path?page=2&query=up",
        "user@example.com:22/path",
        "git@github.com:perfscale/mlflow.git",
        "http://host:5000, then mail me@example.com",
        "no URL: a/b@c",
        "s3://bucket/key@version",
        "as postgresql+psycopg2://user:password@host:5432/database.",
        "",
    ],
)
def test_what_has_no_secret_stays(text):
    assert redact_text(text) == text
    assert not has_user_information(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(f"url: u:{CANARY}@host:5000\nnext: a@b", "url: ***@host:5000\nnext: a@b", id="no scheme"),
        pytest.param(f'{{"mlflow_url": "u:{CANARY}@host", "n": "a@b"}}', '{"mlflow_url": "***@host", "n": "a@b"}', id="no scheme, JSON"),
        pytest.param(f"{{'mlflow_uri': 'http//u:{CANARY}@host'}}", "{'mlflow_uri': '***@host'}", id="scheme without colon"),
        pytest.param(f"MLFLOW_URL=http:u:{CANARY}@host", "MLFLOW_URL=***@host", id="scheme without slashes"),
        pytest.param(f"  prometheus_url: http://u:hunter2 {CANARY}@host", "  prometheus_url: ***@host", id="blank in the password"),
    ],
)
def test_what_was_meant_as_a_url_is_redacted_by_its_name(text, shown):
    assert redact_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "url: git@github.com:perfscale/mlflow.git",
        "scm_url: git@github.com:perfscale/mlflow@v1",
        "url: http://host:5000/a@b",
        "url: http://host:5000",
        "-e mlflow_url=http://host:5000, then mail me@example.com",
        "MLFLOW_URL=http://host: refused. Mail me@example.com",
        "image: registry:5000/repo:tag@sha256:abc",
        "MLflow URL of host: user information in it. Mail me@example.com",
        "curl: (7) Failed: a@b",
    ],
)
def test_what_is_named_so_and_has_no_secret_stays(text):
    assert redact_text(text) == text


def test_a_text_shows_that_something_was_removed():
    assert redact_text(f"a http://u:{CANARY}@host, b") == "a http://***@host, b"
    assert redact_text(f'"http:\\/\\/u:{CANARY}@host"') == '"http:\\/\\/***@host"'


def test_fields_with_user_information_are_named():
    url = f"http://u:{CANARY}@host"
    assert list(user_information_in({"mlflow": {"url": url, "n": 1}, "list": ["x", {"y": url}], "clean": "http://host"})) == ["mlflow.url", "list[1].y"]
