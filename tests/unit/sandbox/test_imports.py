"""What the zygote is made of: everything forked from it carries that along."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = f"""
import json, sys
before = set(sys.modules)
sys.path.insert(0, {str(ROOT)!r})
import workers.sandbox.zygote
import threading
print(json.dumps([sorted(set(sys.modules) - before), threading.active_count()]))
"""


def test_the_zygote_needs_the_standard_library_alone_and_no_event_loop() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", PROGRAM], check=True, capture_output=True, text=True)
    modules, threads = json.loads(done.stdout)
    foreign = {name for name in modules if name.partition(".")[0] not in {*sys.stdlib_module_names, "workers"}}
    assert foreign == set()
    assert not {"asyncio", "ssl", "subprocess"} & set(modules)
    assert threads == 1
