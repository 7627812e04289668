#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start or stop one detached process of this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_process
version_added: 0.1.0
short_description: Start or stop a detached process of this machine
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Starts a process that outlives Ansible. Its parent is a small watcher that records how it ended.
  - A process is identified by its pid and its start time, so another process with the same pid is never mistaken for it.
  - The process gets a clean environment (C(PATH), locale and the like, and O(env)), no input, and no open files of Ansible.
options:
  name:
    description: Name of the process; its files in O(state_dir) are named after it.
    type: str
    required: true
  state:
    description:
      - V(started) starts the process unless it already runs with the same command; one that runs with another command is stopped first.
      - V(restarted) stops and starts it.
      - V(stopped) stops it together with its child processes.
    type: str
    choices: [started, restarted, stopped]
    default: started
  argv:
    description:
      - The command, one argument per item; no shell is involved.
      - Every user of this machine can read it, so it must not hold a secret.
    type: list
    elements: str
    default: []
  env:
    description:
      - Environment variables for the process, in addition to the few that it inherits.
      - Must not hold a secret.
    type: dict
    default: {}
  chdir:
    description: Working directory of the process; O(state_dir) by default.
    type: path
  state_dir:
    description: Directory of the handle C(<name>.json) and the exit record C(<name>.exit.json).
    type: path
    required: true
  log_file:
    description: Where output and errors are appended; C(<name>.log) in O(state_dir) by default.
    type: path
  user:
    description: An unprivileged user to run as; requires root.
    type: str
  nice:
    description: How much lower than that of the caller the priority of the process is, as with nice(1).
    type: int
    default: 0
  files:
    description:
      - Files that the process reads. They are written before it starts, with mode 0644, and their directories are created.
      - A process that runs is restarted when one of them changes. They must not hold a secret.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file is.
        type: path
        required: true
      content:
        description: The text of the file.
        type: str
        required: true
  free_port:
    description:
      - Choose a free port of the loopback address, substitute it for C({port}) in O(argv), O(env) and O(ready.url), and wait until the process listens there.
      - The port of the last start is reused when it is free. If another process takes the port first, the next one is tried.
    type: bool
    default: false
  ready:
    description: When the process counts as ready; without it, at once.
    type: dict
    suboptions:
      url:
        description: This URL responds with 200.
        type: str
      port:
        description: This port of the loopback address accepts connections.
        type: int
      timeout_s:
        description: Limit in seconds; a process that is not ready by then is stopped.
        type: float
        default: 60
  wait:
    description:
      - Whether to wait until the process is ready. Without, it is only started, so that others can be started meanwhile.
      - A later task with the same options waits for it, and starts it again if it has ended.
    type: bool
    default: true
  stop_signal:
    description: The signal that asks the process to end.
    type: str
    choices: [TERM, INT, QUIT]
    default: TERM
  stop_timeout_s:
    description: Seconds after which processes that have not ended are killed.
    type: float
    default: 20
requirements:
  - psutil
attributes:
  check_mode:
    description: Can run in check mode and returns what would change; starts and stops nothing.
    support: full
"""

EXAMPLES = r"""
- name: Start a web server on a free port
  perfscale.mlflow.local_process:
    name: web
    state_dir: /var/tmp/demo
    argv: [python3, -m, http.server, --bind, 127.0.0.1, "{port}"]
    free_port: true
    ready:
      url: http://127.0.0.1:{port}/
      timeout_s: 10
  register: web

- name: Start Prometheus with this configuration
  perfscale.mlflow.local_process:
    name: prometheus
    state_dir: /var/tmp/demo
    argv: [prometheus, --config.file=/var/tmp/demo/prometheus.yml]
    files:
      - path: /var/tmp/demo/prometheus.yml
        content: "{{ lookup('ansible.builtin.template', 'prometheus.yml.j2') }}"

- name: Stop the web server
  perfscale.mlflow.local_process:
    name: web
    state_dir: /var/tmp/demo
    state: stopped
"""

RETURN = r"""
process:
  description: The current state of the process.
  returned: always
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    pid:
      description: Its pid, null if it was never started.
      type: int
    start_time:
      description: When it started, in epoch seconds.
      type: float
    port:
      description: The port chosen by O(free_port), else null.
      type: int
    running:
      description: Whether it runs.
      type: bool
    handle_file:
      description: File with pid, start time and command.
      type: str
    log_file:
      description: Its log.
      type: str
    exit_file:
      description: File that appears when it ends.
      type: str
    exit:
      description: How it ended (exit_code, signal, started, ended, cpu_seconds, max_rss_bytes), null while it runs or when its end was not recorded.
      type: dict
"""

import signal
import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess, ProcessError

try:
    import psutil

    HAS_PSUTIL = bool(psutil)
    PSUTIL_ERROR = None
except ImportError:
    HAS_PSUTIL = False
    PSUTIL_ERROR = traceback.format_exc()


def argument_spec():
    """Return the module's arguments."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["started", "restarted", "stopped"], "default": "started"},
        "argv": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "chdir": {"type": "path"},
        "state_dir": {"type": "path", "required": True},
        "log_file": {"type": "path"},
        "user": {"type": "str"},
        "nice": {"type": "int", "default": 0},
        "files": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}},
        },
        "free_port": {"type": "bool", "default": False},
        "ready": {"type": "dict", "options": {"url": {"type": "str"}, "port": {"type": "int"}, "timeout_s": {"type": "float", "default": 60}}},
        "wait": {"type": "bool", "default": True},
        "stop_signal": {"type": "str", "choices": ["TERM", "INT", "QUIT"], "default": "TERM"},
        "stop_timeout_s": {"type": "float", "default": 20},
    }


def outdated(files):
    """Return those of the files, each with path and content, that are absent or have another content."""
    return [file for file in files if not (path := Path(file["path"])).is_file() or path.read_bytes() != file["content"].encode("utf-8")]


def apply(process, params):
    """Bring the process into the requested state and return whether something changed. Raises ProcessError and FileWriteError."""
    number = signal.Signals[f"SIG{params['stop_signal']}"]
    files = outdated(params["files"]) if params["state"] != "stopped" else []
    changed = process.stop(params["stop_timeout_s"], number) if files or params["state"] != "started" else False
    for file in files:
        write_text(file["path"], file["content"], 0o644)
    if params["state"] != "stopped":
        changed = process.start(params["ready"], params["stop_timeout_s"], number, is_awaited=params["wait"]) or changed
    return changed


def predict(process, params):
    """Return whether `apply` would change something."""
    return {"started": not process.current() or bool(outdated(params["files"])), "restarted": True, "stopped": process.running()}[params["state"]]


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_if=[("state", "started", ["argv"]), ("state", "restarted", ["argv"])],
    )
    if not HAS_PSUTIL:
        module.fail_json(msg=missing_required_lib("psutil"), exception=PSUTIL_ERROR)
    params = module.params
    command = {key: params[key] for key in ("argv", "chdir", "user")}
    # Left out where it is none, so that processes of earlier versions count as started by the same command.
    command |= {"nice": params["nice"]} if params["nice"] else {}
    command["env"] = {key: str(value) for key, value in params["env"].items()}
    process = DetachedProcess(params["name"], params["state_dir"], command, params["log_file"], params["free_port"])
    try:
        changed = predict(process, params) if module.check_mode else apply(process, params)
    except (FileWriteError, ProcessError) as error:
        module.fail_json(msg=str(error), process=process.describe())
    module.exit_json(changed=changed, process=process.describe())


if __name__ == "__main__":
    main()
