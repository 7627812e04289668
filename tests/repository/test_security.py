# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security of the repository: no credentials in it, TLS verified by default, tokens that end soon after their cell, permissions without wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from checkout import ROOT, files, load_yaml, relative

# Whatever turns the verification of certificates off in a language or library of ours: where it stands, and the option that has to be set for it.
TLS_OPT_OUT = re.compile(
    r"CERT_NONE|verify=False|\"?verify_certs\"?[:=] ?False|_create_unverified_context|check_hostname *= *False|insecureSkipTLSVerify|insecure-skip-tls-verify"
    r"|disable_warnings|--insecure\b|\bcurl\b.* -k\b|sslmode=(?:require|allow|prefer)|NODE_TLS_REJECT_UNAUTHORIZED|verify_ssl *= *False"
)
TLS_OPT_OUTS = {
    "files/k6/mlflow_prefill_tenants.js": ["insecureSkipTLSVerify: !settings.mlflow.tls_verify"],
    "files/k6/mlflow_scale_test.js": ["insecureSkipTLSVerify: !settings.mlflow.tls_verify"],
    "plugins/module_utils/common/http_client.py": ["if validate_certs else {", "disable_warnings"],
}
# Inputs and options that decide about it; one that follows from another is no default.
TLS_OPTION = re.compile(r"(?:validate_certs|tls_verify|verify_ssl)$")
TLS_DEFAULT = re.compile(r"\"?(validate_certs|verify_ssl|tls_verify)\"?(?:: bool = |: \{\"type\": \"bool\", \"default\": |: )(True|False)")
# How long a token lives: the cell and a quarter of an hour, or, of what reads metrics only, an hour.
TOKEN_SECONDS = {"workspaces_token_s", "monitoring_token_lifetime_s", "preflight_token_s"}
CELL_MARGIN_S = 900
# Kinds of which tests may hold fakes; tokens that a service would have issued, and keys, are put together at run time.
FAKE_KINDS = re.compile(r"a (password|token|bearer token|password of a command|cookie) in a |a URI with a password|a password of a command")


def test_the_repository_has_no_credentials() -> None:
    scanner = Scanner()
    found = {relative(path): [str(finding) for finding in scanner.findings(path)] for path in files("**/*")}
    assert len(found) > 400
    ours = {path: findings for path, findings in found.items() if findings and not path.startswith("tests/")}
    assert ours == {}
    assert any(path.startswith("tests/") and findings for path, findings in found.items())
    of_tests = {path: [finding for finding in findings if not FAKE_KINDS.match(finding)] for path, findings in found.items()}
    assert {path: findings for path, findings in of_tests.items() if findings} == {}


def test_tls_is_turned_off_in_listed_places_only() -> None:
    found: dict[str, list[str]] = {}
    for path in files("plugins/**/*", "roles/**/*", "files/**/*", "playbooks/**/*", "inventories/**/*", "Makefile", ".ci/run"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if TLS_OPT_OUT.search(line)]
        if lines:
            found[relative(path)] = lines
    assert set(found) == set(TLS_OPT_OUTS)
    for path, lines in found.items():
        assert all(option in line for line, option in zip(lines, TLS_OPT_OUTS[path], strict=True)), lines


def options() -> Iterator[tuple[str, Any]]:
    """Yield the name and the default of each input of a role and each option of a module or sink that decides about TLS."""
    for path in files("roles/*/defaults/main.yml"):
        yield from ((f"{relative(path)}: {name}", value) for name, value in load_yaml(path).items() if TLS_OPTION.search(name))
    for path in files("plugins/**/*.py"):
        yield from ((f"{relative(path)}: {name}", default == "True") for name, default in TLS_DEFAULT.findall(text_of(path)))


def text_of(path: Any) -> str:
    """Return the text of a file."""
    return str(path.read_text(encoding="utf-8"))


def test_tls_is_verified_by_default() -> None:
    found = dict(options())
    assert len(found) > 10
    assert {name: value for name, value in found.items() if value is not True and not (isinstance(value, str) and "default(true)" in value)} == {}


