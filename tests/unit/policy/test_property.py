"""The decision functions agree with a second, plain implementation over generated policies and requests."""

import json
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signet.policy.canonical import dump, load
from signet.policy.decide import Attempt, Decision, GrantView, address, connection, request
from signet.policy.model import Policy
from tests.unit.policy.plain import Asked, Said, answer

HOSTS = [
    "example.org",
    "api.example.org",
    "www.api.example.org",
    "example.com",
    "localhost",
    "127.0.0.1",
    "10.0.0.1",
    "93.184.216.34",
    "::1",
    "2606:4700::1",
]
SPELLINGS = [
    "API.Example.org",
    "api.example.org.",
    "api.example.org..",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "::ffff:10.0.0.1",
    "[::1]",
    "127.0.0.1.",
    "\uff11\uff12\uff17\u30020.0.1",
    "bücher.example.org",
    "08.1",
    "1.2.3.4.5",
    "api.example.org%00",
    "api..example.org",
    "",
    ".",
    "x:80",
    "fe80::1%eth0",
    "-a.example.org",
]
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - decided about, never bound
IPS = [
    "93.184.216.34",
    "127.0.0.1",
    "127.0.0.2",
    "10.0.0.1",
    "10.9.9.9",
    "169.254.169.254",
    "169.254.1.1",
    UNSPECIFIED,
    "224.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "fd00:ec2::254",
    "fd12::1",
    "fe80::1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "2002:7f00:1::",
    "2606:4700::1",
    "::7f00:1",
    "2001:db8::1",
    "2001::1",
    "100.64.0.1",
    "192.168.1.1",
    "255.255.255.255",
    "168.63.129.16",
]
LISTINGS = [
    "10.0.0.0/8",
    "10.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "192.168.0.0/16",
    "fd00::/8",
    "::1",
    "fe80::1",
    "64:ff9b::7f00:1",
    "100.64.0.0/10",
    "93.184.216.34",
]
PROGRAMS = [
    "/usr/bin/curl",
    "/usr/bin/git",
    "/usr/bin/python3.11",
    "/usr/bin/../bin/curl",
    "/usr/bin/curl (deleted)",
    "curl",
]
PROGRAM_GLOBS = ["/usr/bin/curl", "/usr/bin/python*", "/usr/**", "/**/git"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", "CONNECT", "BREW", "GE T", ""]
GLOBS = ["/**", "/", "/a", "/a/", "/a/**", "/a/*/c", "/**/c", "/A", "/a*", "/*b*/c", "/**/b/**", "/ä", "/**/*"]
SEGMENTS = [
    "a",
    "A",
    "b",
    "c",
    "ab",
    "xbx",
    "%61",
    "%2e%2e",
    "..",
    ".",
    "",
    "%2F",
    "%252f",
    "%25",
    "%zz",
    "a;b",
    "a%2Fb",
    "a%3bb",
    "%C3%A4",
    "%ff",
    "%5c",
    "a\\b",
    "a b",
    "a#b",
    "%00",
    "?q=/a",
    "..;",
    "%",
]

rules = st.lists(
    st.fixed_dictionaries({"method": st.sampled_from(["*", "GET", "POST", "DELETE"]), "path": st.sampled_from(GLOBS)}),
    min_size=1,
    max_size=3,
)
paths = st.one_of(
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from(["/", "", "*", "a/b", "//a", "/a/", "http://x/a", "/a?b=..;/", "/a\r\nx"]),
    st.text(alphabet="/aAbc.%2fe;?\\", max_size=12),
)


@st.composite
def endpoints(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {
        "host": draw(st.sampled_from([*HOSTS, "*.example.org", "*.api.example.org", "*"])),
        "port": draw(st.sampled_from([443, 443, 80])),
    }
    kind = draw(st.sampled_from(["", "access", "rules"]))
    if kind == "access":
        made["access"] = draw(st.sampled_from(["read-only", "read-write", "full"]))
    if kind == "rules":
        made["rules"] = draw(rules)
    if draw(st.integers(0, 3)) == 0:
        made["deny"] = draw(rules)
    looks = kind == "rules" or "deny" in made or made.get("access", "full") != "full"
    made["tls"] = draw(st.sampled_from(["auto", "auto", "terminate"] if looks else ["auto", "pass", "terminate"]))
    if draw(st.booleans()):
        made["allowed_ips"] = draw(st.lists(st.sampled_from(LISTINGS), max_size=3, unique=True))
    return made


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    blocks = {}
    for place in range(draw(st.integers(0, 3))):
        block: dict[str, Any] = {"endpoints": draw(st.lists(endpoints(), max_size=3))}
        if draw(st.integers(0, 2)) == 0:
            block["binaries"] = draw(st.lists(st.sampled_from(PROGRAM_GLOBS), min_size=1, max_size=2, unique=True))
        blocks[f"b{place}"] = block
    passed = [one for block in blocks.values() for one in block["endpoints"] if one["tls"] == "pass"]
    use = {"secret": "s", "env": "TOKEN", "host": "api.example.org", "port": 443}
    lends = not passed and draw(st.integers(0, 4)) == 0
    return {
        "version": 1,
        "enforcement": draw(st.sampled_from(["enforce", "enforce", "audit"])),
        "network": blocks,
        "secrets": {"s": use} if lends else {},
        "approvals": {"network": draw(st.sampled_from(["ask", "off"]))},
    }


grants = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["network", "network", "command"]),
            "host": st.sampled_from([*HOSTS, "API.example.org"]),
            "port": st.sampled_from([443, 80]),
            "expires": st.sampled_from([None, 5.0, 10.0, 20.0]),
        }
    ),
    max_size=2,
)
questions = st.builds(
    Asked,
    host=st.sampled_from([*HOSTS, *HOSTS, *SPELLINGS]),
    port=st.sampled_from([443, 443, 443, 80, 0, 65536]),
    binaries=st.lists(st.sampled_from(PROGRAMS), max_size=2).map(tuple),
    ip=st.sampled_from(IPS),
    method=st.sampled_from(METHODS),
    path=paths,
    now=st.just(10.0),
)


