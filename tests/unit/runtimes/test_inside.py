"""What runs inside the sandbox is the standard library only, and all of it is there before the fork."""

import ast
import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.fakes.inside import ROOT
from tests.fakes.model_script import ModelScript, calls, embeddings, text
from tests.unit.runtimes.conftest import READ, RUN

FOLDERS = ("workers/runtimes/builtin", "workers/tools")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]
WATCHED = """
import os, sys
os.dup2({fd}, 3)
import {module} as m
before = set(sys.modules)
m.main()
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_only_the_standard_library_and_its_own_folder_are_imported_and_only_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    own = ".".join(path.parent.relative_to(ROOT).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert node in tree.body, f"line {node.lineno} imports late"
            for name in names:
                assert name.startswith(own) or name.split(".")[0] in sys.stdlib_module_names, name


async def late(module: str, folder: Path, lines: list[bytes], answers: int) -> str:
    """Run a module's main() and return which modules it imported while it ran."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WATCHED.format(fd=theirs.fileno(), module=module),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            pass_fds=(theirs.fileno(),),
            stderr=asyncio.subprocess.PIPE,
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    for line in lines:
        writer.write(line)
        for _ in range(answers):
            await reader.readline()
    await reader.read()
    writer.close()
    return (await process.communicate())[1].decode()


async def test_a_run_with_a_tool_call_imports_nothing(model: ModelScript, tmp_path: Path) -> None:
    model.answer(calls(("read_file", {"path": "a"})), text("grün"))
    run = json.dumps({**RUN, "base_url": model.base_url}).encode() + b"\n"
    result = json.dumps({"type": "tool_result", "id": "id0", "content": "x", "is_error": True}).encode() + b"\n"
    assert await late("workers.runtimes.builtin.main", tmp_path, [run, result], 1) == ""


async def test_a_run_of_a_demonstration_model_imports_nothing(model: ModelScript, tmp_path: Path) -> None:
    vectors = [[float(number % 7), float(number % 5), 1.0] for number in range(64)]
    model.answer(embeddings(vectors[:39]), embeddings(vectors[:1]), text("hi"))
    profile = {"context_tokens": 4096, "tool_choice": "embedding", "demonstration": True}
    tool = {**READ, "examples": ["show a file"]}
    run = {**RUN, "base_url": model.base_url, "profile": profile, "tools": [tool]}
    assert await late("workers.runtimes.builtin.main", tmp_path, [json.dumps(run).encode() + b"\n"], 0) == ""


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("exec", {"command": "echo hi; sleep 9 &"}),
        ("write_file", {"path": "x/y", "content": "ü"}),
        ("read_file", {"path": "a"}),
        ("edit_file", {"path": "a", "old_text": "hallo", "new_text": "y"}),
        ("list_files", {"depth": 2}),
        ("search_files", {"pattern": "h(?=e)", "regex": True}),
        ("read_file", {"path": "b"}),
    ],
)
async def test_a_tool_call_imports_nothing(tmp_path: Path, tool: str, arguments: dict[str, object]) -> None:
    (tmp_path / "a").write_text("hello\n")
    call = json.dumps({"tool": tool, "arguments": arguments, "limits": {}}).encode() + b"\n"
    assert await late("workers.tools.host", tmp_path, [call], 0) == ""
