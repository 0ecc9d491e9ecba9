"""The credential's place, and what of a caller's headers and query reaches an API."""

import pytest

from router.apis.place import NOWHERE, Place, headers, looped, place, query

BEARER = place("header:Authorization:Bearer ")
KEY = place("query:key")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", NOWHERE),
        ("header:X-Key", Place("header", "X-Key")),
        ("header:Authorization:Bearer ", Place("header", "Authorization", "Bearer ")),
        ("header:Authorization:a:b", Place("header", "Authorization", "a:b")),
        ("query:api_key", Place("query", "api_key")),
    ],
)
def test_a_place_is_written_as_it_was_read(text: str, found: Place) -> None:
    assert place(text) == found
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "header", "header:", "header:a b", "header:a\r\nb", "header:x:a\r\n", "header:x:\u00e9", "header:x:" + "y" * 65,
        "query:", "query:a=b", "query:a:b", "query:a&b", "cookie:x", "Header:x", "header:Host", "header:content-length",
        "header:Transfer-Encoding", "header:Connection", "header:Accept-Encoding", "header:" + "x" * 65,
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        place(text)


def test_the_credential_stands_where_the_caller_said_its_own() -> None:
    given = [("authorization", "Bearer theirs"), ("Authorization", "x"), ("accept", "a/b")]
    assert headers(given, BEARER, "ours") == {"authorization": "Bearer ours", "accept": "a/b", "via": "1.1 signet"}
    given = [("x-key", "theirs"), ("X_Key", "theirs"), ("x_key", "theirs")]
    assert headers(given, place("header:X-Key"), "ours") == {"x-key": "ours", "via": "1.1 signet"}


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "x-api-key", "X-Api-Key", "x_api_key", "cookie", "proxy-authorization", "proxy-connection",
        "connection",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "content-length", "forwarded",
        "x-forwarded-for", "x-forwarded-host", "x-real-ip", "x-signet-run", "x-signet-policy",
        "x_signet_run", "range",
        "if-range",
        "accept-encoding", "x-http-method-override", "x-http-method", "x-method-override", "x-original-url",
        "x-rewrite-url",
    ],
)  # fmt: skip
def test_what_is_the_callers_own_or_of_one_connection_or_a_trick_is_dropped(name: str) -> None:
    assert headers([(name, "theirs")], place("header:X-Key"), "ours") == {"x-key": "ours", "via": "1.1 signet"}


def test_what_the_connection_header_names_is_dropped_with_it() -> None:
    given = [("connection", "close, X-Secret"), ("x-secret", "theirs"), ("x-other", "1"), ("X-Other", "2")]
    assert headers(given, NOWHERE, "") == {"x-other": "1, 2", "via": "1.1 signet"}


def test_a_caller_cannot_have_the_credential_dropped() -> None:
    assert headers([("connection", "authorization")], BEARER, "ours")["authorization"] == "Bearer ours"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", "key=o%26%20s"),
        ("q=1", "q=1&key=o%26%20s"),
        ("key=theirs&q=1", "q=1&key=o%26%20s"),
        ("q=1&key=a&key=b", "q=1&key=o%26%20s"),
        ("%6bey=theirs&KEY=x&k%65y", "key=o%26%20s"),
        ("q=1;key=theirs", "key=o%26%20s"),
        ("keys=1&q=key", "keys=1&q=key&key=o%26%20s"),
        ("&&q=1&", "q=1&key=o%26%20s"),
    ],
)
def test_the_credential_is_the_only_parameter_of_its_name(given: str, sent: str) -> None:
    assert query(given, KEY, "o& s") == sent


def test_a_query_without_the_credential_is_passed_as_it_is() -> None:
    assert query("a=1&&key=x;b", BEARER, "ours") == "a=1&&key=x;b"


def test_a_call_of_a_routers_own_is_known_again() -> None:
    assert looped([("Via", "1.0 cache, 1.1 signet")])
    assert looped(headers([], NOWHERE, "").items())
    assert not looped([("via", "1.1 other"), ("x", "1.1 signet")])
