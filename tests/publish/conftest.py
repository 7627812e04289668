# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded run of the suite, small and whole, and the servers that take it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fakes import publish_servers as servers

HERE = Path(__file__).resolve().parent

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.certificates import issue


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """The secrets of sinks, where ansible-playbook has them."""
    monkeypatch.setenv("PERFSCALE_S3_ACCESS_KEY", servers.ACCESS)
    monkeypatch.setenv("PERFSCALE_S3_SECRET_KEY", servers.SECRET)
    monkeypatch.setenv("PERFSCALE_UPLOAD_TOKEN", servers.TOKEN)


@pytest.fixture
def run(tmp_path):
    """A run with two cells, one of them failed, and a file of samples that is larger than what is read at once."""
    directory = tmp_path / "results" / "run-1"
    shutil.copytree(HERE / "data" / "run", directory)
    cell = directory / "cells/t1-c4-r1"
    (cell / "samples.csv.gz").write_bytes(bytes(range(256)) * 40000)
    record = json.loads((cell / "cell.json").read_text(encoding="utf-8"))
    record["files"] = {name: file_digest(cell / name) for name in ("samples.csv.gz",)}
    (cell / "cell.json").write_text(json.dumps(record), encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """A directory with a certificate for localhost and its CA (ca.crt), which is not in the system CA bundle."""
    directory = tmp_path_factory.mktemp("tls")
    for name, content in issue(["localhost"], 2).items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory):
    with servers.s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(scope="session")
def nginx_url(tmp_path_factory):
    with servers.nginx(tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.fixture(scope="session")
def s3_tls_url(tmp_path_factory, tls):
    with servers.s3(tmp_path_factory.mktemp("s3"), tls) as url:
        yield url


@pytest.fixture(scope="session")
def nginx_tls_url(tmp_path_factory, tls):
    with servers.nginx(tmp_path_factory.mktemp("nginx"), tls) as url:
        yield url


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory):
    with servers.opensearch(tmp_path_factory.mktemp("opensearch")) as url:
        yield url


@pytest.fixture(scope="session")
def login_url(tmp_path_factory, opensearch_url, tls):
    with servers.login(tmp_path_factory.mktemp("login"), opensearch_url, tls) as url:
        yield url


@pytest.fixture
def record(run):
    """Return a record of the run by its path."""
    return lambda path: json.loads((run / path).read_text(encoding="utf-8"))
