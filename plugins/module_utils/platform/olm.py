# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of an operator installed through OLM: package, Subscription, InstallPlan and ClusterServiceVersion (CSV) as plain data.

Fields as in https://github.com/operator-framework/api (operators.coreos.com v1, v1alpha1; packages.operators.coreos.com v1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import (
    Readiness,
    condition_text,
    conditions,
    is_condition_true,
    unmet_conditions,
)

# Conditions of a Subscription that are bad when True. A catalog or a resolution may recover; a failed plan or bundle does not by itself.
TEMPORARY = frozenset({"ResolutionFailed", "CatalogSourcesUnhealthy"})
PERMANENT = frozenset({"BundleUnpackFailed", "InstallPlanFailed"})


def name_of(manifest: Mapping[str, Any] | None) -> str:
    """Return the name of an object, empty for none."""
    return ((manifest or {}).get("metadata") or {}).get("name") or ""


def namespace_of(manifest: Mapping[str, Any] | None) -> str:
    """Return the namespace of an object, empty for none."""
    return ((manifest or {}).get("metadata") or {}).get("namespace") or ""


def is_copied(csv: Mapping[str, Any]) -> bool:
    """Return whether a CSV is one of the copies that OLM puts into every namespace for an operator that watches them all."""
    return (csv.get("status") or {}).get("reason") == "Copied" or "olm.copiedFrom" in ((csv.get("metadata") or {}).get("labels") or {})


def owns(csv: Mapping[str, Any], kind: str) -> bool:
    """Return whether a CSV owns the CRD of a kind."""
    owned = ((csv.get("spec") or {}).get("customresourcedefinitions") or {}).get("owned") or []
    return any(crd.get("kind") == kind for crd in owned)


def deployment_names(csv: Mapping[str, Any] | None) -> list[str]:
    """Return the names of the Deployments that a CSV installs."""
    install = (((csv or {}).get("spec") or {}).get("install") or {}).get("spec") or {}
    return [deployment["name"] for deployment in install.get("deployments") or []]


def offer_problems(package: Mapping[str, Any] | None, name: str, source: str, channel: str, starting_csv: str) -> list[str]:
    """Return why a catalog cannot serve a Subscription: the package, the channel, or the pinned CSV is not in it."""
    if package is None:
        return [f"Package {name}: not offered by catalog {source}. Check opendatahub_source and opendatahub_package, and that the catalog is reachable."]
    status = package.get("status") or {}
    channels = {item.get("name"): item for item in status.get("channels") or []}
    if channel not in channels:
        offered = f"{', '.join(sorted(channels)) or 'none'} (default {status.get('defaultChannel') or 'unknown'})"
        return [f"Package {name}: catalog {source} has no channel {channel}. Allowed for opendatahub_channel: {offered}."]
    entries = [entry.get("name") for entry in channels[channel].get("entries") or []]
    if starting_csv and entries and starting_csv not in entries:
        return [f"Package {name}: channel {channel} has no {starting_csv}. Allowed for opendatahub_starting_csv: {', '.join(entries)}."]
    return []


def plan_to_approve(subscription: Mapping[str, Any] | None, plan: Mapping[str, Any] | None) -> bool:
    """Return whether an InstallPlan of a Subscription waits for an approval."""
    return bool(subscription and plan and not (plan.get("spec") or {}).get("approved"))


def is_first_installation(subscription: Mapping[str, Any]) -> bool:
    """Return whether a Subscription has not installed anything yet; only then a pending plan is ours to approve, never an upgrade."""
    return not (subscription.get("status") or {}).get("installedCSV")


