"""A policy in one form: JSON with sorted keys and no spaces, presets resolved, every default written out."""

import hashlib
import json
from typing import Any

from signet.policy.model import Block, Endpoint, Policy, Rule, SecretUse
from signet.policy.node import from_json
from signet.policy.read import read


def dump(policy: Policy) -> str:
    """Write a policy. Two that decide the same way in the same words have the same text."""
    return write(values(policy))


def load(text: str) -> Policy:
    """Read what `dump` wrote, with every check of a document. Raises ValueError."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("the canonical form is nested too deep") from error
    return read(from_json(value), lambda _reader, _node: (), resolved=True)


def digest(policy: Policy) -> str:
    """Give the sha256 of the canonical form, hexadecimal."""
    return hashlib.sha256(dump(policy).encode()).hexdigest()


def write(value: Any) -> str:
    """Write JSON values in the one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def values(policy: Policy) -> dict[str, Any]:
    """Give a policy as JSON values, in the keys and words of a document; amounts are plain bytes and seconds."""
    filesystem, process, resources = policy.filesystem, policy.process, policy.resources
    commands, approvals = policy.commands, policy.approvals
    return {
        "version": policy.version,
        "description": policy.description,
        "tier": policy.tier,
        "enforcement": policy.enforcement,
        "landlock": policy.landlock,
        "filesystem": {
            "workspace": filesystem.workspace,
            "read_only": list(filesystem.read_only),
            "read_write": list(filesystem.read_write),
        },
        "process": {"user": process.user, "open_files": process.open_files, "file_bytes": process.file_bytes},
        "resources": {
            "memory": resources.memory_bytes,
            "cpu": resources.cpu,
            "pids": resources.pids,
            "disk": resources.disk_bytes,
            "tmp": resources.tmp_bytes,
            "wall": resources.wall_seconds,
        },
        "network": {block.name: _block(block) for block in policy.network.blocks},
        "commands": {
            "default": commands.default,
            "allow": list(commands.allow),
            "deny": list(commands.deny),
            "ask": list(commands.ask),
        },
        "secrets": {use.name: _secret(use) for use in policy.secrets},
        "apis": list(policy.apis),
        "approvals": {
            "network": approvals.network,
            "wait": approvals.wait_seconds,
            "hold": approvals.hold_seconds,
        },
    }


def _block(block: Block) -> dict[str, Any]:
    known = {"endpoints": [_endpoint(endpoint) for endpoint in block.endpoints]}
    return {**known, "binaries": list(block.binaries)} if block.binaries else known


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Leave out what was not said: `rules` of none would deny, and `access` has no word for neither."""
    given = {
        "access": endpoint.access,
        "rules": [_rule(rule) for rule in endpoint.rules],
        "deny": [_rule(rule) for rule in endpoint.deny],
        "allowed_ips": list(endpoint.allowed_ips),
    }
    fixed = {"host": endpoint.host, "port": endpoint.port, "tls": endpoint.tls}
    return {**fixed, **{key: value for key, value in given.items() if value}}


def _rule(rule: Rule) -> dict[str, str]:
    return {"method": rule.method, "path": rule.path}


def _secret(use: SecretUse) -> dict[str, Any]:
    return {"secret": use.secret, "env": use.env, "host": use.host, "port": use.port, "path": use.path,
            "header": use.header}  # fmt: skip
