"""A program that restarts itself as a worker does: `carry` in its first life, `carried` in its second."""

import os
import signal
import subprocess
import sys

from workers.restart import VARIABLE, carried, carry


def main() -> None:
    """Pass a pipe and a text on, then tell what came through."""
    if VARIABLE in os.environ:
        os.kill(os.getpid(), signal.SIGHUP)  # which nobody hears yet
    kept = carried()
    os.kill(os.getpid(), signal.SIGHUP)
    if kept is None:
        reading, writing = os.pipe()
        os.write(writing, b"through")
        os.close(writing)
        secret = os.open(os.devnull, os.O_RDONLY)
        carry({"pid": os.getpid(), "secret": secret, "argv": sys.argv[1:]}, [reading])
    secret_gone = False
    try:
        os.fstat(kept.state["secret"])
    except OSError:
        secret_gone = True
    (reading,) = kept.fds
    print(  # noqa: T201 - a program of a test
        os.read(reading, 100).decode(),
        kept.state["pid"] == os.getpid(),
        secret_gone,
        os.get_inheritable(reading),
        VARIABLE in os.environ,
        carried(),
        kept.state["argv"] == sys.argv[1:],
        subprocess.run(["/bin/sh", "-c", "kill -HUP $$"], check=False).returncode,
    )


if __name__ == "__main__":
    main()
