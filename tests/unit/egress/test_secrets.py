"""A secret's value goes to its host, port, path and header, and is seen nowhere else: not inside, not in a report."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.site import Asked, Site, plain
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.test_inspected import looked
from tests.unit.egress.way import Way

VALUE = "ghp_real+value/0123456789"


class Router:
    """A door that lends: real HTTP on a unix socket."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer = plain(json.dumps({"value": VALUE}).encode())
        self.path = ""

    async def start(self, folder: Path) -> None:
        self.path = str(folder / "door.sock")
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def aclose(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(Asked((await reader.readuntil(b"\r\n\r\n"))[:-4]))
        writer.write(self.answer)
        writer.close()


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    router = Router()
    await router.start(tmp_path)
    yield router
    await router.aclose()


async def lend(way: Way, router: Router, here: Site, more: str = "", header: str = "authorization") -> str:
    """Lend a secret to a site; give its placeholder."""
    use = f"{{secret: github-token, env: TOKEN, host: site.test, port: {here.port}, path: /api/**, header: {header}}}"
    text = network(here.port, more) + f"secrets: {{github: {use}}}\n"
    answer = await way.load(text, door=f"unix:{router.path}")
    assert answer["kind"] == "loaded"
    return way.placeholders.text("github")


async def test_a_placeholder_is_swapped_on_the_way_to_its_place(way: Way, site: Sites, router: Router) -> None:
    here = await site(tls="site.test")
    mark = await lend(way, router, here)
    for form in ("Bearer {}", "token {}", "{}"):
        code, _, err = await way.curl(
            "-H", f"Authorization: {form.format(mark)}", f"https://site.test:{here.port}/api/x"
        )
        assert code == 0, err
        assert here.asked[-1].headers["authorization"] == form.format(VALUE)
    asked = router.asked[0]
    assert asked.line == "POST /signet/v1/secrets/github-token HTTP/1.1"
    assert asked.headers["authorization"] == "Bearer sgr_test"
    assert len(router.asked) == 1
    assert VALUE not in json.dumps(way.decided)


async def test_a_placeholder_within_basic_credentials_is_swapped(way: Way, site: Sites, router: Router) -> None:
    here = await site(tls="site.test")
    mark = await lend(way, router, here)
    code, _, err = await way.curl("-u", f"me:{mark}", f"https://site.test:{here.port}/api/x")
    assert code == 0, err
    sent = here.asked[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"me:{VALUE}"


@pytest.mark.parametrize("words", [["http://site.test:PORT/api/x"], ["-p", "http://site.test:PORT/api/x"]])
async def test_a_placeholder_is_refused_where_the_network_would_read_it(
    way: Way, site: Sites, router: Router, words: list[str]
) -> None:
    """Also within a tunnel to where TLS is meant to be spoken."""
    here = await site()
    mark = await lend(way, router, here, header="x-key")
    _, out, _ = await way.curl("-H", f"X-Key: {mark}", *(word.replace("PORT", str(here.port)) for word in words))
    assert "over TLS alone" in out
    assert not here.asked


async def test_a_value_that_comes_back_in_the_clear_is_the_placeholder_again(
    way: Way, site: Sites, router: Router
) -> None:
    here = await site(lambda _: plain(VALUE.encode()))
    mark = await lend(way, router, here)
    code, out, err = await way.curl(f"http://site.test:{here.port}/api/x")
    assert (code, out) == (0, mark), err


WRONG = {
    "another path": ["-H", "Authorization: Bearer MARK", "BASE/other"],
    "a path that climbs out": ["--path-as-is", "-H", "Authorization: Bearer MARK", "BASE/api/../other"],
    "a path that climbs out in disguise": ["--path-as-is", "-H", "Authorization: Bearer MARK", "BASE/api/%2e%2e/other"],
    "another header": ["-H", "X-Key: MARK", "BASE/api/x"],
    "two headers": ["-H", "Authorization: MARK", "-H", "Cookie: a=MARK", "BASE/api/x"],
    "the name of a header": ["-H", "MARK: x", "BASE/api/x"],
    "Basic in another header": ["-H", "X-Auth: Basic BASE64", "BASE/api/x"],
    "the path": ["BASE/api/MARK"],
    "the path, escaped": ["BASE/api/signet%3Asecret%3Agithub%3A00"],
    "the query": ["BASE/api/x?token=MARK"],
    "the body": ["-d", "token=MARK", "BASE/api/x"],
    "the body in chunks": ["-H", "Transfer-Encoding: chunked", "-d", "token=MARK", "BASE/api/x"],
    "one that was made up": ["-H", "Authorization: Bearer signet:secret:github:" + "0" * 32, "BASE/api/x"],
    "one of another name": ["-H", "Authorization: Bearer signet:secret:other:" + "0" * 32, "BASE/api/x"],
    "half of one": ["-H", "Authorization: Bearer signet:secret:github", "BASE/api/x"],
    "one and a half": ["-H", "Authorization: Bearer MARK signet:secret:", "BASE/api/x"],
}


@pytest.mark.parametrize("tls", ["site.test", ""])
@pytest.mark.parametrize("what", WRONG)
async def test_a_placeholder_anywhere_else_is_refused(
    way: Way, site: Sites, router: Router, what: str, tls: str
) -> None:
    here = await site(tls=tls)
    mark = await lend(way, router, here)
    base = f"http{'s' if tls else ''}://site.test:{here.port}"
    plain64 = base64.b64encode(f"me:{mark}".encode()).decode()
    words = [word.replace("MARK", mark).replace("BASE64", plain64).replace("BASE", base) for word in WRONG[what]]
    _, out, _ = await way.curl("-w", "%{http_code}", *words)
    assert out.endswith("403"), out
    assert "secret_misplaced" in out
    assert not here.asked
    assert VALUE not in out


async def test_a_placeholder_is_refused_at_every_other_host(way: Way, site: Sites, router: Router) -> None:
    here, there = await site(tls="site.test"), await site()
    mark = await lend(way, router, here, f"}}, {{host: other.test, port: {there.port}, allowed_ips: [127.0.0.1]")
    url = f"http://other.test:{there.port}/api/x"
    for words in (["-H", f"Authorization: Bearer {mark}"], ["-u", f"me:{mark}"], ["-d", mark]):
        _, out, _ = await way.curl(*words, url)
        assert "secret_misplaced" in out
    assert not there.asked
    assert not router.asked


async def test_a_value_that_comes_back_is_the_placeholder_again(way: Way, site: Sites, router: Router) -> None:
    """In the body, in any of its pieces, in a header, in the status line, and in the forms that servers write."""

    def echo(asked: Asked) -> bytes:
        told = asked.headers["authorization"].removeprefix("Bearer ")
        other = base64.b64encode(told.encode()).decode()
        body = f'{{"a": "{told}", "b": "{other}", "c": "ghp_real%2Bvalue%2F0123456789"}}'
        return plain(body.encode(), f"x-echo: {told}", status=f"200 {told}")

    here = await site(echo, tls="site.test")
    mark = await lend(way, router, here)
    code, out, err = await way.curl("-i", "-H", f"Authorization: Bearer {mark}", f"https://site.test:{here.port}/api/x")
    assert code == 0, err
    assert VALUE not in out
    assert base64.b64encode(VALUE.encode()).decode() not in out
    assert "ghp_real" not in out
    assert out.count(mark) == 5
    assert here.asked[0].headers["accept-encoding"] == "identity"


async def test_a_value_that_comes_back_in_pieces_is_the_placeholder_again(
    way: Way, site: Sites, router: Router
) -> None:
    def drip(_: Asked) -> bytes:
        pieces = [letter.encode() for letter in f"<{VALUE}>ghp_real ghp_{VALUE}"]
        chunks = b"".join(b"1\r\n" + piece + b"\r\n" for piece in pieces)
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    here = await site(drip, tls="site.test")
    mark = await lend(way, router, here)
    code, out, err = await way.curl("-H", f"Authorization: Bearer {mark}", f"https://site.test:{here.port}/api/x")
    assert (code, out) == (0, f"<{mark}>ghp_real ghp_{mark}"), err


async def test_a_value_is_not_hidden_by_what_the_request_asks_for(way: Way, site: Sites, router: Router) -> None:
    """A part, or a compressed answer, could show it piece by piece."""
    here = await site(tls="site.test")
    mark = await lend(way, router, here)
    words = ["-H", f"Authorization: Bearer {mark}", "-H", "Range: bytes=0-3", "--compressed"]
    code, _, err = await way.curl(*words, f"https://site.test:{here.port}/api/x")
    assert code == 0, err
    assert "range" not in here.asked[0].headers
    here.answer = lambda _: plain(b"\x1f\x8b", "content-encoding: gzip")
    _, out, _ = await way.curl(*words, f"https://site.test:{here.port}/api/x")
    assert "answer_encoded" in out


@pytest.mark.parametrize(
    "answer",
    [plain(b"{}", status="403 Forbidden"), plain(b"{}", status="404 Not Found"), plain(b"{}", status="500 Oh"),
     plain(b'{"value": "a\\r\\nb: c"}'), plain(b'{"value": "abc"}'), plain('{"value": "éééé"}'.encode()),
     plain(b"[]"), b"garbage\r\n\r\n", b""],
)  # fmt: skip
async def test_a_secret_that_is_not_lent_refuses_the_request(
    way: Way, site: Sites, router: Router, answer: bytes
) -> None:
    here = await site(tls="site.test")
    mark = await lend(way, router, here)
    router.answer = answer
    words = ["-w", "%{http_code}", "-H", f"Authorization: Bearer {mark}"]
    _, out, _ = await way.curl(*words, f"https://site.test:{here.port}/api/x")
    assert out.endswith("502"), out
    assert "secret_unavailable" in out
    assert not here.asked


async def test_a_secret_that_is_not_set_yet_does_not_shut_its_host(way: Way, site: Sites, router: Router) -> None:
    here = await site(tls="site.test")
    await lend(way, router, here)
    router.answer = plain(b"{}", status="404 Not Found")
    code, out, err = await way.curl(f"https://site.test:{here.port}/")
    assert (code, out) == (0, "hello from the site\n"), err


async def test_a_websocket_in_which_a_value_shows_is_cut(way: Way, site: Sites, router: Router) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    here = await site(lambda _: switch, tls="site.test")
    mark = await lend(way, router, here)
    at = f"site.test:{here.port}"
    reader, writer = await looked(way, at, ["http/1.1"])
    head = f"GET /api/x HTTP/1.1\r\nHost: {at}\r\nAuthorization: {mark}\r\n"
    writer.write(f"{head}Upgrade: websocket\r\nConnection: upgrade\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"ping!")
        assert await reader.readexactly(5) == b"ping!"
        writer.write(f"echo {VALUE} back".encode())
        assert VALUE.encode() not in await reader.read()
    writer.close()
