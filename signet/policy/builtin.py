"""The policies that come with Signet, by name."""

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT = "default"
"""The policy of an agent that names none."""

_DOCUMENTS = MappingProxyType(
    {
        "default": """\
version: 1
description: A workspace and no network; what it wants to reach beyond that is asked for
approvals: {network: ask}
""",
        "developer": """\
version: 1
description: Installs packages and reads git hosts; asks for any other place
presets: [debian-packages, git-github, git-gitlab, node-packages, python-packages, rust-packages]
resources: {memory: 4GiB, disk: 8GiB, pids: 512}
approvals: {network: ask}
""",
        "reader": """\
version: 1
description: Reads any public page and sends nothing but addresses; runs no program that was written inside
tier: strict
presets: [web-reading]
""",
        "strict": """\
version: 1
description: No network, no question, and no program that was written inside
tier: strict
""",
    }
)


def documents() -> Mapping[str, str]:
    """Give each built-in policy's document, YAML, by the policy's name."""
    return _DOCUMENTS
