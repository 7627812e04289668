# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up of AWX as far as it can be checked without one: modules take what they are given, names lead somewhere, surveys ask for inputs that exist."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import jinja2.sandbox
import pytest
from setups import ROLE, ROOT, TOOLS, described, load, play, tasks

DATA = described()
KINDS = load(ROLE / "vars" / "main.yml")["__awx_kinds"]
CALLS = [
    (task["name"], task["action"].removeprefix("{{ awx_collection }}."), task["args"]) for task in tasks() if "{{ awx_collection }}." in task.get("action", "")
]
FIXED = [pytest.param(module, args, id=name) for name, module, args in CALLS if "{{" not in module]
QUESTIONS = {question["variable"]: question for question in DATA["survey_questions"]}
SURVEYS = [pytest.param(owner["survey"], id=owner["name"].partition("}} ")[2]) for kind in ("job_templates", "workflow_job_templates") for owner in DATA[kind]]
NODES = {node["identifier"]: node for workflow in DATA["workflow_job_templates"] for node in workflow["nodes"]}
LINKS = ("success", "failure", "always")
each_question = pytest.mark.parametrize("question", [pytest.param(question, id=name) for name, question in QUESTIONS.items()])


@pytest.fixture(scope="module")
def modules() -> dict[str, dict[str, Any]]:
    """The documented options of every module that the role calls, by its short name."""
    names = sorted({module for _name, module, _args in CALLS if "{{" not in module} | {kind["module"] for kind in KINDS})
    shown = subprocess.run(
        [str(TOOLS / "ansible-doc"), "--json", *(f"awx.awx.{name}" for name in names)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    documents = json.loads(shown.stdout)
    return {name: documents[f"awx.awx.{name}"]["doc"]["options"] for name in names}


def inputs() -> dict[str, dict[str, Any]]:
    """Return the spec of every variable that a user may set: those of roles, and the short names that reach them."""
    specs = {}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        options = {name: spec for entry in load(path)["argument_specs"].values() for name, spec in (entry.get("options") or {}).items()}
        specs.update(options)
        for name, default in load(path.parents[1] / "defaults" / "main.yml").items():
            short = re.match(r"^\{\{\s*\(?\s*([a-z][a-z0-9_]*)\s*\|\s*default\(", default) if isinstance(default, str) else None
            if short:
                specs.setdefault(short[1], options[name])
    return specs


def test_there_is_something_to_check() -> None:
    assert len(FIXED) >= 10
    assert DATA["job_templates"]
    assert QUESTIONS
    assert NODES


@pytest.mark.parametrize(("module", "args"), FIXED)
def test_modules_take_what_they_are_given(modules: dict[str, dict[str, Any]], module: str, args: dict[str, Any]) -> None:
    assert sorted(set(args) - set(modules[module])) == []
    assert [name for name, option in modules[module].items() if option.get("required") and name not in args] == []


@pytest.mark.parametrize(("module", "args"), FIXED)
def test_fixed_values_are_among_the_choices(modules: dict[str, dict[str, Any]], module: str, args: dict[str, Any]) -> None:
    wrong = {name: value for name, value in args.items() if isinstance(value, str) and "{{" not in value and modules[module][name].get("choices")}
    assert {name: value for name, value in wrong.items() if value not in modules[module][name]["choices"]} == {}


def test_removed_objects_have_the_names_that_their_module_expects(modules: dict[str, dict[str, Any]]) -> None:
    """One task removes every kind: its arguments are taken by each, or left out for it."""
    ((_name, _module, args),) = [call for call in CALLS if "{{" in call[1]]
    always = {"name", "state"}
    for kind in [kind for kind in KINDS if "goes_with" not in kind]:
        given = always | ({"organization"} if kind["where"] else set()) | ({"credential_type"} if kind["module"] == "credential" else set())
        assert given <= set(modules[kind["module"]])
        assert {name for name, option in modules[kind["module"]].items() if option.get("required")} <= given
    assert set(args) == {"name", "state", "organization", "credential_type"}


def test_teardown_covers_every_kind_that_is_created() -> None:
    made = {module for _name, module, _args in CALLS if "{{" not in module} - {"project_update", "workflow_job_template_node"}
    assert made == {kind["module"] for kind in KINDS}
    removed = {kind["module"] for kind in KINDS if "goes_with" not in kind}
    assert [kind for kind in KINDS if kind.get("goes_with", kind["module"]) not in removed] == []


def test_every_object_carries_the_mark() -> None:
    unmarked = [
        name
        for name, module, args in CALLS
        if "description" not in args and module not in ("project_update", "workflow_job_template_node") and "{{" not in module
    ]
    assert unmarked == []
    assert [name for name, _module, args in CALLS if "description" in args and "__awx_mark" not in args["description"]] == []


def test_every_name_begins_with_the_prefix() -> None:
    names = [entry["name"] for kind in KINDS for entry in DATA.get(kind["objects"], [])]
    assert names
    assert [name for name in names if not name.startswith("{{ awx_prefix }}")] == []


def test_no_variable_is_one_that_awx_sets_for_its_jobs() -> None:
    """AWX hands every job awx_job_id, awx_project_scm_branch and more; the set-up may run in a job."""
    given = re.compile(
        r"^awx_(job_(id|name|template|launch)|project_(revision|scm_branch)|inventory_(id|name)|user|schedule_(id|name)|workflow_job|parent_job|webhook|execution_node)"
    )
    assert [name for name in load(ROLE / "defaults" / "main.yml") if given.match(name)] == []


@each_question
def test_questions_ask_for_inputs_that_exist(question: dict[str, Any]) -> None:
    assert question["variable"] in inputs()


@each_question
def test_questions_leave_the_decision_to_the_inventory(question: dict[str, Any]) -> None:
    """A default would be handed on as an extra variable, which wins over the inventory; so would an answer that has to be given."""
    assert question["required"] is False
    assert "default" not in question


@each_question
def test_choices_are_those_of_the_input(question: dict[str, Any]) -> None:
    files = dict.fromkeys(("test_matrix_preset", "comparison_preset"), "files/matrices/*.yml") | {"metrics_profile": "files/metrics_profiles/*.yml"}
    spec = inputs()[question["variable"]]
    if question["variable"] in files:
        allowed = {path.stem for path in ROOT.glob(files[question["variable"]])} | ({"none"} if question["variable"] == "metrics_profile" else set())
        # A search has a template of its own.
        assert set(question["choices"]) == allowed - {"capacity"}
    elif spec["type"] == "bool":
        assert set(question["choices"]) == {"true", "false"}
    elif spec.get("choices"):
        assert question["type"] == "multiplechoice"
        assert set(question["choices"]) == set(spec["choices"]) - {""}
    else:
        assert question["type"] in ("text", "integer", "float")


@each_question
def test_every_question_is_used_by_a_survey(question: dict[str, Any]) -> None:
    assert [survey for param in SURVEYS for survey in param.values if question["variable"] in survey]


@pytest.mark.parametrize("survey", SURVEYS)
def test_surveys_ask_questions_that_exist(survey: list[str]) -> None:
    assert sorted(set(survey) - set(QUESTIONS)) == []
    assert len(set(survey)) == len(survey)


@pytest.mark.parametrize("template", [pytest.param(entry, id=entry["playbook"]) for entry in DATA["job_templates"]])
def test_playbooks_exist(template: dict[str, Any]) -> None:
    assert (ROOT / template["playbook"]).is_file()


@pytest.mark.parametrize("name", ["inventories/" + entry["environment"] for entry in DATA["inventories"]])
def test_inventories_exist(name: str) -> None:
    assert (ROOT / name / "hosts.yml").is_file()


def test_nodes_and_schedules_run_templates_that_exist() -> None:
    templates = {entry["name"] for entry in DATA["job_templates"]}
    assert [node["identifier"] for node in NODES.values() if ("approval" in node) == (node.get("job_template") in templates)] == []
    assert [entry["name"] for entry in DATA["schedules"] if entry["unified_job_template"] not in templates] == []


def test_nodes_come_before_those_that_follow_them() -> None:
    """Nodes are created from the end, and a node names its followers; so there is no cycle either."""
    order = list(NODES)
    assert [(name, link) for name, node in NODES.items() for kind in LINKS for link in node.get(kind, []) if order.index(link) <= order.index(name)] == []


def test_the_workflow_fails_exactly_with_the_run() -> None:
    """AWX calls a workflow failed only if a failed node has nothing after it that would handle this."""
    assert not any(NODES[name].get(kind) for name in ("verdict", "verdict_of_what_is_kept") for kind in LINKS)
    # Whatever failed, the verdict fails the workflow and an approval to tear down is requested.
    assert [NODES[name]["failure"] for name in ("deploy", "run_matrix")] == [["diagnose"], ["diagnose"]]
    assert (NODES["diagnose"]["always"], NODES["report_failure"]["always"]) == (["report_failure"], ["verdict", "approve_teardown"])
    assert NODES["report"] == {"identifier": "report", "job_template": "{{ awx_prefix }} report", "success": ["verdict", "approve_teardown"]}


def test_nothing_is_torn_down_unasked() -> None:
    assert [name for name, node in NODES.items() for kind in LINKS if "teardown" in node.get(kind, [])] == ["approve_teardown"]
    assert "approval" in NODES["approve_teardown"]
    # A denial must not fail the workflow of a good run, nor hide a bad one.
    assert NODES["approve_teardown"]["failure"] == ["verdict_of_what_is_kept"]


def test_schedule_and_notification_are_off() -> None:
    ((_name, _module, args),) = [call for call in CALLS if call[1] == "schedule"]
    assert args["enabled"].endswith("else false }}")
    assert load(ROLE / "defaults" / "main.yml")["awx_notify"] == []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The credential type and the credentials as Ansible hands them to AWX."""
    directory = tmp_path_factory.mktemp("filled")
    (directory / "authority.crt").write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    (directory / "play.yml").write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars_files": [str(ROLE / "vars" / "main.yml"), *(str(ROOT / "files" / "awx" / f"credential{part}.yml") for part in ("s", "_types"))],
                    "vars": {"awx_prefix": "p", "awx_cluster_credential": "", "awx_environments": ["openshift"]},
                    "tasks": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ {'types': credential_types, 'credentials': credentials} | to_json }}",
                                "dest": str(directory / "filled.json"),
                            }
                        }
                    ],
                }
            ]
        ),
        encoding="utf-8",
    )
    result = play(
        directory / "play.yml",
        MLFLOW_TOKEN="canary-mlflow",
        K8S_AUTH_HOST="https://cluster:6443",
        K8S_AUTH_API_KEY="canary-cluster",
        K8S_AUTH_SSL_CA_CERT=str(directory / "authority.crt"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((directory / "filled.json").read_text(encoding="utf-8"))


def test_credentials_have_the_fields_of_their_type(filled: dict[str, Any]) -> None:
    fields = {field["id"] for field in filled["types"][0]["inputs"]["fields"]}
    access, cluster = filled["credentials"]
    assert access["credential_type"] == filled["types"][0]["name"]
    assert set(access["inputs"]) == fields
    assert access["inputs"]["mlflow_token"] == "canary-mlflow"
    assert cluster["inputs"]["verify_ssl"] is True
    assert cluster["inputs"]["ssl_ca_cert"].startswith("-----BEGIN")
    assert [problem["says"] for problem in cluster["refusals"] if problem["holds"]] == []
    assert [problem["says"] for problem in access["refusals"] if problem["holds"]] == ["MLFLOW_URL: is not set, but MLFLOW_TOKEN is. Give both or none."]


def test_secrets_are_secret() -> None:
    secret = {field["id"] for field in DATA["credential_types"][0]["inputs"]["fields"] if field.get("secret")}
    assert secret == {"mlflow_token", "prometheus_token", "s3_secret_key", "upload_token", "opensearch_password"}


@pytest.mark.parametrize(
    ("token", "expected"), [pytest.param("canary", "/runner/env/file", id="with a token"), pytest.param("", "", id="without: no file is named")]
)
def test_jobs_get_the_environment_that_roles_read(filled: dict[str, Any], token: str, expected: str) -> None:
    """The templates are rendered as AWX does it, in Jinja's sandbox."""
    injectors = filled["types"][0]["injectors"]
    values = {field["id"]: f"value of {field['id']}" for field in filled["types"][0]["inputs"]["fields"]} | {"prometheus_token": token}
    tower = {"filename": {"prometheus_token": "/runner/env/file"}}
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    found = {name: environment.from_string(text).render(tower=tower, **values) for name, text in injectors["env"].items()}
    assert found["PROMETHEUS_TOKEN_FILE"] == expected
    assert found["MLFLOW_TOKEN"] == "value of mlflow_token"
    assert environment.from_string(injectors["file"]["template.prometheus_token"]).render(**values) == token
    sources = "".join(
        path.read_text(encoding="utf-8") for pattern in ("roles/*/defaults/*.yml", "plugins/module_utils/publish/*.py") for path in ROOT.glob(pattern)
    )
    assert [name for name in found if name not in sources] == []