def decided(document: dict[str, Any], granted: list[dict[str, Any]], asked: Asked) -> tuple[Said, list[Decision]]:
    """Ask the real functions one after the other, as the egress sidecar does."""
    policy = loaded(json.dumps(document))
    views = [GrantView(f"grants/{place}", **grant) for place, grant in enumerate(granted)]
    first = connection(policy, views, Attempt(asked.host, asked.port, asked.binaries), asked.now)
    said = Said(first.verdict, explicit=".deny[" in first.rule, ask=first.ask, inspect=first.inspect)
    if first.verdict == "deny":
        return said, [first]
    second = address(policy, first, asked.host, asked.ip)
    if second.verdict == "deny":
        return Said(**{**said.__dict__, "address": "deny"}), [first, second]
    third = request(policy, second, asked.method, asked.path)
    whole = {"address": second.verdict, "request": third.verdict, "request_explicit": ".deny[" in third.rule}
    return Said(**{**said.__dict__, **whole}), [first, second, third]


@settings(max_examples=600, deadline=None)
@given(documents(), grants, questions)
def test_two_implementations_decide_the_same(
    document: dict[str, Any], granted: list[dict[str, Any]], asked: Asked
) -> None:
    said, decisions = decided(document, granted, asked)
    assert said == answer(canonical(json.dumps(document)), granted, asked)
    for decision in decisions:
        assert decision.reason
        assert decision.verdict != "audit" or document["enforcement"] == "audit"
        assert decision.verdict == "allow" or decision.rule == "default" or ".deny[" in decision.rule


@settings(max_examples=400, deadline=None)
@given(endpoints(), endpoints(), st.sampled_from(METHODS), paths, st.sampled_from(["enforce", "audit"]))
def test_they_decide_the_same_about_every_method_and_path(
    one: dict[str, Any], other: dict[str, Any], method: str, path: str, enforcement: str
) -> None:
    here = {"host": "api.example.org", "port": 443, "tls": "auto"}
    block = {"endpoints": [{**one, **here}, {**other, **here}]}
    document = {"version": 1, "enforcement": enforcement, "network": {"b": block}}
    agree(document, Asked("api.example.org", 443, (), "93.184.216.34", method, path, 10.0))


