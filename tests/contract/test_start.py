"""What each process imports at its start: a written list, because start-up and memory are features."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.contract.closure import installed

_GRPC = {"google", "grpc", "grpc_health", "grpc_reflection", "grpc_status", "grpc_tools", "typing_extensions"}
"""Of these, grpc looks for grpc_tools by itself; only tests install it."""

_PAGES = {"jinja2", "markupsafe", "markdown_it", "mdurl", "nh3", "python_multipart", "multipart"}
_SERVER = {"anyio", "sniffio", "idna", "starlette", "uvicorn", "click", "h11", "httptools"}

MAY_IMPORT = {
    "control": (["control.main", "control.app"], {*_GRPC, "sqlalchemy", "aiosqlite", "greenlet", "yaml"}),
    "router": (
        ["router.main", "router.app"],
        {*_GRPC, *_SERVER, "sqlalchemy", "aiosqlite", "greenlet", "yaml", "cryptography", "cffi", "uvloop"},
    ),
    "the embedded models before they are asked for": (["router.embedded.__main__"], set()),
    "worker": (["workers.main", "workers.app"], {*_GRPC, "yaml", "cryptography"}),
    "the zygote": (["workers.sandbox.zygote"], set()),
    "the builtin runtime": (["workers.runtimes.builtin.main", "workers.tools.host"], set()),
    "the inference sidecar": (["workers.sidecars.inference"], set()),
    "the egress sidecar": (["workers.sidecars.egress.main"], set()),
    "web": (["web.main"], {*_GRPC, *_SERVER, *_PAGES, "pygments"}),
    "the supervisor": (["signet.cli.main", "signet.up.commands", "signet.up.foreground"], {"click"}),
    "a script with the client": (["signet.client"], _GRPC),
}
"""Per process, the modules that it is started with, and the packages of others that it may hold after that."""

_LIST = """
import importlib, json, sys
here = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
ours = {"signet", "control", "router", "workers", "benchmark", "web"}
tops = {name.split(".")[0] for name in set(sys.modules) - here} - set(sys.stdlib_module_names) - ours
print(json.dumps(sorted(name for name in tops if not name.startswith("_") and name != "cython_runtime")))
"""


def imported(modules: list[str]) -> set[str]:
    """Import these in a fresh interpreter, and give the packages of others that it holds then."""
    done = subprocess.run([sys.executable, "-c", _LIST, *modules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("process", sorted(MAY_IMPORT))
def test_a_process_starts_with_nothing_but_what_is_written(process: str) -> None:
    modules, allowed = MAY_IMPORT[process]
    assert imported(modules) <= allowed


@pytest.mark.parametrize("process", sorted(MAY_IMPORT))
def test_a_process_needs_nothing_that_only_the_tests_install(process: str) -> None:
    """What happens to be there for the tests is missing after `make up`."""
    owners = packages_distributions()
    found = imported(MAY_IMPORT[process][0]) - {"grpc_tools", "sniffio"}  # which grpc and anyio look for by themselves
    needed = {canonicalize_name(owner) for package in found for owner in owners.get(package, ())[:1]}
    assert needed <= installed(Requirement("signet[embedded]"), set())
