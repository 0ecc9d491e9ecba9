"""Policies and their versions as people read them."""

from typing import TYPE_CHECKING, Any

import click

from signet.cli.words import ago, count, dim, ident, local, toned

if TYPE_CHECKING:
    from signet.policy.diff import Change
    from signet.v1.policies_pb2 import EffectivePolicy, Policy, PolicyVersion


def policies(found: "list[Policy]") -> str:
    """Lay out policies."""
    from signet.cli.table import columns

    return columns(
        ("NAME", "VERSION", "AGENTS", "CHANGED", "DESCRIPTION"),
        [
            (
                ident(one.name) + (dim(" (built in)") if one.built_in else ""),
                str(one.version or "none good") + (f" (newest {one.newest_version})" if _split(one) else ""),
                count(one.agents),
                ago(one.update_time),
                one.description,
            )
            for one in found
        ],
        empty="no policy: signet policy apply NAME FILE",
    )


def versions(found: "list[PolicyVersion]") -> str:
    """Lay out versions."""
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("VERSION", "STATE", "LOADED", "APPLIED", "BY", "DETAIL"),
        [
            (
                str(one.version),
                toned(word(one, "state")),
                f"{one.loaded}/{one.sandboxes}" if one.sandboxes else "-",
                local(one.create_time),
                one.caller,
                one.detail,
            )
            for one in found
        ],
    )


def standing(version: "PolicyVersion") -> str:
    """Say how far a version is in force, in one line."""
    from signet.cli.form import word

    where = f" in {version.loaded} of {version.sandboxes} sandboxes" if version.sandboxes else ""
    detail = f": {version.detail}" if version.detail else ""
    again = "; what is static of it needs a new sandbox" if version.needs_new_sandbox else ""
    return f"{version.policy} version {version.version} is {toned(word(version, 'state'))}{where}{detail}{again}"


def changes(lines: "list[str] | tuple[str, ...]") -> str:
    """Colour lines of what changed."""
    tones = {"+": "green", "-": "red"}
    return "\n".join(click.style(f"  {line}", fg=tones.get(line[:1])) for line in lines)


def difference(found: "tuple[Change, ...]") -> str:
    """Lay out what changes from one policy to another."""
    if not found:
        return dim("they allow the same")
    lines = []
    for one in found:
        static = dim("  needs a new sandbox") if one.static else ""
        lines.append(click.style(one.where, bold=True) + static)
        if one.before not in {None, ""}:
            lines.append(click.style(f"  - {one.before}", fg="red"))
        if one.after not in {None, ""}:
            lines.append(click.style(f"  + {one.after}", fg="green"))
    return "\n".join(lines)


def difference_shape(found: "tuple[Change, ...]") -> list[dict[str, Any]]:
    """Give the JSON form of it."""
    return [{"where": one.where, "before": one.before, "after": one.after, "static": one.static} for one in found]


def effective(found: "EffectivePolicy") -> str:
    """Lay out what is in force for an agent."""
    import json

    from signet.cli.grant import table

    head = f"{found.policy} version {found.version}, for {found.agent}"
    document = json.dumps(json.loads(found.document), indent=2, ensure_ascii=False) if found.document else "{}"
    return f"{click.style(head, bold=True)}\n{document}\n\n{table(list(found.grants))}"


def _split(one: "Policy") -> bool:
    return one.newest_version not in {0, one.version}
