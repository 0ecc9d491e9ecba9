"""The JSON Schema of a policy document, for editors. `python -m signet.policy.schema` prints docs/policy.schema.json.

It says less than `parse`: what depends on two keys, or on what an address is, only `parse` knows.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from signet.policy import model, places, presets, sections
from signet.policy.read import MAX_DESCRIPTION_LETTERS

Schema = dict[str, Any]

_SIZE = {
    "description": "Bytes: 2GiB, 128MiB, 1.5GB, 4096.",
    "type": ["string", "integer"],
    "pattern": "^[0-9]+(\\.[0-9]{1,3})? ?(B|[KMGT]iB|[kKMGT]B)?$",
    "minimum": 0,
}
_TIME = {
    "description": "A time: 30s, 15m, 1.5h, 90.",
    "type": ["string", "integer"],
    "pattern": "^[0-9]+(\\.[0-9]{1,3})? ?[smhd]?$",
    "minimum": 0,
}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535, "default": 443}
_PATH = {"type": "string", "pattern": "^/[^%\\\\;?#]*$", "maxLength": places.MAX_GLOB_LETTERS, "default": "/**"}
_FOLDER = {"type": "string", "pattern": "^/"}


def schema() -> Schema:
    """Give the schema as JSON values, draft 2020-12."""
    whole = _object(
        "What an agent may reach, run and use. What is not said is denied.",
        {
            "version": {"const": 1},
            "description": {"type": "string", "maxLength": MAX_DESCRIPTION_LETTERS},
            "presets": _list({"enum": list(presets.names())}, 50),
            "tier": _choice(model.TIERS, "standard"),
            "enforcement": _choice(model.ENFORCEMENTS, "enforce"),
            "landlock": _choice(model.LANDLOCKS, "required"),
            "filesystem": _filesystem(),
            "process": _process(),
            "resources": _resources(),
            "network": _named("Blocks of places and the programs that may use them.", _block(), places.MAX_BLOCKS),
            "commands": _commands(),
            "secrets": _named("Secrets, each lent to one place.", _secret(), places.MAX_SECRETS),
            "apis": _list({"type": "string", "pattern": f"^{places.SLUG.pattern}$"}, places.MAX_APIS),
            "approvals": _approvals(),
        },
        ("version",),
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Signet policy", **whole}


def _filesystem() -> Schema:
    return _object(
        "Folders. Paths are the host's and show at the same place inside.",
        {
            "workspace": _choice(model.WORKSPACES, "read-write"),
            "read_only": _list(_FOLDER, sections.MAX_PATHS),
            "read_write": _list(_FOLDER, sections.MAX_PATHS),
        },
    )


def _process() -> Schema:
    return _object(
        "Bounds of each process.",
        {
            "user": {"const": "agent"},
            "open_files": {"type": "integer", "minimum": 128, "maximum": 65536, "default": 1024},
            "file_bytes": {**_SIZE, "default": "1GiB"},
        },
    )


def _resources() -> Schema:
    return _object(
        "Bounds of the whole sandbox; 0 of memory, cpu, disk and wall is no bound.",
        {
            "memory": {**_SIZE, "default": "2GiB"},
            "cpu": {"type": "number", "minimum": 0, "maximum": 1024, "default": 0},
            "pids": {"type": "integer", "minimum": 16, "maximum": 32768, "default": 256},
            "disk": {**_SIZE, "default": "2GiB"},
            "tmp": {**_SIZE, "default": "128MiB"},
            "wall": {**_TIME, "default": 0},
        },
    )


def _block() -> Schema:
    endpoint = _object(
        "A place. With neither access nor rules, all that deny lets pass.",
        {
            "host": {"type": "string", "description": "A name, *.name for its direct children, *, or an address."},
            "port": _PORT,
            "access": {"enum": list(model.ACCESSES)},
            "tls": _choice(model.TLS_MODES, "auto"),
            "rules": _list(_rule(), places.MAX_RULES),
            "deny": _list(_rule(), places.MAX_RULES),
            "allowed_ips": _list({"type": "string"}, places.MAX_IPS),
        },
        ("host",),
    )
    fields = {
        "endpoints": {"type": "array", "items": endpoint, "maxItems": places.MAX_ENDPOINTS},
        "binaries": {**_list(_FOLDER, places.MAX_BINARIES), "minItems": 1},
    }
    return _object("Endpoints and who may use them.", fields, ("endpoints",))


def _rule() -> Schema:
    method = {"type": "string", "pattern": f"^({places.METHOD.pattern})$", "default": "*"}
    return _object("Requests by method and path.", {"method": method, "path": _PATH})


def _commands() -> Schema:
    globs = _list({"type": "string", "minLength": 1, "maxLength": sections.MAX_PATTERN_LETTERS}, sections.MAX_PATTERNS)
    return _object(
        "Globs over command lines: deny wins, then ask, then allow, then default.",
        {"default": _choice(model.COMMAND_VERDICTS, "allow"), "allow": globs, "deny": globs, "ask": globs},
    )


def _secret() -> Schema:
    return _object(
        "A secret of the router's, lent to one host, port and path.",
        {
            "secret": {"type": "string", "pattern": f"^{places.SLUG.pattern}$"},
            "env": {"type": "string", "pattern": f"^{places.ENV.pattern}$"},
            "host": {"type": "string"},
            "port": _PORT,
            "path": _PATH,
            "header": {"type": "string", "default": "authorization"},
        },
        ("secret", "env", "host"),
    )


def _approvals() -> Schema:
    return _object(
        "What becomes a question to a person.",
        {
            "network": _choice(model.NETWORK_ASKS, "off"),
            "wait": {**_TIME, "default": "10m"},
            "hold": {**_TIME, "default": 0},
        },
    )


def _object(description: str, properties: Mapping[str, Any], required: Sequence[str] = ()) -> Schema:
    known = {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**known, "required": list(required)} if required else known


def _named(description: str, value: Schema, most: int) -> Schema:
    names = {"pattern": f"^{places.NAME.pattern}$"}
    return {"description": description, "type": "object", "propertyNames": names, "additionalProperties": value,
            "maxProperties": most}  # fmt: skip


def _list(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most, "uniqueItems": True}


def _choice(words: Sequence[str], default: str) -> Schema:
    return {"enum": list(words), "default": default}


def text() -> str:
    """Give the schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
