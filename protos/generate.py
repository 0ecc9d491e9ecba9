"""Write the stubs of `protos/` into `signet/`; with `--check` compare and change nothing."""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (Path("signet/v1"), Path("signet/work/v1"))


def generate(out: Path) -> None:
    """Run buf, so that `out` holds every package's stubs."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["buf", "generate", "--output", str(out)], cwd=ROOT, env=environment, check=True)
    for package in PACKAGES:
        for stub in (out / package).glob("*_pb2_grpc.pyi"):
            if not stub.with_suffix(".py").exists():
                stub.unlink()  # of a file that holds messages only
        (out / package / "__init__.py").write_text("")
    (out / "signet/work/__init__.py").write_text("")


def drift(out: Path) -> list[str]:
    """Name every file of the stubs that is missing, left over or different."""
    found = []
    for package in PACKAGES:
        fresh = {path.name for path in (out / package).iterdir() if path.is_file()}
        kept = {path.name for path in (ROOT / package).iterdir() if path.is_file()}
        names = sorted(fresh | kept)
        _, changed, missing = filecmp.cmpfiles(out / package, ROOT / package, names, shallow=False)
        found += [str(package / name) for name in sorted({*changed, *missing})]
    return found


def main() -> int:
    """Generate into a folder of its own; then compare or replace."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        generate(out)
        if "--check" in sys.argv[1:]:
            if stale := drift(out):
                print("stubs differ from protos/ (run `make protos`):", *stale, sep="\n  ")
            return 1 if stale else 0
        for package in PACKAGES:
            shutil.rmtree(ROOT / package, ignore_errors=True)
            shutil.copytree(out / package, ROOT / package)
        shutil.copy(out / "signet/work/__init__.py", ROOT / "signet/work/__init__.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
