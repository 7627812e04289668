# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator does once, so that a user with only the permissions of files/kubernetes/rbac.yml can run the suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token
from fake_k6_operator import manifests as k6_manifests
from fake_operator import manifests

NAMESPACE = "opendatahub"
CONTROLLER = "perfscale-mlflow-controller"
USER = f"system:serviceaccount:{NAMESPACE}:{CONTROLLER}"
SHIPPED = yaml.safe_load((Path(__file__).resolve().parents[2] / "files" / "kubernetes" / "rbac.yml").read_text(encoding="utf-8"))["items"]
DAY_S = 86400


def operator(image: str) -> list[dict[str, Any]]:
    """Return the objects of the fake operator, complete: it and MLflow are of one image."""
    found = manifests.objects(NAMESPACE)
    values = {"MLFLOW_IMAGE": image, "SUPPORTED_MLFLOW_VERSION": image.rpartition(":")[2]}
    for manifest in found:
        if manifest["kind"] == "Deployment":
            [container] = manifest["spec"]["template"]["spec"]["containers"]
            container["image"] = image
            container["env"] = [{"name": entry["name"], "value": values[entry["name"]]} if entry["name"] in values else entry for entry in container["env"]]
            container["env"].append({"name": "EXPOSE_METRICS", "value": "true"})
    return found


@contextmanager
def prepared(cluster: Cluster, images: Mapping[str, str], divides: bool = False) -> Iterator[dict[str, str]]:
    """Apply the shipped roles and the operators, that of k6 if loads are divided, and return the environment of a controller with these permissions alone.

    The environment is what an automation controller's credential for Kubernetes injects. All created objects are gone afterwards.
    """
    objects, made = Objects(cluster), []
    wanted = [*SHIPPED, *operator(images["mlflow"]), *(k6_manifests.objects(images["mlflow"]) if divides else [])]
    # The definition comes before what is of its kind; a role before who is bound to it.
    wanted.sort(key=lambda manifest: manifest["kind"] not in ("Namespace", "CustomResourceDefinition"))
    try:
        for manifest in wanted:
            if objects.is_namespaced(manifest["apiVersion"], manifest["kind"]):
                manifest["metadata"].setdefault("namespace", NAMESPACE)
            path = objects.path(manifest)
            if cluster.get(path) is None:
                cluster.request("POST", path.rpartition("/")[0], manifest)
                made.append(manifest)
        token = request_token(cluster, NAMESPACE, CONTROLLER, DAY_S).text
        authority = str(cluster.configuration.ssl_ca_cert)
        yield {"K8S_AUTH_HOST": cluster.host, "K8S_AUTH_API_KEY": token, "K8S_AUTH_SSL_CA_CERT": authority, "K8S_AUTH_VERIFY_SSL": "True"}
    finally:
        for manifest in reversed(made):
            cluster.request("DELETE", objects.path(manifest))
        # Tests that follow create a namespace of the same name.
        assert objects.wait_gone(made) == []
