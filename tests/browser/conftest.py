# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, and reports of invented runs for it: one of everything, a search, a folder of the legacy suite, two sources, a comparison, a history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import compare, settings_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.history import history_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.page import write_comparison, write_history
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
from fakes.cell_files import write_cell_files
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import SCHEMAS
from fakes.run_factory import edit_record, write_run

TEMPLATES = Path(__file__).resolve().parents[2] / "files" / "report"
FAKE_OTAVA = Path(__file__).resolve().parents[1] / "fakes" / "fake_otava.py"
HOSTILE = "<img src=x onerror=alert(1)>'\"`${7*7}|--></script>"


@dataclass
class Opened:
    """A page in the browser, with what it wrote to its console and every request that left the file."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as tests/run.py names it or as it is on PATH."""
    path = os.environ.get("PERFSCALE_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no Chromium: install it, or run the tests by tests/run.py on Debian")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of the reports by name."""
    root = tmp_path_factory.mktemp("browser")
    states = {"t1-c20-r1": "invalid", "t10-c20-r1": "failed", "t100-c20-r1": "missing"}
    run = write_cell_files(write_run(root / "run", tenants=(1, 10, 100), concurrency=(5, 10, 20), verdicts=states, errors=0.2, backend="postgres"))
    strict = [_strict(row) for row in read_sealed(run / "run.json")["objectives"]]
    edit_record(run / "run.json", config={"preset": HOSTILE}, abort_reason=HOSTILE, objectives=strict)
    pages = {"run": [run], "search": [_search(root / "search")], "legacy": [write_legacy_folder(root / "legacy")]}
    pages["sources"] = [write_run(root / name, (1,), backend=name, repeats=3) for name in ("sqlite", "postgres")]
    for name, sources in pages.items():
        create_report([str(source) for source in sources], root / name / "report", ("csv", "html"), SCHEMAS, TEMPLATES)
    compared = {name: root / name / "index.html" for name in _write_compared(root)}
    return {"runs": root / "index.html", **{name: root / name / "report" / "index.html" for name in pages}, **compared}


def _write_compared(root: Path) -> tuple[str, str]:
    """Write a comparison of several points and a history with a step, and return their names."""
    settings = settings_of(yaml.safe_load((SCHEMAS.parent / "comparison" / "default.yml").read_text(encoding="utf-8")), SCHEMAS)
    for seed, name in enumerate(("before", "after")):
        write_run(root / name, repeats=3, seed=seed, slower=1.0 + 0.3 * seed, errors=0.1, factors={"workers": seed or HOSTILE})
    write_comparison(root / "comparison", compare(["before"], ["after"], root, SCHEMAS, settings), SCHEMAS, TEMPLATES)
    for day in range(1, 13):
        write_run(root / "days" / f"day-{day}", (1,), (5,), repeats=1, seed=day, slower=1.0 if day < 8 else 1.5, started=86400.0 * day)
    found = history_of([str(root / "days")], root, SCHEMAS, settings, [], lambda: str(FAKE_OTAVA))
    write_history(root / "history", found, SCHEMAS, TEMPLATES)
    return "comparison", "history"


def _strict(row: dict[str, Any]) -> dict[str, Any]:
    """Return the result of an objective with a limit that cells of ten users miss."""
    return {**row, "limit": "<= 20", "status": "missed"} if row["metric"] == "total.p95_ms" and "-c10-" in row["cell"] else row


def _search(directory: Path) -> Path:
    """Return a run that is a search with an answer after twenty probes, as many as are allowed by default."""
    rates = [1 + n / 20 for n in range(20)]
    run = write_run(directory, tenants=(1,), concurrency=(), rates=rates)
    document = read_sealed(run / "run.json")
    search = {
        "axis": "rate", "start": 1.0, "minimum": 0.1, "maximum": 100.0, "resolution": 0.1, "probes_max": 20, "limits": {"fast": 2000.0},
        "objectives": [{"name": "fast", "select": "total", "metric": "p95_ms", "max": 2000}], "stop_when": {},
    }  # fmt: skip
    document["plan"]["settings"]["context"] = {"capacity": search}
    sentence = "This MLflow carries 1.4 to 1.6 journeys/s with P95 <= 2 s."
    write_sealed(run / "run.json", {**document, "search": {"answered": True, "sentence": sentence}})
    probes = [
        {"id": f"t1-q{load:g}-r1", "load": load, "verdict": verdict, "why": why, "values": {"fast": p95}, "missed": [], "rate_per_s": 50.0 * load,
         "is_hopeless": False}
        for load in rates
        for verdict, why, p95 in [("holds", "", 100.0) if load < 1.5 else ("fails", "the server did 85 % of the requests of the journeys that came", 3000.0)]
    ]  # fmt: skip
    found: dict[str, Any] = {
        "schema_version": 2, "run_id": directory.name, "status": "answered", "sentence": sentence, "axis": "rate", "unit": "journeys/s", "search": search,
        "why": "", "crossing": {"load": 1.5, "low": 1.4, "high": 1.6, "width": 0.13, "method": "fit", "probes": 2}, "requests_per_s": None,
        "shown": {"holds": 1.0, "fails": 2.0}, "breaks": None, "cause": None, "probes": probes,
    }  # fmt: skip
    write_sealed(run / "capacity.json", found)
    return run


@pytest.fixture
def visit(browser: Browser, reports: dict[str, Path]) -> Iterator[Any]:
    """Return a function that opens the page of a report with the settings of a browser context."""
    contexts = []

    def open_page(name: str, width: int = 1440, height: int = 900, **settings: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.console.append(message.text))
        opened.page.on("pageerror", lambda error: opened.console.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(reports[name].as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()
