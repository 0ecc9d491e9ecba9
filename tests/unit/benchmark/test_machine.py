"""What a tree of processes costs, read of real ones."""

import subprocess
import sys

from benchmark.machine import Machine, busy_seconds, cpu_clock, cpu_seconds, memory_mib, tree

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


def test_a_tree_counts_its_children_also_those_that_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        child = int(parent.stdout.readline())

        assert tree(parent.pid) == [parent.pid, child]
        assert cpu_seconds(parent.pid) >= 0.3
        assert memory_mib(parent.pid) > memory_mib(child) > 0
        parent.stdin.write("\n")


def test_a_process_that_is_gone_costs_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert memory_mib(process.pid) == 0


def test_this_machine_is_described() -> None:
    here = Machine.here()

    assert here.cores >= 1
    assert here.memory_mib > 0
    assert here.cpu in here.summary()


def test_the_clock_of_a_tree_counts_all_threads_and_nothing_that_is_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", f"{BURN}print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as busy:
        assert busy.stdout
        busy.stdout.readline()
        assert cpu_clock(busy.pid) >= 0.3
        assert cpu_clock(busy.pid, busy.pid) >= 0.6
        busy.communicate(b"\n")

    assert cpu_clock(busy.pid) == 0


def test_the_machine_was_busy_at_least_as_long_as_this_process() -> None:
    assert busy_seconds() > 0
