# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of OLM: packages, plans and versions, by tables."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.platform import olm
from fakes.opendatahub_objects import CSV, available, condition, csv, named, package, plan, subscription

OLD = "opendatahub-operator.v3.4.0"


@pytest.mark.parametrize(
    ("offer", "starting_csv", "message"),
    [
        pytest.param(package("fast", "fast-3"), "", "", id="offered"),
        pytest.param(package("fast-3"), CSV, "", id="pinned"),
        pytest.param(package("fast-3", entries=()), CSV, "", id="catalog-names-no-versions"),
        pytest.param(None, "", "not offered by catalog", id="no-package"),
        pytest.param(package("fast", "stable"), "", "Allowed for opendatahub_channel: fast, stable (default fast)", id="no-channel"),
        pytest.param(package("fast-3"), OLD, f"Allowed for opendatahub_starting_csv: {CSV}", id="no-such-version"),
    ],
)
def test_offers(offer, starting_csv, message):
    problems = olm.offer_problems(offer, "opendatahub-operator", "community-operators", "fast-3", starting_csv)
    assert message in " ".join(problems)
    assert bool(problems) == bool(message)


@pytest.mark.parametrize(
    ("found", "pending", "starting_csv", "waits", "fails"),
    [
        pytest.param(None, None, "", "the Subscription", "", id="nothing-yet"),
        pytest.param(subscription(""), None, "", "an InstallPlan", "", id="no-plan-yet"),
        pytest.param(subscription(""), plan(CSV), "", "", "", id="our-plan"),
        pytest.param(subscription(""), plan(CSV), CSV, "", "", id="our-pinned-plan"),
        pytest.param(subscription("", current=OLD), plan(OLD), CSV, "", "not only " + CSV, id="another-version"),
        pytest.param(subscription(""), plan(CSV, "other-operator.v1"), "", "", "plan for", id="two-versions-in-one-plan"),
        pytest.param(subscription("", labels={}), plan(CSV), "", "whose Subscription opendatahub-operator is not managed", "", id="plan-of-others"),
        pytest.param(subscription(""), plan(CSV, approved=True), "", "", "", id="approved"),
        pytest.param(subscription(""), plan(CSV, approved=True, phase="Failed"), "", "", "InstallPlan install-abc: failed", id="failed-plan"),
        pytest.param(subscription(OLD), plan(CSV), "", "", "", id="upgrade-is-not-ours-to-approve"),
        pytest.param(subscription("", conditions=[condition("BundleUnpackFailed")]), None, "", "", "BundleUnpackFailed=True", id="bundle"),
        pytest.param(subscription("", conditions=[condition("BundleUnpacking")]), None, "", "an InstallPlan", "", id="unpacking"),
    ],
)
def test_plans(found, pending, starting_csv, waits, fails):
    verdict = olm.check_plan(found, pending, starting_csv)
    assert waits in " ".join(verdict.waiting_for)
    assert bool(verdict.waiting_for) == bool(waits)
    assert fails in " ".join(verdict.problems)
    assert bool(verdict.problems) == bool(fails)


@pytest.mark.parametrize(
    ("found", "pending", "csvs", "waits", "doubts", "fails"),
    [
        pytest.param(subscription(), None, [csv()], "", "", "", id="installed"),
        pytest.param(None, None, [csv()], "", "", "", id="installed-by-hand"),
        pytest.param(subscription("", state="UpgradePending"), plan(CSV), [], "to install", "", "", id="not-yet"),
        pytest.param(subscription(), None, [], f"ClusterServiceVersion {CSV}", "", "", id="no-version-yet"),
        pytest.param(subscription(), None, [csv(phase="Installing")], "Installing", "", "", id="installing"),
        pytest.param(subscription(), None, [csv(phase="Pending", reason="RequirementsNotMet")], "RequirementsNotMet", "", "", id="requirements"),
        pytest.param(subscription(), None, [csv(phase="Failed", reason="InstallCheckFailed")], "", "InstallCheckFailed", "", id="failed-may-heal"),
        pytest.param(subscription(), None, [csv(phase="Failed", reason="TooManyOperatorGroups")], "", "", "exactly one OperatorGroup", id="groups"),
        pytest.param(subscription(OLD), None, [csv(OLD, "Replacing"), csv(phase="Installing")], "the upgrade from", "", "", id="replacing"),
        pytest.param(subscription(OLD), plan(CSV), [csv(OLD)], "", "", "", id="upgrade-waits-for-approval"),
        pytest.param(subscription(OLD), plan(CSV, approved=True), [csv(OLD)], "the upgrade from", "", "", id="upgrade-approved"),
        pytest.param(subscription(OLD, approval="Manual"), None, [csv(OLD)], "", "", f"installed {OLD}, not {CSV}", id="other-than-pinned"),
        pytest.param(subscription(conditions=[condition("ResolutionFailed")]), None, [csv()], "", "ResolutionFailed", "", id="resolution"),
        pytest.param(subscription(conditions=[condition("CatalogSourcesUnhealthy", "False")]), None, [csv()], "", "", "", id="healthy-catalog"),
        pytest.param(subscription(conditions=[condition("InstallPlanFailed")]), None, [], "", "", "InstallPlanFailed", id="plan-failed"),
    ],
)
def test_installations(found, pending, csvs, waits, doubts, fails):
    verdict = olm.check_installation(found, pending, csvs, {}, CSV if fails.startswith("installed") else "")
    for messages, expected in ((verdict.waiting_for, waits), (verdict.doubts, doubts), (verdict.problems, fails)):
        assert expected in " ".join(messages)
        assert bool(messages) == bool(expected)


def test_a_version_without_its_deployment_is_not_installed():
    late = {"opendatahub-operator-controller-manager": available("opendatahub-operator-controller-manager", "False")}
    assert olm.check_installation(subscription(), None, [csv()], late).waiting_for == ["Deployment opendatahub-operator-controller-manager to be Available"]


def test_copies_and_owned_kinds():
    assert olm.owns(csv(), "DataScienceCluster")
    assert not olm.owns({}, "DataScienceCluster")
    assert olm.is_copied(csv(reason="Copied"))
    assert olm.is_copied(named("a", {"olm.copiedFrom": "b"}))
    assert not olm.is_copied(csv())
    assert olm.deployment_names(csv()) == ["opendatahub-operator-controller-manager"]
    assert olm.deployment_names(None) == []
