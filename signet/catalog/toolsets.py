"""The tools that agents can have, in named groups, and which of them an agent is offered.

Standard library only: control stores from it, workers compare with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Tool:
    """One capability. `parameters` is the JSON Schema of its arguments; `examples` are sentences that ask for it."""

    name: str
    toolset: str
    description: str
    parameters: Mapping[str, Any]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Toolset:
    """A named group of tools: what a soul's policy and an agent speak of."""

    name: str
    title: str
    description: str
    tools: tuple[Tool, ...]


@dataclass(frozen=True)
class Policy:
    """A soul's say about toolsets, by their names."""

    enforced: tuple[str, ...] = ()
    default_enabled: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class ToolsetRefused(ValueError):
    """An agent names a toolset that it cannot have. `reason` is TOOL_NOT_FOUND or TOOL_FORBIDDEN."""

    def __init__(self, reason: str, toolset: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.toolset = toolset


def schema(required: Sequence[str] = (), **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def string(description: str) -> Mapping[str, Any]:
    """Return the schema of a text."""
    return {"type": "string", "description": description}


def whole(description: str, least: int, most: int) -> Mapping[str, Any]:
    """Return the schema of a whole number."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def flag(description: str) -> Mapping[str, Any]:
    """Return the schema of a yes or no."""
    return {"type": "boolean", "description": description}


READ_FILE = Tool(
    "read_file",
    "files",
    "Read lines of a text file. Long files come in parts: go on with offset.",
    schema(
        ["path"],
        path=string("The file, relative to the workspace."),
        offset=whole("First line, from 1. Default 1.", 1, 1 << 40),
        limit=whole("Most lines. Default 1000.", 1, 100_000),
    ),
    (
        "What is in notes.txt?",
        "Show me the file config.yaml",
        "Read README.md",
        "Open report.csv and print it",
        "What does main.py say?",
        "cat todo.md",
        "Print the contents of the log file server.log",
        "Display lines 10 to 20 of script.js",
        "Tell me what is written in letter.txt",
        "I want to see what letter.md contains",
        "View src/index.html",
        "more data.txt",
        "head results.log",
        "Open the file plan.md",
        "Let me look at app/settings.py",
        "Can you read out poem.txt?",
    ),
)
WRITE_FILE = Tool(
    "write_file",
    "files",
    "Create a file, or replace all of one. Folders on the way are made. To change a part use edit_file.",
    schema(
        ["path", "content"],
        path=string("The file, relative to the workspace."),
        content={"type": "string", "description": "All of its new content."},
    ),
    (
        "Write hello to greeting.txt",
        "Create a file notes.txt with the text buy milk",
        "Save this sentence in a file called idea.md",
        "Put the words good morning into hello.txt",
        "Make a new file names.txt containing Anna",
        "Store 42 in answer.txt",
        "Create a script run.py with print(2)",
        "Write down my address in address.txt",
        'Note "water the plants" in tasks.txt',
        "Generate a file colors.json that lists red and green",
        "Write the sentence the shop is closed into sign.txt",
        "Put 7 in number.txt",
        "Save the text see you at noon as message.txt",
        "I need a file called list.md with eggs in it",
    ),
)
EDIT_FILE = Tool(
    "edit_file",
    "files",
    "Replace an exact text in a file. It has to be there exactly once, unless replace_all is set.",
    schema(
        ["path", "old_text", "new_text"],
        path=string("The file, relative to the workspace."),
        old_text=string("The text to replace, exactly as it stands, with enough around it to be unique."),
        new_text={"type": "string", "description": "What to put in its place."},
        replace_all=flag("Replace every place. Default false."),
    ),
    (
        "Replace cat with dog in story.txt",
        "In config.yaml change debug to release",
        "Edit main.py: rename foo to bar",
        "Fix the typo teh to the in notes.md",
        "Change the port from 80 to 8080 in settings.ini",
        "Substitute red by blue in colors.txt",
        "Update index.html so that the title becomes Home",
        "Modify the file plan.md: Tuesday should be Friday",
        "Correct the spelling of adress in letter.txt",
        "Turn yes into no in answers.txt",
        "Replace London by Paris in trip.md",
        "Edit list.txt and replace tea with coffee",
        "Please rename old to new inside code.js",
        "In letter.txt write Dear instead of Hello",
    ),
)
LIST_FILES = Tool(
    "list_files",
    "files",
    "List a folder: names in order, folders with a slash, files with their size.",
    schema(
        path=string("The folder, relative to the workspace. Default the workspace."),
        depth=whole("How many levels down. Default 1.", 1, 20),
        limit=whole("Most entries. Default 500.", 1, 10_000),
        hidden=flag("Show names that begin with a dot. Default false."),
    ),
    (
        "List the files in your workspace",
        "Which files are there?",
        "Show me the folder",
        "What is in the src directory?",
        "ls",
        "Give me a list of all documents you have",
        "What files do you have?",
        "Show the contents of the folder docs",
        "Is there anything in the workspace?",
        "dir /workspace",
        "Show the directory tree",
        "Enumerate the files under data/",
        "Have a look at which files we have",
        "What is inside the folder music?",
    ),
)
SEARCH_FILES = Tool(
    "search_files",
    "files",
    "Find lines that hold a text in the files of a folder; with regex set, lines that match a pattern.",
    schema(
        ["pattern"],
        pattern=string("The text to look for."),
        path=string("The folder or file to look in. Default the workspace."),
        glob=string("Only files whose name fits, for example *.py."),
        regex=flag("The pattern is a Python regular expression. Default false."),
        ignore_case=flag("Upper and lower case are the same. Default false."),
        context=whole("Lines to show around each match. Default 0.", 0, 20),
        limit=whole("Most matches. Default 200.", 1, 5000),
    ),
    (
        "Search for TODO",
        "Find the word budget in my files",
        "Where is the function parse defined?",
        "grep for error",
        "Which files mention Berlin?",
        "Look for lines with import os",
        "Search all files for the name Maria",
        "Do any of my documents contain the word contract?",
        "grep -rn timeout .",
        'Find every occurrence of "license"',
        "In which files does the text hello appear?",
        "Is the phrase thank you anywhere in the files?",
        "Search the notes for the word holiday",
        "Where do I mention Rome in my files?",
        "Show every line that contains warning",
        "Find files that contain the text password",
    ),
)
EXEC = Tool(
    "exec",
    "terminal",
    "Run a shell command in the workspace and return its output and exit code. It gets no input, and what it leaves "
    "running in the background is ended with it.",
    schema(
        ["command"],
        command=string("The command, for /bin/sh."),
        cwd=string("The folder to run in. Default the workspace."),
        timeout_seconds=whole("Kill it after so long. Default and most: what the agent's limits allow.", 1, 86_400),
    ),
    (
        "Run uname -a",
        "Execute the command df -h",
        "Run python3 script.py",
        "Use the shell to print the date",
        "How much disk space is left on this machine?",
        "Which kernel version is running?",
        "Run the tests with pytest",
        "Start the program server.sh",
        "Execute `ps aux` in the terminal",
        "Enter the command id in a shell and show the result",
        "Which version of gcc is installed here?",
        "Run npm install",
        "Build the project with cmake",
        "Would you run the command ls -l for me?",
        "What does the command pwd print?",
        "run echo good morning",
    ),
)

TOOLSETS: tuple[Toolset, ...] = (
    Toolset(
        "files",
        "Files",
        "Read, write, edit, list and search files of the workspace.",
        (READ_FILE, WRITE_FILE, EDIT_FILE, LIST_FILES, SEARCH_FILES),
    ),
    Toolset("terminal", "Terminal", "Run shell commands in the sandbox.", (EXEC,)),
)


def offered(policy: Policy, wanted: Sequence[str] = ()) -> tuple[Tool, ...]:
    """Decide what an agent is offered: the soul's enforced toolsets, and those it names, or else the soul's defaults.

    The order is the catalog's. Raises ToolsetRefused for a toolset that the agent names and the soul does not allow.
    """
    for name in wanted:
        allow(policy, name)
    chosen = {*policy.enforced, *(wanted or policy.default_enabled)} - set(policy.forbidden)
    return tuple(tool for toolset in TOOLSETS if toolset.name in chosen for tool in toolset.tools)


def allow(policy: Policy, name: str) -> None:
    """Pass a toolset that an agent of this soul may name; raise ToolsetRefused for another."""
    known = [toolset.name for toolset in TOOLSETS]
    allowed = [item for item in known if item in {*policy.enforced, *policy.default_enabled, *policy.optional}]
    allowed = [item for item in allowed if item not in policy.forbidden]
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"Did you mean {close[0]}?" if close else f"The toolsets are {', '.join(known)}."
        raise ToolsetRefused("TOOL_NOT_FOUND", name, f"There is no toolset {name!r}. {hint}")
    if name not in allowed:
        why = "forbids" if name in policy.forbidden else "does not list"
        hint = f"It allows {', '.join(allowed)}." if allowed else "It allows none."
        raise ToolsetRefused("TOOL_FORBIDDEN", name, f"The agent's soul {why} the toolset {name!r}. {hint}")
