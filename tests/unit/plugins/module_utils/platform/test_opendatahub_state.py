# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One reading: the requested objects, and how the operator is found among OLM's objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import read
from fakes.opendatahub_objects import CSV, REQUEST, available, csv, dsc, dsci, named, package, plan, subscription

OLM = "/apis/operators.coreos.com/v1alpha1"
PLACE = "opendatahub-operator-system"
SUBSCRIPTIONS = f"{OLM}/subscriptions"
CSVS = f"{OLM}/clusterserviceversions"
GROUPS = f"/apis/operators.coreos.com/v1/namespaces/{PLACE}/operatorgroups"
PACKAGES = "/apis/packages.operators.coreos.com/v1/namespaces/openshift-marketplace/packagemanifests"
OPERATOR = f"/apis/apps/v1/namespaces/{PLACE}/deployments/opendatahub-operator-controller-manager"


class FakeCluster:
    """Answers from a table of paths: lists are collections, everything else an object; what is not in it does not exist."""

    def __init__(self, objects):
        self.objects = objects
        self.asked = []

    def get(self, path):
        self.asked.append(path)
        return self.objects.get(path)

    def items(self, path, selector=""):
        self.asked.append(path + (f"?{selector}" if selector else ""))
        found = self.objects.get(path)
        if isinstance(found, ClusterError):
            raise found
        if found is None:
            raise ClusterError("not served", 404)
        return found


def inspect(objects, **wanted):
    """Read from a table; return the state and the requests."""
    cluster = FakeCluster(objects)
    return read(cluster, replace(REQUEST, **wanted)), cluster.asked


def test_a_cluster_with_nothing():
    seen, asked = inspect({})
    assert not seen.operator.served
    assert seen.dsci is None
    assert seen.dsc is None
    assert seen.mlflows == []
    assert not any("deployments/opendatahub" in path for path in asked)


def test_an_installed_operator_is_requested_by_name():
    seen, asked = inspect(
        {
            SUBSCRIPTIONS: [named("other", spec={"name": "other"}), subscription(installPlanRef={"name": "install-abc", "namespace": PLACE})],
            f"{OLM}/namespaces/{PLACE}/clusterserviceversions/{CSV}": csv(),
            f"{OLM}/namespaces/{PLACE}/installplans/install-abc": plan(CSV),
            GROUPS: [named("group")],
            OPERATOR: available("opendatahub-operator-controller-manager"),
        }
    )
    assert seen.operator.csvs == [csv()]
    assert seen.operator.install_plan == plan(CSV)
    assert seen.operator.operator_groups == ["group"]
    assert list(seen.operator.deployments) == ["opendatahub-operator-controller-manager"]
    assert not any(path.startswith(CSVS) or "packagemanifests" in path for path in asked)


def test_an_operator_of_another_package_is_found_by_the_kind_it_owns():
    rhods = {**subscription("rhods-operator.v3.5.0", "rhods-operator.v3.5.0"), "spec": {"name": "rhods-operator"}}
    found = [csv("rhods-operator.v3.5.0"), csv("copy.v1", reason="Copied"), named("unrelated.v1")]
    seen, asked = inspect({SUBSCRIPTIONS: [rhods], CSVS: found, GROUPS: []})
    assert seen.operator.csvs == found[:1]
    assert seen.operator.subscription == rhods
    assert seen.operator.namespace == PLACE
    assert f"{CSVS}?!olm.copiedFrom" in asked


@pytest.mark.parametrize("source", ["community-operators", "mirror"])
def test_the_package_of_the_requested_catalog(source):
    mirrored = named("opendatahub-operator", status={"catalogSource": "mirror"})
    offers = {f"{PACKAGES}/opendatahub-operator": package("fast-3"), PACKAGES: [named("other"), mirrored]}
    seen, _asked = inspect({SUBSCRIPTIONS: [], CSVS: [], GROUPS: [], **offers}, source=source)
    assert seen.operator.package["status"]["catalogSource"] == source


def test_olm_is_left_alone_on_request():
    seen, asked = inspect({"/apis/dscinitialization.opendatahub.io/v2/dscinitializations": [dsci(namespace="elsewhere")]}, olm=False)
    assert not any("operators.coreos.com" in path for path in asked)
    assert not seen.operator.served
    assert "/apis/apps/v1/namespaces/elsewhere/deployments/mlflow-operator-controller-manager" in asked


def test_a_forbidden_request_is_not_taken_for_absence():
    with pytest.raises(ClusterError, match="forbidden"):
        inspect({"/apis/datasciencecluster.opendatahub.io/v2/datascienceclusters": ClusterError("forbidden", 403)})


def test_what_is_there_is_read():
    seen, _asked = inspect({"/apis/datasciencecluster.opendatahub.io/v2/datascienceclusters": [dsc()]})
    assert seen.dsc == dsc()
