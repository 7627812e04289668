# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge the part of one role into target.json."""

from __future__ import annotations

DOCUMENTATION = r"""
module: target_record
version_added: 0.1.0
short_description: Merge a part into the target.json of a run
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Every environment role describes what it deployed by merging its part into C(target.json), which is the only source of later stages about the environment.
  - The merged document is validated against its JSON Schema and written atomically with a checksum of itself. Dictionaries are merged one level deep,
    other values replaced.
attributes:
  check_mode:
    description: Can run in check mode and reports what it would change.
    support: full
options:
  path:
    description: The C(target.json) of the run.
    type: path
    required: true
  part:
    description: The top-level keys to merge.
    type: dict
    required: true
  part_file:
    description: A file in which O(part) is kept too, alone, so that a later run can merge it again.
    type: path
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Record the generator
  perfscale.mlflow.target_record:
    path: /results/run-1/target.json
    schema_directory: /collection/files/schemas
    part:
      generator:
        kind: process
        binary: /usr/bin/k6
"""

RETURN = r"""
target:
  description: The whole document after the merge.
  returned: success
  type: dict
"""

import traceback
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM, FileWriteError, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import user_information_in
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import SCHEMA_VERSION, read_record, validate_record, write_record

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = None


def merge(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the part merged in, dictionaries one level deep."""
    merged = {**{key: value for key, value in document.items() if key != CHECKSUM}, "schema_version": SCHEMA_VERSION}
    for key, value in part.items():
        is_both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if is_both else value
    return merged


def without_user_information(document: dict[str, Any]) -> None:
    """Raise ValueError for a document with a URL that holds user information: the record is published."""
    for field in user_information_in(document):
        raise ValueError(f"Field {field} of target.json: user information in its URL. Give user and password in a file, and the URL without them.")


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    module = create_module(
        argument_spec={
            "path": {"type": "path", "required": True},
            "part": {"type": "dict", "required": True},
            "part_file": {"type": "path"},
            "schema_directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("jsonschema"), exception=MISSING)
    path = Path(module.params["path"])
    try:
        before = read_record(path, "target", module.params["schema_directory"]) if path.exists() else {}
        after = merge(before, module.params["part"])
        without_user_information(after)
        changed = {**before, CHECKSUM: ""} != {**after, CHECKSUM: ""}
        validate_record(after, "target", module.params["schema_directory"])
        if module.params["part_file"] and not module.check_mode:
            write_json(module.params["part_file"], module.params["part"])
        if changed and not module.check_mode:
            write_record(path, after, "target", module.params["schema_directory"])
    except (FileWriteError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, target=after)


if __name__ == "__main__":
    main()
