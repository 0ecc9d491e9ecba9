"""Folders in and out of a sandbox as tar: pack one on standard output, or unpack what comes on standard input.

It runs inside, so every path is the sandbox's own; standard library only, and nothing is imported after this module is.
`SIGNET_ARCHIVE` says `pack` or `unpack`, `SIGNET_ARCHIVE_PATH` what or where; an error is a line on standard error and
exit code 1.
"""

import os
import signal
import sys

from workers.tools.pack import Packer
from workers.tools.tarball import ArchiveError, Reader
from workers.tools.unpack import Unpacker


def main() -> int:
    """Do what the environment says; gives the exit code."""
    action, path = os.environ.get("SIGNET_ARCHIVE", ""), os.environ.get("SIGNET_ARCHIVE_PATH", "") or "."
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that is too large is an error, which is told
    try:
        if action == "pack":
            Packer(1).pack(path)
        else:
            Unpacker(path).unpack(Reader(0))
    except ArchiveError as error:
        sys.stderr.write(f"{action} {path}: {error}\n")
        return 1
    except MemoryError:
        sys.stderr.write(f"{action} {path}: it needs more memory than the sandbox may have\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{action} {path}: {error.filename or 'it'}: {error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
