"""What of an API may be called, and which paths are none that could be decided about."""

import pytest

from router.apis.allow import Rule, allowed, rule
from router.apis.asked import MAX_LETTERS, read
from router.refusal import Refusal

READING = [rule("GET /v1/*"), rule("POST /v1/search"), rule("* /open/**")]


@pytest.mark.parametrize(
    ("method", "path", "passes"),
    [
        ("GET", "/v1/a", True),
        ("HEAD", "/v1/a", True),
        ("GET", "/v1/a/", True),
        ("GET", "/v1/a/b", False),
        ("GET", "/v1", False),
        ("GET", "/V1/a", False),
        ("get", "/v1/a", False),
        ("PUT", "/v1/a", False),
        ("POST", "/v1/search", True),
        ("HEAD", "/v1/search/x", False),
        ("POST", "/v1/search/x", False),
        ("POST", "/v1/searches", False),
        ("DELETE", "/open/a/b/c", True),
        ("DELETE", "/open", True),
        ("DELETE", "/opener", False),
        ("TRACE", "/open/a", False),
        ("CONNECT", "/open/a", False),
        ("GET", "", False),
        ("GET", "/v1/%61", True),
        ("GET", "/v1/a%20b", True),
        ("GET", "/%76%31/a", True),
    ],
)
def test_methods_and_paths_pass_by_a_rule_that_covers_both(method: str, path: str, *, passes: bool) -> None:
    asked = read(method, f"/apis/x{path}".encode(), b"")
    assert allowed(READING, method, asked.segments) == passes


def test_without_rules_every_get_passes_and_nothing_else() -> None:
    assert allowed((), "GET", ("a", "b"))
    assert allowed((), "HEAD", ())
    assert not [method for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE") if allowed((), method, ())]


@pytest.mark.parametrize(
    "text",
    [
        "", "GET", "GET ", "/v1", "get /v1", "GET v1", "GET  /v1", "TRACE /v1", "CONNECT /", "GET /v1?x=1", "GET /v1#x",
        "GET /a/../b", "GET /a//b", "GET /a/./b", "GET /%2e", "GET /a;b", "GET /a\\b", "GET /a**", "GET,POST /a",
        "GET /" + "x" * 300,
    ],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rule(text)


def test_a_rule_is_written_as_it_was_read() -> None:
    assert str(rule("GET /v1/**")) == "GET /v1/**"
    assert rule("GET /**") == Rule()


TRICKS = [
    "/v1/../admin", "/v1/..", "/..", "/.", "/v1/./a", "/v1//a", "//a", "/v1/%2e%2e/admin", "/v1/%2E%2e/admin",
    "/v1/.%2e/admin", "/v1/..%2fadmin", "/v1%2fadmin", "/v1%2Fadmin", "/v1%5cadmin", "/v1\\..\\admin",
    "/v1/%252e%252e/a",
    "/v1/%25%32%65/a", "/v1/..;/admin", "/v1;x=1/a", "/v1/%3b/a", "/v1/%00", "/v1/%0d%0aHost:x", "/v1/%ff",
    "/v1/%c0%ae/a",
    "/v1/%", "/v1/%zz", "/v1/%u002e", "/v1/a b", "/v1/\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_servers_read_in_different_ways_is_refused_whatever_the_rules(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        read("GET", f"/apis/x{path}".encode(), b"")
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/apis/", "/apis/X", "/apis/a_b", "/apis/%78/a", "/%61pis/x", "/apis", "/apisx/a", "/apis//x"]
)
def test_what_names_no_api_is_none(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        read("GET", path.encode(), b"")
    assert (caught.value.status, caught.value.code) == (404, "api_not_found")


def test_path_and_query_are_passed_as_they_were_written() -> None:
    asked = read("GET", b"/apis/search/v1/a%20b/", b"q=%2e%2e/%2f&x=?;")
    assert (asked.api, asked.path, asked.segments, asked.query) == (
        "search",
        "/v1/a%20b/",
        ("v1", "a b"),
        "q=%2e%2e/%2f&x=?;",
    )
    assert read("GET", b"/apis/search", b"").path == ""
    assert read("GET", b"/apis/search/", b"").path == "/"


def test_path_and_query_have_a_greatest_length() -> None:
    read("GET", b"/apis/x/", b"q" * (MAX_LETTERS - 1))
    with pytest.raises(Refusal) as caught:
        read("GET", b"/apis/x/", b"q" * MAX_LETTERS)
    assert caught.value.status == 414


@pytest.mark.parametrize("query", [b"a b", b"a\r\nb", b"a\x00", "é".encode(), b"a#b"])
def test_a_query_that_is_no_plain_text_is_refused(query: bytes) -> None:
    with pytest.raises(Refusal):
        read("GET", b"/apis/x/", query)
