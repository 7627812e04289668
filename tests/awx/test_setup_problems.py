# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the set-up of AWX are reported in one sentence each, before anything is created. A fake responds as an AWX of some version without objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from setups import output, play

SETUP = "playbooks/awx_setup.yml"


@contextmanager
def fake_awx(version: str, product: str) -> Iterator[tuple[str, list[str]]]:
    """Respond to ping with a version and to every list with no items; yield the URL and the requests that would change something."""
    changes: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = {"version": version} if self.path.startswith("/api/v2/ping") else {"count": 0, "next": None, "results": []}
            data = json.dumps(body if version else "hello").encode()
            self.send_response(200)
            self.send_header("X-API-Product-Name", product)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = answer

        def do_POST(self) -> None:
            changes.append(self.path)
            self.answer()

        def log_message(self, *_args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", changes
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        pytest.param({}, "AWX: CONTROLLER_HOST not set.", id="no address"),
        pytest.param({"CONTROLLER_HOST": "http://127.0.0.1:1"}, "AWX: CONTROLLER_OAUTH_TOKEN not set.", id="no login"),
        pytest.param(
            {"CONTROLLER_HOST": "http://127.0.0.1:1", "CONTROLLER_OAUTH_TOKEN": "canary"},
            "AWX http://127.0.0.1:1: does not respond as an automation controller",
            id="not reachable",
        ),
    ],
)
def test_a_place_that_cannot_be_reached(environment: dict[str, str], sentence: str) -> None:
    result = play(SETUP, **environment)
    assert result.returncode != 0
    assert sentence in output(result)
    assert "canary" not in output(result)


@pytest.mark.parametrize(
    ("version", "product", "sentence"),
    [
        pytest.param("19.5.0", "AWX", "AWX 19.5.0 is too old. At least 21.0.0 is required", id="old AWX"),
        pytest.param(
            "4.1.2", "Red Hat Ansible Automation Platform", "Automation Platform 4.1.2 is too old. At least 4.3.0 is required", id="old controller"
        ),
        pytest.param("", "nginx", "does not respond as an automation controller", id="something else"),
    ],
)
def test_an_awx_that_is_too_old(version: str, product: str, sentence: str) -> None:
    with fake_awx(version, product) as (url, changes):
        result = play(SETUP, CONTROLLER_HOST=url, CONTROLLER_OAUTH_TOKEN="canary")
    assert result.returncode != 0
    assert sentence in output(result)
    assert changes == []


def test_everything_that_is_missing_is_reported_at_once() -> None:
    with fake_awx("24.6.1", "AWX") as (url, changes):
        result = play(
            SETUP,
            variables={"awx_scm_type": "manual", "awx_scm_url": "https://user:canary@host/x.git"},
            CONTROLLER_HOST=url,
            CONTROLLER_OAUTH_TOKEN="canary",
            PERFSCALE_S3_ACCESS_KEY="key",
            PROMETHEUS_TOKEN="canary",
        )
    assert result.returncode != 0
    for sentence in (
        "Organization Default: does not exist.",
        "awx_image: not set.",
        "awx_local_path: not set.",
        "awx_scm_url: user information in the URL.",
        "K8S_AUTH_HOST: is not set.",
        "K8S_AUTH_API_KEY: is not set.",
        "K8S_AUTH_SSL_CA_CERT: is not the path of a file.",
        "PERFSCALE_S3_ACCESS_KEY and PERFSCALE_S3_SECRET_KEY: only one is set.",
        "PROMETHEUS_URL: is not set, but PROMETHEUS_TOKEN is.",
    ):
        assert sentence in output(result)
    assert "canary" not in output(result)
    assert changes == []
