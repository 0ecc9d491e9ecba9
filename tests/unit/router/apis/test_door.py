"""An API at the door: who may call what of it, with which credential, and what of the answer comes back."""

import pytest

from tests.fakes.site import Asked, plain
from tests.unit.router.apis.conftest import VALUE, Bench
from tests.unit.router.rig import OPERATOR, VIEWER, WORKER, bearer, code


async def test_a_call_reaches_the_api_with_its_credential_and_its_answer_comes_back(bench: Bench) -> None:
    bench.site.answer = lambda _: plain(b'{"found": 1}', "content-type: application/json", "x-more: yes")
    answer = await bench.call("/v1/find%20it/?q=a%26b&x", headers={"accept": "a/b", "x-mine": "1"})
    assert (answer.status_code, answer.json()) == (200, {"found": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-more"] == "yes"
    assert answer.headers["content-length"] == "12"
    assert bench.asked.line == "GET /base/v1/find%20it/?q=a%26b&x HTTP/1.1"
    sent = bench.asked.headers
    assert sent["authorization"] == f"Bearer {VALUE}"
    assert (sent["accept"], sent["x-mine"], sent["host"]) == ("a/b", "1", f"127.0.0.1:{bench.site.port}")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"])
async def test_method_and_body_are_passed_as_they_are(bench: Bench, method: str) -> None:
    body = bytes(range(256)) * 40
    answer = await bench.call(method=method, content=body, headers={"content-type": "application/x-mine; a=b"})
    assert answer.status_code == 200
    assert bench.asked.line.startswith(f"{method} ")
    assert bench.asked.body == body
    assert bench.asked.headers["content-type"] == "application/x-mine; a=b"


async def test_nothing_is_said_of_a_body_that_the_caller_did_not_say(bench: Bench) -> None:
    await bench.call(method="POST", content=b"x")
    assert "content-type" not in bench.asked.headers
    await bench.call(method="DELETE")
    assert bench.asked.headers["content-length"] == "0"
    await bench.call()
    assert "content-length" not in bench.asked.headers


async def test_head_has_the_head_of_the_answer_and_no_body(bench: Bench) -> None:
    bench.site.answer = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\nx-more: yes\r\n\r\n"
    answer = await bench.call(method="HEAD")
    assert (answer.status_code, answer.content, answer.headers["x-more"]) == (200, b"", "yes")


async def test_what_proves_the_caller_to_the_router_goes_no_further(bench: Bench) -> None:
    await bench.put_secret("ours", "other")
    await bench.put(secret="secrets/other", placement="header:X-Key")
    token = bench.token("search")
    sent = {
        "x-api-key": token, "x-key": "theirs", "cookie": "theirs", "x-signet-run": "theirs",
        "x-forwarded-for": "theirs",        "x-http-method-override": "DELETE", "x-original-url": "/admin",
        "range": "bytes=0-3", "te": "trailers",
        "proxy-authorization": "theirs", "connection": "close, x-named", "x-named": "theirs",
    }  # fmt: skip
    assert (await bench.call(headers=sent, token=token)).status_code == 200
    assert set(bench.asked.headers) == {"host", "accept", "accept-encoding", "user-agent", "x-key", "via"}
    assert bench.asked.headers["x-key"] == "ours"
    assert bench.asked.headers["accept-encoding"] == "identity"
    assert (await bench.running.door.get("/apis/search/", headers={"x-api-key": token})).status_code == 200
    assert "x-api-key" not in bench.asked.headers
    assert token.encode() not in b"".join(asked.head for asked in bench.site.asked)


async def test_a_credential_of_the_query_takes_the_place_of_the_callers(bench: Bench) -> None:
    await bench.put(placement="query:key")
    await bench.call("/v1?key=theirs&q=1&%6Bey=theirs")
    line = f"GET /base/v1?q=1&key={VALUE.replace('/', '%2F').replace('+', '%2B')} HTTP/1.1"
    assert bench.asked.line == line.replace('"', "%22").replace("\\", "%5C")


async def test_an_api_without_a_credential_is_called_without_one(bench: Bench) -> None:
    await bench.put(secret="", placement="")
    assert (await bench.call()).status_code == 200
    assert "authorization" not in bench.asked.headers


async def test_cookies_and_what_only_the_router_says_do_not_come_back(bench: Bench) -> None:
    headers = (
        "set-cookie: session=1",
        "x-signet-usage: {}",
        "proxy-authenticate: x",
        "connection: x-named",
        "x-named: 1",
    )
    bench.site.answer = lambda _: plain(b"x", *headers)
    answer = await bench.call()
    assert set(answer.headers) == {"content-length", "x-signet-usage"}
    assert '"model":"apis/search"' in answer.headers["x-signet-usage"]


async def test_a_redirect_is_passed_on_and_never_followed(bench: Bench) -> None:
    where = f"http://127.0.0.1:{bench.site.port}/elsewhere"
    for status in ("301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"):
        bench.site.answer = lambda _, status=status: plain(b"", f"location: {where}", status=status)  # type: ignore[misc] # a default binds it
        answer = await bench.call()
        assert (answer.status_code, answer.headers["location"]) == (int(status[:3]), where)
    assert len(bench.site.asked) == 5


async def test_errors_of_the_api_come_back_as_they_are(bench: Bench) -> None:
    bench.site.answer = lambda _: plain(b"no such thing", "retry-after: 7", status="429 Slow down")
    answer = await bench.call()
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (429, "no such thing", "7")


async def test_only_who_is_named_by_the_api_or_a_policy_may_call_it(bench: Bench) -> None:
    assert code(await bench.call(token=bench.token())) == (403, "api_not_allowed")
    assert code(await bench.call(token=bench.token("other"))) == (403, "api_not_allowed")
    assert code(await bench.call(token=bench.token("search", seconds=-1))) == (401, "unauthorized")
    assert code(await bench.running.door.get("/apis/search/")) == (401, "unauthorized")
    assert code(await bench.call(token=VIEWER)) == (403, "unauthorized")
    assert code(await bench.call(token=WORKER)) == (403, "unauthorized")
    assert bench.site.asked == []
    assert (await bench.call(token=bench.token("search"))).status_code == 200
    assert (await bench.call(token=bench.token("apis/search"))).status_code == 200
    assert (await bench.call(token=OPERATOR)).status_code == 200
    await bench.put(agents=["agents/a2"])
    assert (await bench.call(token=bench.token(agent="agents/a2"))).status_code == 200
    assert code(await bench.call(token=bench.token(agent="agents/a1"))) == (403, "api_not_allowed")


async def test_who_may_not_call_an_api_is_not_told_whether_there_is_one(bench: Bench) -> None:
    there, not_there = [await bench.call(api=name, token=bench.token()) for name in ("search", "nothing")]
    assert there.text.replace("search", "nothing") == not_there.text
    assert code(await bench.call(api="nothing", token=bench.token("nothing"))) == (404, "api_not_found")
    assert code(await bench.call(api="nothing", token=OPERATOR)) == (404, "api_not_found")


async def test_the_policy_of_now_counts_and_not_that_of_the_runs_begin(bench: Bench) -> None:
    run, policy = bench.token("search"), bench.token("search", run="")
    assert code(await bench.call(token=run, headers={"x-signet-policy": ""})) == (403, "api_not_allowed")
    without = bench.token("other", run="")
    assert code(await bench.call(token=run, headers={"x-signet-policy": without})) == (403, "api_not_allowed")
    assert (await bench.call(token=bench.token(), headers={"x-signet-policy": policy})).status_code == 200
    others = bench.token("search", run="", agent="agents/a2")
    assert code(await bench.call(token=run, headers={"x-signet-policy": others})) == (403, "unauthorized")
    assert code(await bench.call(token=run, headers={"x-signet-policy": "sgr_x"})) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/find", 200),
        ("HEAD", "/v1/find", 200),
        ("POST", "/v1/find", 403),
        ("GET", "/v1", 403),
        ("GET", "/admin", 403),
        ("GET", "/v1/find/more", 403),
        ("DELETE", "/v1/jobs/1/x", 200),
        ("TRACE", "/v1/jobs/1", 403),
    ],
)
async def test_only_what_is_allowed_passes(bench: Bench, method: str, path: str, status: int) -> None:
    await bench.put(allow=["GET /v1/*", "* /v1/jobs/**"])
    answer = await bench.call(path, method)
    assert answer.status_code == status
    if status == 403:
        assert code(answer) == (403, "path_not_allowed")
        assert "GET /v1/*, * /v1/jobs/**" in answer.text
        assert bench.site.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "/apis/search/v1/../../admin", "/apis/search/v1/%2e%2e/%2e%2e/admin", "/apis/search/v1/..%2f..%2fadmin",
        "/apis/search/v1/%252e%252e/admin", "/apis/search/v1//admin", "/apis/search/v1/..;/admin", "/apis/search/..",
        "/apis/search/v1/%5c..%5cadmin", "/apis/search/v1/%00", "/apis/../apis/search/v1", "/apis/search%2fv1/x",
        "/apis/%73earch/v1/x", "/apis/search/v1/%0d%0aX:%20y", "/%61pis/search/v1/x", "//apis/search/v1/x",
    ],
)  # fmt: skip
async def test_a_path_that_leads_elsewhere_when_it_is_read_otherwise_reaches_nobody(bench: Bench, target: str) -> None:
    await bench.put(allow=["GET /v1/**"])
    answer = await bench.raw(f"GET {target} HTTP/1.1", "Connection: close")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 ", b"HTTP/1.1 404 ")), answer
    assert bench.site.asked == []


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (
            ["POST /apis/search/v1/x HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked"],
            b"0\r\n\r\nGET /admin",
        ),
        (["POST /apis/search/v1/x HTTP/1.1", "Content-Length: 4", "Content-Length: 5"], b"abcde"),
        (["POST /apis/search/v1/x HTTP/1.1", "Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
        (["GET /apis/search/v1/x HTTP/1.1", "X-Mine: a\nX-Smuggled: b", "Connection: close"], b""),
        (["GET /apis/search/v1/x HTTP/1.1", "X-Mine : b", "Connection: close"], b""),
        (["GET /apis/search/v1/x\tHTTP/1.1", "Connection: close"], b""),
    ],
)
async def test_a_request_that_two_readers_could_divide_otherwise_reaches_nobody(
    bench: Bench, lines: list[str], body: bytes
) -> None:
    assert b"HTTP/1.1 400 " in await bench.raw(*lines, body=body)
    assert bench.site.asked == []


