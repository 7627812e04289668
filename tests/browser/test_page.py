# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report in a real browser: offline, without errors, accessible, on a narrow screen, in the dark and on paper, and what one can do in it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

REPORTS = ("run", "search", "legacy", "sources")
NAMES = (*REPORTS, "runs", "comparison", "history")
OPEN_ALL = "() => document.querySelectorAll('details').forEach((element) => { element.open = true; })"
# A part of the page that scrolls by itself may be wider.
OVERFLOWING = """() => [...document.querySelectorAll('main *')]
  .filter((element) => !element.closest('svg, .scroll, pre') && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((element) => `${element.tagName}.${element.className}`)"""
CLIPPED = """() => [...document.querySelectorAll('main *')]
  .filter((element) => !element.closest('svg') && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`)"""
# The width of A4 and of Letter without the margins, in CSS pixels.
PAPERS = {"A4": 703, "Letter": 725}
# Every part is built alike, and axe-core takes seconds for each.
OPEN_SOME = """() => document.querySelectorAll('details:not(.part), details.part:nth-of-type(-n + 2)').forEach((element) => { element.open = true; })"""
# In the dark only colours differ, and these pages have all of them.
DARK = ("run", "search", "comparison", "history")
AXE_OPTIONS = {scheme: {"resultTypes": ["violations"], **rules} for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]}))}


def serious(page, scheme):
    """Return what axe-core calls serious or critical in a colour scheme, with the elements."""
    found = Axe().run(page, options=AXE_OPTIONS[scheme]).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"][:3]]) for rule in found if rule["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_offline_and_without_errors(visit, name):
    opened = visit(name)
    opened.page.evaluate(OPEN_ALL)
    opened.page.wait_for_timeout(300)
    assert opened.console == []
    assert [url for url in opened.requests if url != opened.page.url] == []


def test_hostile_texts_are_shown_and_not_run(visit):
    opened = visit("run")
    assert "onerror=alert(1)" in opened.page.inner_text("main")
    assert opened.page.locator("img").count() == 0


@pytest.mark.parametrize(("name", "scheme"), [*((name, "light") for name in NAMES), *((name, "dark") for name in DARK)])
def test_axe_finds_nothing_serious(visit, name, scheme):
    opened = visit(name, color_scheme=scheme)
    opened.page.evaluate(OPEN_SOME)
    opened.page.wait_for_timeout(300)
    assert serious(opened.page, scheme) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_screen_needs_no_scrolling_to_the_side(visit, name):
    opened = visit(name, width=390, height=844)
    opened.page.evaluate(OPEN_ALL)
    opened.page.wait_for_timeout(300)
    assert opened.page.evaluate(OVERFLOWING) == []
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", NAMES)
def test_paper_clips_nothing(visit, name, paper):
    opened = visit(name, width=PAPERS[paper], height=1000)
    opened.page.emulate_media(media="print")
    opened.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate(CLIPPED) == []


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", REPORTS)
def test_on_paper_the_map_is_beside_or_above_the_chart(visit, name, paper):
    opened = visit(name, width=PAPERS[paper], height=1000)
    opened.page.emulate_media(media="print")
    chart = opened.page.locator("#latency").bounding_box()
    for table in opened.page.locator("table.map").all():
        box = table.bounding_box()
        assert box["x"] + box["width"] <= chart["x"] + 1 or box["y"] + box["height"] <= chart["y"] + 1


@pytest.mark.parametrize("paper", PAPERS)
def test_paper_shows_the_parts_that_are_closed(visit, paper):
    opened = visit("run")
    assert opened.page.locator("details.part[open]").count() == 0
    assert opened.page.pdf(format=paper).startswith(b"%PDF-")
    opened.page.emulate_media(media="print")
    opened.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open])").count() == 0


