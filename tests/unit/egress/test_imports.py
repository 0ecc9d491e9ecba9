import json
import subprocess
import sys

PROGRAM = """
import sys; here = set(sys.modules)
import json, workers.sidecars.egress.main
ours = {"workers", "signet"}
tops = {name.split(".")[0] for name in set(sys.modules) - here}
print(json.dumps(sorted(name for name in tops if name not in sys.stdlib_module_names and name not in ours)))
"""


def test_the_sidecar_holds_the_standard_library_and_ours() -> None:
    """It stands between a sandbox and the world: what it imports is all that can go wrong there."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
