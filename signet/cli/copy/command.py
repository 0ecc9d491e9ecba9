"""`signet cp`: copy files into a sandbox, or out of one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, leaf
from signet.cli.complete import AGENT

if TYPE_CHECKING:
    from signet.cli.copy.place import Place
    from signet.cli.copy.progress import Progress
    from signet.client import Signet

# What stands at a path inside, in words; run there, so that links and permissions are the sandbox's own.
_LOOK = """
if [ -d "$1" ]; then echo folder; elif [ -e "$1" ] || [ -L "$1" ]; then echo file; else echo nothing; fi
if [ -d "$(dirname "$1")" ]; then echo parent; fi
if [ -e "$1/$2" ] || [ -L "$1/$2" ]; then echo taken; fi
"""


@leaf(
    "cp", epilog="Examples: signet cp data.csv assistant: · signet cp assistant:out ./results · signet cp -f a b:/tmp/"
)
@click.argument("source", metavar="SRC", shell_complete=AGENT)
@click.argument("destination", metavar="DST", shell_complete=AGENT)
@click.option("-f", "--force", is_flag=True, help="Replace files that are there; folders are merged.")
def cp(call: Call, *, source: str, destination: str, force: bool) -> None:
    """Copy a file or folder into AGENT's sandbox, or out of it.

    One side is AGENT:PATH, or sandboxes/NAME:PATH; PATH begins at the workspace. Folders are copied whole. Into a
    folder that is there it goes under its own name; else DST is its new name. What is there is never replaced without
    --force, on either side. What comes out is unpacked beside its place and moved there when it is whole; links that
    lead out of it, devices and set-user-id bits stay behind.
    """
    from signet.cli.copy.place import sides
    from signet.cli.copy.progress import Progress
    from signet.cli.output import structured

    start, end = sides(source, destination)
    progress = Progress(call, start.shown)
    with call.signet() as signet:
        try:
            move = _inward if end.target else _outward
            where = move(signet, start, end, progress, force=force)
        except BaseException:
            progress.stop()
            raise
    if call.output == "table":
        progress.done(where)
    elif call.output == "name":
        click.echo(where)
    else:
        structured(call, {"source": start.shown, "destination": where, "bytes": progress.bytes})


def _inward(signet: "Signet", start: "Place", end: "Place", progress: "Progress", *, force: bool) -> str:
    from signet.cli.copy.pack import packed
    from signet.cli.copy.place import landing
    from signet.cli.copy.unpack import taken as occupied
    from signet.kit.errors import NotFound

    path = Path(start.path)
    if not (path.is_symlink() or path.exists()):
        raise NotFound("FILE_NOT_FOUND", f"{path}: there is no such file or folder here")
    name = path.name or path.resolve().name
    seen = _look(signet, end, name)
    folder, last = landing(end, name=name, is_folder="folder" in seen, exists="file" in seen, parent="parent" in seen)
    taken = "taken" in seen if "folder" in seen else "file" in seen
    where = f"{end.target}:{folder.rstrip('/')}/{last}"
    if taken and not force:
        raise occupied(where)
    signet.sandboxes.unpack(end.target, folder, packed(path, last, progress.moved))
    return where


def _outward(signet: "Signet", start: "Place", end: "Place", progress: "Progress", *, force: bool) -> str:
    from signet.cli.copy.place import landing
    from signet.cli.copy.unpack import Stream, taken, unpack

    path = Path(end.path)
    name = start.path.rpartition("/")[2] or start.target
    folder, last = landing(
        end, name=name, is_folder=path.is_dir(), exists=path.exists(), parent=path.absolute().parent.is_dir()
    )
    landed = Path(folder) / last
    if (landed.is_symlink() or landed.exists()) and not force:
        raise taken(str(landed))
    pieces = signet.sandboxes.pack(start.target, start.path)
    left = unpack(Stream(pieces), name, Path(folder), last, progress.moved, force=force)
    if left:
        progress.say(f"left behind, as it leads out or is no file: {', '.join(left[:5])}{' …' if left[5:] else ''}")
    return str(landed)


def _look(signet: "Signet", place: "Place", name: str) -> set[str]:
    """Tell what stands at a path inside."""
    done = signet.sandboxes.run(place.target, ["/bin/sh", "-c", _LOOK, "sh", place.path, name], max_seconds=30)
    return set(done.stdout.decode(errors="replace").split())