@pytest.mark.parametrize("name", ["run", "sources"])
def test_the_first_screen_has_answer_map_chart_and_noise(visit, name):
    page = visit(name).page
    for part in ("h1", "table.map", "#latency svg.chart", ".noise"):
        box = page.locator(part).last.bounding_box()
        assert box["y"] + box["height"] <= 900, part


def test_the_map_has_the_four_states_in_words(visit):
    texts = visit("run").page.locator("table.map").inner_text()
    assert [word for word in ("meets", "misses", "invalid", "not run") if word not in texts] == []


@pytest.mark.parametrize("name", REPORTS)
def test_everything_is_readable_without_javascript(visit, name):
    page = visit(name, java_script_enabled=False).page
    assert page.locator("button").count() == 0
    assert page.locator("h1").inner_text()
    for chart in page.locator("figure:visible svg.chart").all():
        assert chart.locator("text").count() > 2


def test_the_pointer_reads_values_with_intervals(visit):
    page = visit("sources").page
    page.locator("#latency svg.chart").hover()
    text = page.locator("#latency .readout:visible").inner_text(timeout=2000)
    assert " users" in text
    assert " to " in text


def test_the_keyboard_reads_values(visit):
    page = visit("run").page
    page.locator("#latency .canvas").focus()
    page.keyboard.press("ArrowRight")
    assert "5 concurrent users" in page.locator("#latency .readout:visible").inner_text(timeout=2000)
    page.keyboard.press("ArrowRight")
    assert "10 concurrent users" in page.locator("#latency .readout:visible").inner_text(timeout=2000)


def test_the_legend_filters(visit):
    page = visit("run").page
    page.locator("#latency .legend button", has_text="10 tenants").first.click()
    assert page.locator("#latency .series.off").count() == 1


def test_the_scale_becomes_logarithmic_and_linear_again(visit):
    page = visit("run").page
    ticks = page.locator("#latency .y-ticks text")
    linear = ticks.all_text_contents()
    assert linear[0] == "0"
    page.get_by_label("Logarithmic scale").first.click()
    assert float(ticks.first.text_content()) > 0
    page.get_by_label("Logarithmic scale").first.click()
    assert ticks.all_text_contents() == linear


def test_the_zoom_goes_in_and_back(visit):
    page = visit("run").page
    ticks = page.locator("#latency .x-ticks text")
    whole = ticks.all_text_contents()
    page.locator("#latency .canvas").focus()
    page.keyboard.press("+")
    assert ticks.all_text_contents() != whole
    page.keyboard.press("0")
    assert ticks.all_text_contents() == whole


def test_tables_sort_by_number_and_stay_together_with_their_notes(visit):
    page = visit("run").page
    first = page.locator("table.cells tbody th").first
    page.locator("table.cells thead button", has_text="P95 ms").click()
    page.locator("table.cells thead button", has_text="P95 ms").click()
    values = [text.split()[0] for text in page.locator("table.cells tbody > tr:first-child > td:nth-child(11)").all_inner_texts() if text != "–"]
    assert values == sorted(values, key=float, reverse=True)
    assert first.inner_text() != "t1-c5-r1"


def test_tables_filter(visit):
    page = visit("run").page
    page.locator("input[type=search]").first.fill("t10-c20")
    assert page.locator("table.cells tbody:visible").count() == 1


def test_the_map_leads_into_a_cell(visit):
    page = visit("run").page
    page.locator("table.map td.misses a").first.click()
    part = page.locator("details.part[open]")
    assert part.count() == 1
    for heading in ("Over time", "Distribution of latency by operation", "Files"):
        assert part.locator("h3", has_text=heading).count() == 1, heading
    assert part.locator("svg.chart:visible").count() >= 2


def test_a_failed_cell_keeps_its_reason_and_log(visit):
    page = visit("run").page
    part = page.locator("details.part", has_text="t10-c20-r1").first
    part.locator("summary").click()
    text = part.inner_text()
    assert "exit code 137" in text
    assert "level=info" in text
