# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small run directory and a sink beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from fakes.run_factory import write_bare_run

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"
FILES = {
    "target.json": json.dumps({"schema_version": 1}),
    "cells/t1-c4-r1/cell.json": "{}",
    "cells/t1-c4-r1/k6.log": "all is well\n",
    "cells/t1-c4-r1/state.json": "{}",
    "cells/t1-c4-r1/attempts/1/raw.csv": "material",
    "report/summary.md": "# Summary\n",
    ".lock.json": "{}",
}


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """The directory of a run with a few files, a hidden one and a link among them."""
    directory = tmp_path / "results" / "run-1"
    for path, text in FILES.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    (directory / "link").symlink_to("run.json")
    return write_bare_run(directory)


@pytest.fixture(name="shelf")
def fixture_shelf(tmp_path):
    """The directory behind the sink."""
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture(name="sink")
def fixture_sink(shelf):
    return DirectorySink("shelf", str(shelf), prefix="perf/")


@pytest.fixture(name="send")
def fixture_send(run, sink):
    """Publish the run to the sink."""

    def send(*sinks, scanner=None, **arguments):
        return publish(run, sinks or (sink,), scanner or Scanner(), SCHEMAS, **{"exclude": ["*/raw.csv"], **arguments})

    return send
