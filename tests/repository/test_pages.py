# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make pages` writes a page for each module, filter and role."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkout import ROOT, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the HTML pages."""
    place = tmp_path_factory.mktemp("pages")
    made = run("make", "--no-print-directory", "pages", f"PAGES={place}", cwd=ROOT, timeout_s=600.0)
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.splitlines()[-1] == f"{place}/html/index.html"
    return place / "html"


def test_every_plugin_and_role_has_its_page(pages: Path) -> None:
    wanted = {f"{path.stem}_module.html" for path in ROOT.glob("plugins/modules/*.py") if path.name != "__init__.py"}
    wanted |= {f"{path.stem}_filter.html" for path in ROOT.glob("plugins/filter/*.py") if path.name != "__init__.py"}
    wanted |= {f"{path.parents[1].name}_role.html" for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    assert wanted - {path.name for path in pages.glob("*.html")} == set()


def test_the_first_page_leads_to_them(pages: Path) -> None:
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert 'href="run_report_module.html"' in index
    assert 'href="report_role.html"' in index
