"""A policy out of nodes, whichever language they were written in."""

from collections.abc import Callable

from signet.policy import places, sections
from signet.policy.model import ENFORCEMENTS, LANDLOCKS, TIERS, Block, Policy
from signet.policy.node import Node
from signet.policy.problem import PolicyInvalid
from signet.policy.reader import Reader

KEYS = ("version", "description", "presets", "tier", "enforcement", "landlock", "filesystem", "process", "resources",
        "network", "commands", "secrets", "apis", "approvals")  # fmt: skip
MAX_DESCRIPTION_LETTERS = 200

Resolve = Callable[[Reader, Node | None], tuple[Block, ...]]


def read(root: Node, resolve: Resolve, *, resolved: bool = False) -> Policy:
    """Read a policy; `resolve` gives the blocks of the presets it names. Raises PolicyInvalid."""
    reader = Reader()
    if root.pairs is None:
        reader.problem(root, "", f"must be a mapping that begins with `version: 1`, not {root.shown}")
        raise PolicyInvalid(reader.problems)
    found, default = reader.fields(root, "", KEYS), Policy()
    reader.required(found, root, "", ("version",))
    version = reader.whole(found.get("version"), "version", default.version, 1, 1)
    network = places.network(
        reader, found.get("network"), presets=resolve(reader, found.get("presets")), resolved=resolved
    )
    policy = Policy(
        version=version,
        description=reader.text(found.get("description"), "description", "", MAX_DESCRIPTION_LETTERS),
        tier=reader.choice(found.get("tier"), "tier", default.tier, TIERS),
        enforcement=reader.choice(found.get("enforcement"), "enforcement", default.enforcement, ENFORCEMENTS),
        landlock=reader.choice(found.get("landlock"), "landlock", default.landlock, LANDLOCKS),
        filesystem=sections.filesystem(reader, found.get("filesystem")),
        process=sections.process(reader, found.get("process")),
        resources=sections.resources(reader, found.get("resources")),
        network=network,
        commands=sections.commands(reader, found.get("commands")),
        secrets=places.secrets(reader, found.get("secrets"), network),
        apis=places.apis(reader, found.get("apis")),
        approvals=sections.approvals(reader, found.get("approvals")),
    )
    if reader.problems:
        raise PolicyInvalid(reader.problems)
    return policy
