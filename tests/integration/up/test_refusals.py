"""What keeps a fleet from starting is said at once: what, where, and what would be right."""

import json
import os
import socket
from pathlib import Path

from tests.harness.command import signet

QUIET = ("--no-embedded", "--control-port", "0", "--router-port", "0")


async def test_an_occupied_port_is_named_with_its_holder_and_the_option(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        refused = await signet("up", "--data", str(folder / "data"), *QUIET, "--port", port)
        examined = await signet(
            "doctor", "--data", str(folder / "data"), "-o", "json", environment={"SIGNET_WEB_PORT": port}
        )
    assert refused.code == 1
    for word in (f"port {port} (web)", f"pid {os.getpid()}", "--port", "SIGNET_WEB_PORT", "web.port"):
        assert word in refused.err
    assert examined.code == 1
    found = {finding["name"]: finding for finding in json.loads(examined.out)}
    assert found["port of web"]["state"] == "broken"
    assert f"pid {os.getpid()}" in found["port of web"]["found"]
    assert "--port" in found["port of web"]["mend"]


async def test_a_data_folder_of_a_newer_version_is_left_alone(folder: Path) -> None:
    (folder / "version").write_text("99\n")
    refused = await signet("up", "--data", str(folder), *QUIET, "--port", "0")
    assert refused.code == 1
    assert "newer Signet (layout 99" in refused.err
    assert "upgrade" in refused.err
    assert not (folder / "tokens").exists()
    examined = await signet("doctor", "--data", str(folder))
    assert examined.code == 1
    assert "newer Signet" in examined.out


async def test_a_data_folder_of_somebody_else_is_left_alone(folder: Path) -> None:
    theirs = folder / "theirs"
    if os.getuid() == 0:
        theirs.mkdir()
        os.chown(theirs, 12_345, 12_345)
    else:
        theirs = Path("/usr")
    refused = await signet("up", "--data", str(theirs), *QUIET, "--port", "0")
    assert refused.code == 1
    assert f"{theirs} belongs to user {theirs.stat().st_uid}" in refused.err
    assert "--data" in refused.err


async def test_weights_with_a_wrong_digest_are_found_by_the_doctor(folder: Path) -> None:
    weights = folder / "other.gguf"
    weights.write_bytes(b"GGUF")
    said = {"SIGNET_ROUTER_EMBEDDED_GGUF": str(weights), "SIGNET_ROUTER_EMBEDDED_SHA256": "0" * 64}
    (folder / "data").mkdir()
    examined = await signet("doctor", "--data", str(folder / "data"), "-o", "json", environment=said)
    found = {finding["name"]: finding for finding in json.loads(examined.out)}
    assert examined.code == 1
    assert found["weights: chat"]["state"] == "broken"
    assert "0" * 64 in found["weights: chat"]["found"]
    assert found["weights: embeddings"]["state"] == "ok"


async def test_a_healthy_machine_has_nothing_broken_and_every_layer_of_the_sandbox(folder: Path) -> None:
    free = {f"SIGNET_{name}_PORT": "0" for name in ("WEB", "CONTROL", "ROUTER")}
    examined = await signet("doctor", "--data", str(folder / "data"), "-o", "json", environment=free)
    found = {finding["name"]: finding for finding in json.loads(examined.out)}
    assert examined.code == 0, [finding for finding in found.values() if finding["state"] == "broken"]
    assert {"python", "sandbox: namespaces", "sandbox: landlock", "sandbox: seccomp", "disk space", "fleet"} <= set(
        found
    )
    assert not (folder / "data").exists(), "a look changes nothing"
