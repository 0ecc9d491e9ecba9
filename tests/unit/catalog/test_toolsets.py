"""Which tools an agent is offered."""

import inspect
import re

import pytest

from signet.catalog.toolsets import TOOLSETS, Policy, ToolsetRefused, offered
from workers.tools import command, edit, host, listing, read, search, write

SOURCES = {
    "exec": command,
    "read_file": read,
    "write_file": write,
    "edit_file": edit,
    "list_files": listing,
    "search_files": search,
}
ALL = [tool for toolset in TOOLSETS for tool in toolset.tools]
FILES = ("read_file", "write_file", "edit_file", "list_files", "search_files")


@pytest.mark.parametrize(
    ("policy", "wanted", "names"),
    [
        (Policy(), (), ()),
        (Policy(enforced=("files",)), (), FILES),
        (Policy(enforced=("files",)), ("files",), FILES),
        (Policy(default_enabled=("files", "terminal")), (), (*FILES, "exec")),
        (Policy(default_enabled=("terminal", "files")), ("terminal",), ("exec",)),
        (Policy(enforced=("files",), default_enabled=("terminal",)), (), (*FILES, "exec")),
        (Policy(enforced=("files",), optional=("terminal",)), (), FILES),
        (Policy(enforced=("files",), optional=("terminal",)), ("terminal",), (*FILES, "exec")),
        (Policy(default_enabled=("files",), forbidden=("terminal",)), (), FILES),
        (Policy(default_enabled=("files", "terminal"), forbidden=("terminal",)), (), FILES),
    ],
)
def test_an_agent_is_offered_what_the_soul_enforces_and_what_it_names_or_else_the_defaults(
    policy: Policy, wanted: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert tuple(tool.name for tool in offered(policy, wanted)) == names


@pytest.mark.parametrize(
    ("policy", "wanted", "reason", "says"),
    [
        (
            Policy(forbidden=("terminal",)),
            "terminal",
            "TOOL_FORBIDDEN",
            "forbids the toolset 'terminal'. It allows none.",
        ),
        (
            Policy(enforced=("files",)),
            "terminal",
            "TOOL_FORBIDDEN",
            "does not list the toolset 'terminal'. It allows files.",
        ),
        (Policy(), "terminl", "TOOL_NOT_FOUND", "Did you mean terminal?"),
        (Policy(), "browser", "TOOL_NOT_FOUND", "The toolsets are files, terminal."),
    ],
)
def test_a_toolset_that_the_soul_does_not_allow_is_refused_with_what_would_be_right(
    policy: Policy, wanted: str, reason: str, says: str
) -> None:
    with pytest.raises(ToolsetRefused, match=re.escape(says)) as caught:
        offered(policy, [wanted])
    assert caught.value.reason == reason


def test_catalog_and_workers_have_the_same_tools() -> None:
    assert sorted(tool.name for tool in ALL) == sorted(host.TOOLS)


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_a_tool_reads_exactly_the_arguments_of_its_schema(tool: object) -> None:
    name, parameters = tool.name, tool.parameters  # type: ignore[attr-defined]  # parametrize passes objects
    used = set(re.findall(r'call\.(?:text|whole|flag)\(\s*"(\w+)"', inspect.getsource(SOURCES[name])))
    assert used == set(parameters["properties"])


def test_every_tool_has_examples_and_names_its_toolset() -> None:
    assert all(len(tool.examples) >= 5 for tool in ALL)
    assert all(tool.toolset == toolset.name for toolset in TOOLSETS for tool in toolset.tools)