@pytest.mark.parametrize("glob", GLOBS)
@pytest.mark.parametrize("key", ["rules", "deny"])
def test_they_decide_the_same_about_every_path_of_two_segments(key: str, glob: str) -> None:
    rule = {"method": "GET", "path": glob}
    for head, tail in product(["", *SEGMENTS], SEGMENTS):
        path = f"/{head}/{tail}" if head else f"/{tail}"
        agree(only({key: [rule]}), Asked("api.example.org", 443, (), "93.184.216.34", "GET", path, 10.0))


@pytest.mark.parametrize("glob", PROGRAM_GLOBS)
def test_they_decide_the_same_about_every_program_that_holds_a_socket(glob: str) -> None:
    bound = {"endpoints": [{"host": "api.example.org", "deny": [{"path": "/a"}]}], "binaries": [glob]}
    free = {"endpoints": [{"host": "api.example.org"}]}
    for blocks, path in product(({"a": bound}, {"a": bound, "b": free}), ("/a", "/b")):
        for binaries in [(), *product(PROGRAMS), *product(PROGRAMS, PROGRAMS)]:
            asked = Asked("api.example.org", 443, binaries, "93.184.216.34", "GET", path, 10.0)
            agree({"version": 1, "network": blocks}, asked)


@pytest.mark.parametrize("listing", LISTINGS)
def test_they_decide_the_same_about_every_address(listing: str) -> None:
    document = only({"allowed_ips": [listing], "access": "read-only"}, {"access": "full"})
    for ip, method in product(IPS, ["GET", "POST"]):
        agree(document, Asked("api.example.org", 443, (), ip, method, "/a", 10.0))


@pytest.mark.parametrize("wanted", [*HOSTS, "*.example.org", "*.api.example.org", "*"])
def test_they_decide_the_same_about_every_spelling_of_a_host(wanted: str) -> None:
    for host in (*HOSTS, *SPELLINGS):
        agree(only({"host": wanted}), Asked(host, 443, (), "93.184.216.34", "GET", "/", 10.0))


def only(*endpoints: dict[str, Any]) -> dict[str, Any]:
    """Make a policy of one block."""
    block = {"endpoints": [{"host": "api.example.org", **endpoint} for endpoint in endpoints]}
    return {"version": 1, "network": {"b": block}}


def agree(document: dict[str, Any], asked: Asked) -> None:
    """Hold one implementation against the other."""
    assert decided(document, [], asked)[0] == answer(canonical(json.dumps(document)), [], asked)


@cache
def loaded(text: str) -> Policy:
    """Load a policy once."""
    return load(text)


@cache
def canonical(text: str) -> dict[str, Any]:
    """Give a policy with every default, as JSON values."""
    values: dict[str, Any] = json.loads(dump(loaded(text)))
    return values


@settings(max_examples=200, deadline=None)
@given(documents(), questions)
def test_without_endpoints_and_grants_nothing_is_allowed(document: dict[str, Any], asked: Asked) -> None:
    said, _ = decided({**document, "network": {}}, [], asked)
    assert "allow" not in (said.connection, said.address, said.request)


@settings(max_examples=200, deadline=None)
@given(documents(), grants, questions)
def test_a_rule_more_in_deny_never_lets_more_through(
    document: dict[str, Any], granted: list[dict[str, Any]], asked: Asked
) -> None:
    blocks = {
        name: {**block, "endpoints": [{**one, "tls": "auto", "deny": [*one.get("deny", []), {"path": "/a/**"}]}
                                      for one in block["endpoints"]]}
        for name, block in document["network"].items()
    }  # fmt: skip
    before, _ = decided(document, granted, asked)
    after, _ = decided({**document, "network": blocks}, granted, asked)
    assert after.request != "allow" or before.request == "allow"


@settings(max_examples=200, deadline=None)
@given(documents())
def test_a_policy_is_the_same_after_its_canonical_form(document: dict[str, Any]) -> None:
    policy = load(json.dumps(document))
    assert load(dump(policy)) == policy
    assert dump(load(dump(policy))) == dump(policy)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.integers(), st.text(max_size=20), st.text(max_size=40), st.text(max_size=30))
def test_decisions_are_made_about_anything(host: str, port: int, method: str, path: str, ip: str) -> None:
    policy = load(json.dumps({"version": 1, "network": {"all": {"endpoints": [{"host": "*"}]}}}))
    first = connection(policy, (), Attempt(host, port, (path,)), 0.0)
    second = address(policy, first, host, ip)
    assert request(policy, second, method, path).verdict in {"allow", "deny"}