async def test_a_target_with_a_host_of_its_own_goes_to_the_api_all_the_same(bench: Bench) -> None:
    answer = await bench.raw("GET http://elsewhere.example/apis/search/v1/x HTTP/1.1", "Connection: close")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert bench.asked.line == "GET /base/v1/x HTTP/1.1"
    assert bench.asked.headers["host"] == f"127.0.0.1:{bench.site.port}"


async def test_a_body_in_chunks_is_sent_whole_with_its_length(bench: Bench) -> None:
    lines = ("POST /apis/search/v1/x HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close")
    assert (await bench.raw(*lines, body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert (bench.asked.body, bench.asked.headers["content-length"]) == (b"abcde", "5")
    assert "transfer-encoding" not in bench.asked.headers


async def test_the_apis_that_a_caller_may_call_are_listed_for_it(bench: Bench) -> None:
    await bench.put("weather", allow=[], description="The weather", agents=["agents/a2"], calls_per_minute=5)
    weather = {
        "name": "apis/weather", "path": "/apis/weather", "description": "The weather", "allow": ["GET /**"],
        "calls_per_minute": 5,
    }  # fmt: skip

    async def listed(token: str) -> list[dict[str, object]]:
        answer = await bench.running.door.get("/apis", headers=bearer(token))
        return list(answer.json()["apis"])

    assert [api["name"] for api in await listed(bench.token("search"))] == ["apis/search"]
    assert await listed(bench.token("nothing", agent="agents/a2")) == [weather]
    assert await listed(bench.token()) == []
    assert [api["name"] for api in await listed(VIEWER)] == ["apis/search", "apis/weather"]
    assert code(await bench.running.door.post("/apis", headers=bearer(OPERATOR))) == (405, "invalid_request")
    assert VALUE not in str(await listed(OPERATOR))


async def test_a_call_that_comes_back_to_the_router_is_one_too_many(bench: Bench) -> None:
    def again(asked: Asked) -> bytes:
        return plain(b"", f"x-via: {asked.headers['via']}")

    bench.site.answer = again
    assert (await bench.call()).headers["x-via"] == "1.1 signet"
    assert code(await bench.call(headers={"via": "1.1 signet"})) == (508, "loop_detected")