def check_plan(subscription: Mapping[str, Any] | None, plan: Mapping[str, Any] | None, starting_csv: str) -> Readiness:
    """Check that OLM has decided what to install: something is installed or being installed, or a plan with only the requested CSV waits for approval."""
    if subscription is None:
        return Readiness(waiting_for=["the Subscription"])
    failures = _failures(subscription)
    if failures.doubts or failures.problems:
        return failures
    if not is_first_installation(subscription):
        return Readiness()
    name = name_of(subscription)
    if plan is None:
        return Readiness(waiting_for=[f"an InstallPlan of Subscription {name}"])
    phase = (plan.get("status") or {}).get("phase")
    if phase == "Failed":
        details = "; ".join(unmet_conditions(plan)) or "no condition"
        return Readiness(problems=[f"InstallPlan {name_of(plan)}: failed ({details}). Remove the cause, delete the Subscription {name} and retry."])
    if not plan_to_approve(subscription, plan):
        return Readiness()
    if not ownership.is_ours(subscription):
        return Readiness(waiting_for=[f"the approval of InstallPlan {name_of(plan)}, whose Subscription {name} is not managed by this collection"])
    requested = starting_csv or (subscription.get("status") or {}).get("currentCSV") or ""
    planned = list((plan.get("spec") or {}).get("clusterServiceVersionNames") or [])
    if planned != [requested]:
        return Readiness(
            problems=[
                f"InstallPlan {name_of(plan)}: plan for {', '.join(planned) or 'nothing'}, not only {requested}. "
                "Approve it manually if that is intended, or set opendatahub_operator_namespace to a namespace of its own."
            ]
        )
    return Readiness()


def check_installation(
    subscription: Mapping[str, Any] | None,
    plan: Mapping[str, Any] | None,
    csvs: Iterable[Mapping[str, Any]],
    deployments: Mapping[str, Mapping[str, Any] | None],
    starting_csv: str = "",
) -> Readiness:
    """Check that the operator is installed: the CSV that the Subscription names is installed, Succeeded, and its Deployments are Available.

    Without a Subscription the only CSV counts. An upgrade in progress is waited for; one that waits for an approval is not.
    """
    found = {name_of(csv): csv for csv in csvs}
    name = next(iter(found), "")
    waiting: list[str] = []
    if subscription is not None:
        failures = _failures(subscription)
        if failures.problems or failures.doubts:
            return failures
        status = subscription.get("status") or {}
        name, current = status.get("installedCSV") or "", status.get("currentCSV") or ""
        if not name:
            return Readiness(waiting_for=[f"Subscription {name_of(subscription)} to install {current or 'something'} (state {status.get('state') or 'none'})"])
        if starting_csv and is_pinned(subscription) and name != starting_csv:
            remedy = "Correct opendatahub_starting_csv, or remove the operator first."
            return Readiness(problems=[f"Subscription {name_of(subscription)}: installed {name}, not {starting_csv}. {remedy}"])
        if current != name and not plan_to_approve(subscription, plan):
            waiting.append(f"the upgrade from {name} to {current}")
    csv = found.get(name)
    if csv is None:
        return Readiness(waiting_for=[*waiting, f"ClusterServiceVersion {name}"])
    status = csv.get("status") or {}
    phase, reason = status.get("phase") or "none", status.get("reason") or ""
    details = f"ClusterServiceVersion {name}: {phase} ({': '.join(text for text in (reason, status.get('message')) if text) or 'no reason'})"
    if phase == "Failed" and "OperatorGroup" in reason:
        return Readiness(problems=[f"{details}. Keep exactly one OperatorGroup, without targetNamespaces, in namespace {namespace_of(csv)}."])
    if phase == "Failed":
        return Readiness(waiting_for=waiting, doubts=[details])
    if phase != "Succeeded":
        return Readiness(waiting_for=[*waiting, details])
    unavailable = [name for name, deployment in deployments.items() if not is_condition_true(deployment, "Available")]
    return Readiness(waiting_for=[*waiting, *(f"Deployment {name} to be Available" for name in unavailable)])


def is_pinned(subscription: Mapping[str, Any]) -> bool:
    """Return whether OLM keeps a Subscription at its first version: automatic approval would upgrade past it."""
    return (subscription.get("spec") or {}).get("installPlanApproval") == "Manual"


def _failures(subscription: Mapping[str, Any]) -> Readiness:
    """Return the failures among the conditions of a Subscription."""
    bad = [condition for condition in conditions(subscription) if condition.get("status") == "True"]
    subject = f"Subscription {name_of(subscription)}: "
    return Readiness(
        doubts=[subject + condition_text(condition) for condition in bad if condition.get("type") in TEMPORARY],
        problems=[subject + condition_text(condition) for condition in bad if condition.get("type") in PERMANENT],
    )
