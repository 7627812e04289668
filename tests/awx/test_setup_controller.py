# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up on a real AWX: CONTROLLER_HOST and CONTROLLER_OAUTH_TOKEN name it, PERFSCALE_AWX_SCM_URL a repository that it can reach. Skipped without.

Objects are created with a prefix of their own in the organization Default, and removed. Nothing is launched but a synchronization of the project.
"""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from setups import changed, described, output, play

HOST, TOKEN, SCM_URL = (os.environ.get(name, "") for name in ("CONTROLLER_HOST", "CONTROLLER_OAUTH_TOKEN", "PERFSCALE_AWX_SCM_URL"))
ACCESS = {
    "CONTROLLER_HOST": HOST,
    "CONTROLLER_OAUTH_TOKEN": TOKEN,
    "CONTROLLER_VERIFY_SSL": os.environ.get("CONTROLLER_VERIFY_SSL", "true"),
    "K8S_AUTH_HOST": "https://cluster.invalid:6443",
    "K8S_AUTH_API_KEY": "not-a-token",
    "K8S_AUTH_VERIFY_SSL": "false",
}
SETUP, TEARDOWN = "playbooks/awx_setup.yml", "playbooks/awx_teardown.yml"

pytestmark = pytest.mark.skipif(
    not (HOST and TOKEN and SCM_URL), reason="no automation controller: CONTROLLER_HOST, CONTROLLER_OAUTH_TOKEN, PERFSCALE_AWX_SCM_URL"
)


def api(method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    """Ask the controller and return its answer."""
    url = f"{HOST}/api/v2/{path}/?{urllib.parse.urlencode(query)}"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def one(kind: str, name: str) -> dict[str, Any]:
    """Return the object of that name."""
    (found,) = api("GET", kind, name=name)["results"]
    return found


@pytest.fixture(scope="module")
def prefix() -> Iterator[str]:
    """The prefix of all names, with everything set up once."""
    name = f"test-{os.getpid()}"
    variables = {"awx_prefix": name, "awx_scm_url": SCM_URL, "awx_image": "registry.invalid/perfscale/ee:1"}
    result = play(SETUP, variables=variables, **ACCESS)
    try:
        assert result.returncode == 0, output(result)
        assert changed(result) > 0
        yield name
    finally:
        play(TEARDOWN, variables=variables, **ACCESS)


@pytest.fixture(scope="module")
def settings(prefix: str) -> dict[str, str]:
    """The variables of the set-up."""
    return {"awx_prefix": prefix, "awx_scm_url": SCM_URL, "awx_image": "registry.invalid/perfscale/ee:1"}


@pytest.mark.parametrize("arguments", [pytest.param((), id="again"), pytest.param(("--check",), id="in check mode")])
def test_a_second_time_changes_nothing(settings: dict[str, str], arguments: tuple[str, ...]) -> None:
    result = play(SETUP, *arguments, variables=settings, **ACCESS)
    assert result.returncode == 0, output(result)
    assert changed(result) == 0


def test_surveys_are_those_of_the_data(prefix: str) -> None:
    data = described()
    for entry in data["job_templates"]:
        template = one("job_templates", entry["name"].replace("{{ awx_prefix }}", prefix))
        spec = api("GET", f"job_templates/{template['id']}/survey_spec")["spec"]
        assert spec == [question for question in data["survey_questions"] if question["variable"] in entry["survey"]]
        assert template["survey_enabled"]
        assert template["playbook"] == entry["playbook"]


def test_the_workflow_is_that_of_the_data(prefix: str) -> None:
    (workflow,) = described()["workflow_job_templates"]
    template = one("workflow_job_templates", workflow["name"].replace("{{ awx_prefix }}", prefix))
    nodes = {node["id"]: node for node in api("GET", f"workflow_job_templates/{template['id']}/workflow_nodes")["results"]}
    found = {
        node["identifier"]: {kind: sorted(nodes[other]["identifier"] for other in node[f"{kind}_nodes"]) for kind in ("success", "failure", "always")}
        for node in nodes.values()
    }
    assert found == {node["identifier"]: {kind: sorted(node.get(kind, [])) for kind in ("success", "failure", "always")} for node in workflow["nodes"]}


def test_objects_in_awx_are_encrypted_and_disabled(prefix: str) -> None:
    assert one("credentials", f"{prefix} cluster")["inputs"]["bearer_token"] == "$encrypted$"
    assert one("schedules", f"{prefix} weekly")["enabled"] is False
    assert one("schedules", f"{prefix} history nightly")["enabled"] is False


def test_teardown_removes_exactly_the_created_objects(prefix: str, settings: dict[str, str]) -> None:
    """A user's copy with our description, and a user's inventory with one of our names, are not deleted."""
    original = one("job_templates", f"{prefix} report")
    copy = api("POST", f"job_templates/{original['id']}/copy", {"name": f"{prefix} report of mine"})
    theirs = api("POST", "inventories", {"name": f"{prefix} local", "organization": one("organizations", "Default")["id"]})
    try:
        result = play(TEARDOWN, variables=settings | {"awx_environments": ["openshift", "kubernetes", "local"]}, **ACCESS)
        assert result.returncode == 0, output(result)
        assert f"inventory {prefix} local: not managed by this collection, remains." in output(result)
        left = {
            kind: [found["name"] for found in api("GET", kind, name__startswith=prefix)["results"]]
            for kind in ("job_templates", "workflow_job_templates", "inventories", "projects", "credentials", "credential_types", "schedules")
        }
        assert {kind: names for kind, names in left.items() if names} == {"job_templates": [copy["name"]], "inventories": [theirs["name"]]}
        assert api("GET", "notification_templates", name__startswith=prefix)["count"] == 0
        assert api("GET", "execution_environments", name__startswith=prefix)["count"] == 0
    finally:
        api("DELETE", f"job_templates/{copy['id']}")
        api("DELETE", f"inventories/{theirs['id']}")
