import subprocess
import sys

OURS = {
    "workers",
    "workers.sidecars",
    "workers.sidecars.exchange",
    "workers.sidecars.http",
    "workers.sidecars.inference",
    "workers.sidecars.reports",
    "workers.sidecars.usage",
}
PROGRAM = """
import sys, workers.sidecars.inference
print(*sorted(name for name in sys.modules if name.split(".")[0] in ("workers", "signet", "grpc", "httpx", "google")))
"""


def test_the_inference_sidecar_holds_nothing_of_ours_but_what_is_written() -> None:
    """It stands between a sandbox and a secret: what it imports is all that can go wrong there."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == OURS