def test_lifetimes_of_tokens_are_listed() -> None:
    """A token whose lifetime is decided in another place would be none that the next tests are about."""
    found = set()
    for path in files("roles/*/tasks/**/*.yml"):
        text = text_of(path)
        if "service_account_token:" in text or "token_seconds" in text or "seconds: \"{{ preflight" in text:
            found |= set(re.findall(r"^\s+seconds: \"\{\{ (\w+)", text, re.MULTILINE))
    assert found == TOKEN_SECONDS
    assert load_yaml(ROOT / "roles/monitoring/defaults/main.yml")["monitoring_token_lifetime_s"] <= 3600


@pytest.mark.parametrize("fills", [True, False], ids=["with a prefill", "without"])
@pytest.mark.parametrize(("warmup", "duration", "tail"), [(0, 30, 5), (5.5, 3600, 30), (60, 36000, 90.25)])
def test_the_token_of_a_cell_ends_a_quarter_of_an_hour_after_it_at_most(fills: bool, warmup: float, duration: float, tail: float) -> None:
    expression = load_yaml(ROOT / "roles/test_cell/vars/main.yml")["__test_cell_busy_s"]
    spec = {"warmup_s": warmup, "duration_s": duration, "load": {"tail_limit_s": tail}}
    prefill = load_yaml(ROOT / "roles/test_cell/defaults/main.yml")["test_cell_prefill_limit_s"]
    seconds = jinja2.Environment(autoescape=False).from_string(expression).render(  # noqa: S701 - a number
        test_cell_spec=spec, test_cell_prefill_limit_s=prefill, __test_cell_fills=fills
    )
    longest_cell = warmup + duration + tail + (prefill if fills else 0)
    assert longest_cell <= int(seconds) <= longest_cell + CELL_MARGIN_S + 1
    tasks = yaml.safe_load(text_of(ROOT / "roles/test_cell/tasks/prepare.yml"))
    assert [task["vars"]["workspaces_token_s"] for task in tasks if "workspaces_token_s" in task.get("vars", {})] == ["{{ __test_cell_busy_s }}"]


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each rule of the RBAC file with the part it belongs to and, of a Role, its place."""
    for item in load_yaml(ROOT / "files/kubernetes/rbac.yml")["items"]:
        notes = item["metadata"].get("annotations", {})
        for rule in item.get("rules") or []:
            yield f"{notes['perfscale.mlflow/part']}/{notes.get('perfscale.mlflow/place', 'cluster')}", rule


def test_no_permission_has_a_wildcard_but_the_list_of_teardown() -> None:
    wild = [(part, rule) for part, rule in rules() if "*" in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]]
    assert wild == [("teardown/cluster", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["list"]})]
    assert [part for part, rule in rules() if {"escalate", "impersonate"} & set(rule["verbs"]) or "nodes/proxy" in rule["resources"]] == []


def test_commands_run_in_pods_of_the_generator_only() -> None:
    assert {part for part, rule in rules() if "pods/exec" in rule["resources"]} == {"generator/generator"}


def test_roles_are_bound_by_name_and_never_an_administrators() -> None:
    bindings = [item for item in load_yaml(ROOT / "files/kubernetes/rbac.yml")["items"] if item["kind"].endswith("Binding")]
    assert {item["roleRef"]["name"] for item in bindings} <= {item["metadata"]["name"] for item in bindings}
    granted = re.compile(r"name: *[\"']?(?:cluster-admin|admin|edit)[\"']? *$", re.MULTILINE)
    paths = files("roles/**/*.yml", "roles/**/*.j2", "files/**/*.yml", "playbooks/**/*.yml")
    assert [relative(path) for path in paths if granted.search(text_of(path))] == []
    bound = [rule for _part, rule in rules() if "bind" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in bound] == [["mlflow-operator-mlflow-integration"]]


# CA certificates, which are neither results nor secrets.
PUBLIC_MODES = {
    "roles/monitoring/tasks/openshift.yml": ["0644"],
}


def test_roles_write_private_files_or_leave_the_mode_to_the_umask() -> None:
    found = {relative(path): re.findall(r"^\s+mode: \"?([\w+=,]+)\"?$", text_of(path), re.MULTILINE) for path in files("roles/*/tasks/**/*.yml")}
    public = {path: [mode for mode in modes if mode not in ("0600", "0700", "u+rwx")] for path, modes in found.items()}
    assert {path: modes for path, modes in public.items() if modes} == PUBLIC_MODES
    assert sum(map(len, found.values())) > 10
