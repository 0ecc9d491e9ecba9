"""From a freshly cloned child of the zygote to pid 1 with every layer on. The order of the steps matters."""

import errno
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NoReturn

from workers.sandbox import landlock, leftovers, limits, linux, mounts, namespaces, seccomp, wire
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.init import Init
from workers.sandbox.namespaces import Host
from workers.sandbox.probe import Outside, probe
from workers.sandbox.spec import INSIDE_UID, Spec
from workers.sandbox.surroundings import environment, listen, runtime_folders

STANDBY_NAME: Final = b"signet-standby\0"
_NAME: Final = b"signet-sandbox\0"
_WITNESS: Final = "signet-witness"
_MASKED: Final = (
    "Inside a container, mounts have to be allowed and no part of /proc hidden "
    "(docker: --security-opt systempaths=unconfined --security-opt apparmor=unconfined)."
)


def enter(
    spec: Spec, control: socket.socket, host: Host, grouped: Sequence[str] = (), *, prepared: bool = False
) -> NoReturn:
    """Isolate this process by `spec`, tell the launcher on `control`, and serve it. Never returns.

    Sends `listening` (with the listeners' fds) and waits for `placed`, by which time it is in the group that bounds
    `grouped` and, as root, its user is mapped; then `ready` with the probe's report, or `failed` with the layer.
    """
    try:
        if not prepared:
            _prepare(control, host)
        watched = 0 if "memory" in grouped else spec.limits.memory_bytes
        _isolate(spec, control, host, grouped, watched=watched > 0)
        Init(control, environment(spec), watched).serve()
    except SandboxUnavailable as error:
        _tell(control, error)
    except BaseException as error:  # noqa: BLE001 - the last frame of pid 1: the launcher has to learn of it
        _tell(control, SandboxUnavailable(f"{type(error).__name__}: {error}", layer="init"))
    os._exit(1)


def stand_by(door: socket.socket, host: Host) -> NoReturn:
    """Do what is the same for all sandboxes, wait at `door` for what this one is to be, and enter it. Never returns.

    It says `ready` in between. If it fails before, it ends, and whoever then wants a sandbox learns why.
    """
    received = None
    try:
        linux.prctl(linux.PR_SET_NAME, STANDBY_NAME)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        _prepare(door, host)
        wire.send(door, {"op": "ready"})
        received = wire.receive(door)
    finally:
        if received is None:
            os._exit(1)
    message, fds = received
    door.close()
    enter(Spec.from_wire(message["spec"]), socket.socket(fileno=fds[0]), host, message["grouped"], prepared=True)


def _prepare(keep: socket.socket, host: Host) -> None:
    """Do all that does not depend on the sandbox. Of the descriptors `keep` stays open."""
    with _layer("descriptors"):
        os.setsid()
        _forget_descriptors(keep)
    with _layer("user"):
        if not host.as_root:
            namespaces.map_user("self", host.uid, host.gid)
    with _layer("filesystem"):
        mounts.lay(runtime_folders())
    with _layer("network"):
        linux.bring_loopback_up()


def _isolate(spec: Spec, control: socket.socket, host: Host, grouped: Sequence[str], *, watched: bool) -> None:
    linux.prctl(linux.PR_SET_NAME, _NAME)
    with _layer("filesystem"):
        mounts.finish(spec)
    with _layer("network"):
        listeners, witness = _open_network(spec)
    with _layer("user"):
        if host.as_root:
            os.setgroups([])
            namespaces.own_user()
        _hand_out(control, listeners)
        if host.as_root:
            _become_nobody()
    with _layer("capabilities"):
        _give_up_privileges(spec, grouped)
    with _layer("landlock"):
        version = landlock.restrict(spec, runtime_folders())
    with _layer("seccomp"):
        # Where pid 1 alone watches the memory, nothing may be kept in it that no process has for its own.
        _filter(memfd=not (spec.strict or watched))
    with _layer("workspace"):
        if spec.workspace_mode == "read-write":
            leftovers.unlock()
    with _layer("probe"):
        report = probe(spec, Outside(host, version, _WITNESS, tuple(grouped)))
        witness.close()
    wire.send(control, {"op": "ready", "report": report.to_wire()})


def _forget_descriptors(control: socket.socket) -> None:
    """Nothing of the host stays open, above all no terminal."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    linux.close_all_but({0, 1, 2, control.fileno()})


def _open_network(spec: Spec) -> tuple[dict[str, socket.socket], socket.socket]:
    socket.sethostname(spec.name)
    listeners = listen(spec)
    witness = socket.socket(socket.AF_UNIX)
    witness.bind("\0" + _WITNESS)
    witness.listen(1)
    return listeners, witness


def _hand_out(control: socket.socket, listeners: Mapping[str, socket.socket]) -> None:
    """Give the listeners to the launcher, and wait until it has placed this process.

    A socket stays in the network it was made in, whoever accepts on it.
    """
    wire.send(control, {"op": "listening", "names": list(listeners)}, [sock.fileno() for sock in listeners.values()])
    for sock in listeners.values():
        sock.close()
    answer = wire.receive(control)
    if answer is None or answer[0].get("op") != "placed":
        raise SandboxUnavailable("the launcher went away.", layer="user")


def _become_nobody() -> None:
    os.setresgid(INSIDE_UID, INSIDE_UID, INSIDE_UID)
    os.setresuid(INSIDE_UID, INSIDE_UID, INSIDE_UID)


def _give_up_privileges(spec: Spec, grouped: Sequence[str]) -> None:
    linux.drop_bounding_capabilities()
    linux.clear_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    # Only now: a change of user clears it.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    limits.apply(spec.limits, grouped)


def _filter(*, memfd: bool) -> None:
    try:
        seccomp.install(memfd=memfd)
    except OSError:
        return  # the probe finds that it is absent, and the launcher decides


@contextmanager
def _layer(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = namespaces.remedy() or (_MASKED if error.errno == errno.EPERM else "")
        raise SandboxUnavailable(f"{error.strerror or error}.", layer=name, hint=hint) from error


def _tell(control: socket.socket, error: SandboxUnavailable) -> None:
    try:
        wire.send(control, error.to_wire())
    except OSError:
        return  # nobody is there to be told
