# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of a module that runs in the process of its task.

Ansible forks a process for each task. In it an ordinary module is packed, given to a new interpreter, and compiled there with all that it imports:
about half a second of CPU, mostly for a few milliseconds of work. A module of this collection runs on the controller anyway, so its code is called in
the process of the task. What it imports costs nothing there: Ansible loads the action plugin of a task, and with it the module, before it forks.
Wherever this is not possible (see `ModuleAction`), the module stays an ordinary one.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as OrdinaryAction


class ModuleEnd(SystemExit):
    """The module ended with a result; like the end of an ordinary one it passes handlers of Exception."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class TaskModule:
    """The part of AnsibleModule that modules of this collection use: validated params, check_mode, warn, exit_json and fail_json."""

    def __init__(
        self, name: str, arguments: Mapping[str, Any], check_mode: bool, *, argument_spec: dict[str, Any], supports_check_mode: bool = False, **rules: Any
    ) -> None:
        """Validate the arguments. `rules` are those of ArgumentSpecValidator, such as required_if."""
        self.check_mode = check_mode
        self._warnings: list[str] = []
        validated = ArgumentSpecValidator(argument_spec, **rules).validate(arguments)
        self.params = validated.validated_parameters
        self._secrets = {*secrets_of(argument_spec, arguments), *secrets_of(argument_spec, self.params)}
        if validated.error_messages:
            is_unknown = isinstance(validated.errors[0], UnsupportedError)
            self.fail_json(msg=f"Unsupported parameters for ({name}) module: {validated.errors.msg}" if is_unknown else validated.errors.msg)
        if check_mode and not supports_check_mode:
            self.exit_json(skipped=True, msg=f"remote module ({name}) does not support check mode")

    def warn(self, warning: str) -> None:
        """Add a warning to the result."""
        self._warnings.append(warning)

    def exit_json(self, **result: Any) -> NoReturn:
        """End the module with a result, in which values of secret options are masked."""
        result["invocation"] = {"module_args": self.params}
        if self._warnings:
            result["warnings"] = list(dict.fromkeys(self._warnings))
        raise ModuleEnd(as_json(remove_values(result, self._secrets)))

    def fail_json(self, msg: str, exception: str | None = None, **result: Any) -> NoReturn:
        """End the module with an error; Ansible shows `exception`, a traceback, where tracebacks of errors are enabled."""
        if exception and {"error", "always"}.intersection(constants.DISPLAY_TRACEBACK):
            result["exception"] = exception
        self.exit_json(failed=True, msg=msg, **result)


class ModuleAction(OrdinaryAction):
    """Runs `module` in the process of the task, or as an ordinary module.

    It is an ordinary one when the task is for another machine, user, interpreter or environment, and when it has to be left alone: in the background
    (async) or at a time limit (timeout), at which threads of this process could not be stopped. A developer who keeps the files of modules
    (ANSIBLE_KEEP_REMOTE_FILES) has them.
    """

    module: ModuleType

    def __init_subclass__(cls) -> None:
        """Keep what has been imported out of garbage collections, which in a process of a task would visit, and so copy, all of it (see gc.freeze)."""
        gc.freeze()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the module."""
        try:
            # Plain values, as an ordinary module gets them: Ansible's own types have tags, which libraries do not know.
            arguments = as_json(self._task.args)
        except (TypeError, ValueError):
            arguments = None
        if arguments is None or not self._is_local(task_vars or {}):
            return super().run(tmp, task_vars)
        result = ActionBase.run(self, tmp, task_vars)
        # As the local connection does it: paths are relative to the playbook.
        with chdir(self._loader.get_basedir()), exit_handlers():
            return {**result, **run_module(self.module.main, partial(TaskModule, self._task.action, arguments, bool(self._task.check_mode)))}

    def _is_local(self, task_vars: Mapping[str, Any]) -> bool:
        """Return whether the module may run in this process."""
        task = self._task
        is_here = self._connection.transport == "local" and self._connection.become is None and not task.delegate_to
        is_plain = not (task.async_val or task.timeout or any(task.environment or ()) or constants.DEFAULT_KEEP_REMOTE_FILES)
        return is_here and is_plain and self._templar.template(task_vars.get("ansible_python_interpreter")) == sys.executable


@contextmanager
def exit_handlers() -> Iterator[None]:
    """Call at the end of the context what was registered in it for the end of the process.

    Ansible ends the process of a task without that (os._exit), and the client of Kubernetes would leave files with certificates and keys. What
    ansible-playbook registered itself is for its own process.
    """
    is_task = multiprocessing.parent_process() is not None
    if is_task:
        atexit._clear()
    try:
        yield
    finally:
        if is_task:
            atexit._run_exitfuncs()


def run_module(main: Callable[..., None], create_module: Callable[..., TaskModule]) -> dict[str, Any]:
    """Return the result with which a module ends. Raises what the module raises, and RuntimeError when it ends without a result.

    What libraries print is dropped, as Ansible drops it for a module that ends with a result; otherwise it would be a warning of the task.
    """
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            main(create_module)
        except ModuleEnd as end:
            return end.result
        except SystemExit as error:
            raise RuntimeError(f"The module ended with {error.code!r} and without a result.") from error
    raise RuntimeError("The module ended without a result.")


def secrets_of(spec: Mapping[str, Any], parameters: Any) -> Iterator[str]:
    """Yield the texts of options with no_log, those of sub-options included."""
    for name, option in spec.items() if isinstance(parameters, Mapping) else ():
        value = parameters.get(name)
        if option.get("no_log"):
            yield from _texts(value)
        elif option.get("options"):
            for part in value if isinstance(value, list) else [value]:
                yield from secrets_of(option["options"], part)


def as_json(value: Any) -> Any:
    """Return a value as it is after its way through JSON. Raises TypeError and ValueError for what JSON has no form for."""
    return json.loads(json.dumps(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None and not isinstance(value, bool) and value != "":
        yield str(value)
