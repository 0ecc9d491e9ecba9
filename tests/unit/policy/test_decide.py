"""Decisions as tables: the rule that decides, what has to be looked at, who is asked, and what would help."""

import pytest

from signet.policy.decide import Attempt, Decision, GrantView, address, connection, request
from signet.policy.document import parse
from signet.policy.lend import carries, lent
from signet.policy.model import Policy

POLICY = parse("""
version: 1
network:
  api:
    endpoints:
      - {host: api.example.org, access: read-only, deny: [{method: "*", path: /admin/**}]}
      - {host: api.example.org, rules: [{method: POST, path: /gists}]}
      - {host: "*.files.example.org"}
      - {host: shut.example.org, deny: [{method: "*"}]}
    binaries: [/usr/bin/curl]
  any:
    endpoints:
      - {host: open.example.org, tls: pass}
      - {host: seen.example.org, tls: terminate}
      - {host: full.example.org, access: full}
      - {host: lent.example.org}
      - {host: db.internal, port: 5432, allowed_ips: [10.0.0.0/8, 127.0.0.1]}
secrets:
  token: {secret: token, env: TOKEN, host: lent.example.org, path: /api/**}
approvals: {network: ask}
""")
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - decided about, never bound
CURL, GIT = ("/usr/bin/curl",), ("/usr/bin/git",)


def ask(host: str, port: int = 443, binaries: tuple[str, ...] = CURL, policy: Policy = POLICY) -> Decision:
    """Ask for a connection."""
    return connection(policy, (), Attempt(host, port, binaries), 100.0)


@pytest.mark.parametrize(
    ("host", "binaries", "verdict", "rule", "inspect"),
    [
        ("api.example.org", CURL, "allow", "network.api.endpoints[0]", True),
        ("API.EXAMPLE.ORG.", CURL, "allow", "network.api.endpoints[0]", True),
        ("api.example.org", GIT, "deny", "default", False),
        ("api.example.org", (*CURL, *GIT), "deny", "default", False),
        ("api.example.org", (), "deny", "default", False),
        ("a.files.example.org", CURL, "allow", "network.api.endpoints[2]", False),
        ("a.b.files.example.org", CURL, "deny", "default", False),
        ("files.example.org", CURL, "deny", "default", False),
        ("shut.example.org", CURL, "deny", "network.api.endpoints[3].deny[0]", False),
        ("shut.example.org", (), "deny", "network.api.endpoints[3].deny[0]", False),
        ("shut.example.org", GIT, "deny", "default", False),
        ("open.example.org", (), "allow", "network.any.endpoints[0]", False),
        ("seen.example.org", (), "allow", "network.any.endpoints[1]", True),
        ("full.example.org", (), "allow", "network.any.endpoints[2]", False),
        ("lent.example.org", (), "allow", "network.any.endpoints[3]", True),
        ("1.1.1.1", (), "deny", "default", False),
        ("elsewhere.example.org", (), "deny", "default", False),
    ],
)
def test_a_connection_is_decided_by_the_rule_that_is_named(
    host: str, binaries: tuple[str, ...], verdict: str, rule: str, *, inspect: bool
) -> None:
    decision = ask(host, binaries=binaries)
    assert (decision.verdict, decision.rule, decision.inspect) == (verdict, rule, inspect)
    assert decision.ask == (verdict == "deny" and rule == "default")


def test_nobody_is_asked_about_what_is_denied_explicitly_or_is_no_place() -> None:
    assert not ask("shut.example.org").ask
    assert not ask("a..b").ask
    assert not ask("api.example.org", 0).ask


@pytest.mark.parametrize(
    ("method", "path", "verdict", "rule"),
    [
        ("GET", "/repos?q=/admin/", "allow", "network.api.endpoints[0].access"),
        ("GET", "/a%2Fb", "deny", "network.api.endpoints[0].deny[0]"),
        ("POST", "/gists", "allow", "network.api.endpoints[1].rules[0]"),
        ("POST", "/gists/", "allow", "network.api.endpoints[1].rules[0]"),
        ("POST", "/gists/1", "deny", "default"),
        ("DELETE", "/repos", "deny", "default"),
        ("GET", "/admin/users", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/admin", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/ADMIN/users", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/%61dmin/users", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/%2561dmin/users", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "//admin/users", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/x/..;/admin", "deny", "network.api.endpoints[0].deny[0]"),
        ("GET", "/x/%2e%2e/admin", "deny", "network.api.endpoints[0].deny[0]"),
        ("get", "/admin", "deny", "network.api.endpoints[0].deny[0]"),
        ("CONNECT", "/", "deny", "default"),
        ("GET", "/a b", "deny", "default"),
        ("GET /x HTTP/1.1\r\nGET", "/", "deny", "default"),
    ],
)
def test_a_request_is_decided_by_method_and_path(method: str, path: str, verdict: str, rule: str) -> None:
    decision = request(POLICY, ask("api.example.org"), method, path)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert not decision.ask


@pytest.mark.parametrize(
    ("ip", "verdict"),
    [
        ("93.184.216.34", "allow"),
        ("10.2.3.4", "allow"),
        ("::ffff:10.2.3.4", "allow"),
        ("127.0.0.1", "allow"),
        ("127.0.0.2", "deny"),
        ("192.168.0.1", "deny"),
        ("169.254.169.254", "deny"),
        (UNSPECIFIED, "deny"),
        ("::1", "deny"),
        ("::", "deny"),
        ("64:ff9b::a00:1", "deny"),
        ("224.0.0.1", "deny"),
        ("not an address", "deny"),
    ],
)
def test_an_address_that_is_not_public_has_to_be_listed(ip: str, verdict: str) -> None:
    assert address(POLICY, ask("db.internal", 5432), "db.internal", ip).verdict == verdict


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", UNSPECIFIED])
def test_neither_a_grant_nor_audit_opens_what_is_not_public(ip: str) -> None:
    grants = [GrantView("grants/1", "network", "inside.example.org", 443)]
    granted = connection(POLICY, grants, Attempt("inside.example.org", 443), 0.0)
    assert granted.verdict == "allow"
    assert address(POLICY, granted, "inside.example.org", ip).verdict == "deny"
    audit = parse("version: 1\nenforcement: audit")
    watched = ask("inside.example.org", policy=audit)
    assert watched.verdict == "audit"
    assert address(audit, watched, "inside.example.org", ip).verdict == "deny"


def test_only_the_endpoint_that_lists_an_address_lets_requests_to_it_through() -> None:
    policy = parse("""
version: 1
network:
  a:
    endpoints:
      - {host: x.example.org, access: read-only, allowed_ips: [10.0.0.1]}
      - {host: x.example.org, access: full}
""")
    inside = address(policy, ask("x.example.org", policy=policy), "x.example.org", "10.0.0.1")
    outside = address(policy, ask("x.example.org", policy=policy), "x.example.org", "93.184.216.34")
    assert request(policy, inside, "GET", "/").verdict == "allow"
    assert request(policy, inside, "DELETE", "/").verdict == "deny"
    assert request(policy, outside, "DELETE", "/").verdict == "allow"


def test_a_grant_opens_its_host_and_port_until_it_ends_and_no_deny_rule() -> None:
    grants = [
        GrantView("grants/1", "network", "New.example.org", 8443, expires=200.0),
        GrantView("grants/2", "network", "shut.example.org", 443),
        GrantView("grants/3", "network", "api.example.org", 443),
        GrantView("grants/4", "command", "cmd.example.org", 443),
    ]

    def asked(host: str, port: int, now: float = 100.0) -> Decision:
        return connection(POLICY, grants, Attempt(host, port, GIT), now)

    assert asked("new.example.org", 8443).rule == "grants/1"
    assert asked("new.example.org", 8443, 200.0).verdict == "deny"
    assert asked("new.example.org", 443).verdict == "deny"
    assert asked("a.new.example.org", 8443).verdict == "deny"
    assert asked("cmd.example.org", 443).verdict == "deny"
    assert connection(POLICY, grants, Attempt("shut.example.org", 443, CURL), 0.0).rule.endswith(".deny[0]")
    known = connection(POLICY, grants, Attempt("api.example.org", 443, CURL), 0.0)
    assert known.inspect
    assert request(POLICY, known, "DELETE", "/repos").rule == "grants/3"
    assert request(POLICY, known, "GET", "/admin").verdict == "deny"


def test_audit_notes_what_enforce_denies_and_asks_nobody() -> None:
    audit = parse(
        "version: 1\nenforcement: audit\napprovals: {network: ask}\nnetwork: {a: {endpoints: "
        "[{host: x.org, access: read-only, deny: [{path: /no}]}, {host: y.org, deny: [{method: '*'}]}]}}"
    )
    assert (ask("z.org", policy=audit).verdict, ask("z.org", policy=audit).ask) == ("audit", False)
    assert (ask("y.org", policy=audit).verdict, ask("y.org", policy=audit).rule) == (
        "audit",
        "network.a.endpoints[1].deny[0]",
    )
    known = ask("x.org", policy=audit)
    assert known.verdict == "allow"
    assert request(audit, known, "DELETE", "/").verdict == "audit"
    assert request(audit, known, "GET", "/no").verdict == "audit"
    assert request(audit, known, "GET", "/").verdict == "allow"


@pytest.mark.parametrize(
    ("host", "port", "binaries", "hint"),
    [
        ("new.example.org", 443, CURL, "network: new-example-org: {endpoints: [{host: new.example.org, port: 443}]}"),
        ("open.example.org", 80, CURL, "add {host: open.example.org, port: 80} to network.any.endpoints"),
        ("api.example.org", 443, GIT, "add /usr/bin/git to network.api.binaries"),
        ("api.example.org", 443, (), "leave network.api.binaries out"),
        ("[2606:4700::1]", 443, (), '{host: "2606:4700::1", port: 443}'),
    ],
)
def test_a_denial_says_what_would_let_it_through(host: str, port: int, binaries: tuple[str, ...], hint: str) -> None:
    assert hint in ask(host, port, binaries).hint


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("0x7f.1", "loopback"),
        ("2130706433", "loopback"),
        ("[::ffff:127.0.0.1]", "loopback"),
        ("[::1]", "loopback"),
        ("10.1.2.3", "private"),
        ("[fd12::1]", "private"),
        ("169.254.7.7", "link-local"),
        ("169.254.169.254", "metadata"),
        ("[fe80::1]", "link-local"),
        ("198.51.100.1", "reserved"),
        (UNSPECIFIED, "unspecified"),
        ("224.0.0.1", "multicast"),
    ],
)
def test_nobody_is_asked_for_an_address_that_no_yes_could_open(host: str, kind: str) -> None:
    asked = ask(host)
    assert (asked.verdict, asked.ask) == ("deny", False)
    grant = GrantView("grants/a", "network", host=host.strip("[]"), port=443, command="", expires=None)
    granted = connection(POLICY, (grant,), Attempt(host, 443, CURL), 100.0)
    refused = address(POLICY, granted, host, host)
    assert (granted.verdict, refused.verdict) == ("allow", "deny")
    assert kind in refused.reason
    if kind in {"unspecified", "multicast"}:
        assert asked.hint == ""
    else:
        line = asked.hint.removeprefix("add under network: ")
        helped = parse(f"version: 1\nnetwork: {{{line}}}")
        assert address(helped, ask(host, policy=helped), host, host).verdict == "allow"


@pytest.mark.parametrize("host", ["1.1.1.1", "0x01.1.1.1", "[2606:4700::1]", "new.example.org"])
def test_a_person_is_asked_for_a_public_address_or_a_name(host: str) -> None:
    assert ask(host).ask


def test_a_denied_request_says_which_line_to_widen() -> None:
    policy = parse(
        "version: 1\nnetwork: {a: {endpoints: [{host: x.org, access: read-only}, "
        "{host: y.org, rules: [{method: GET}]}]}}"
    )
    for host, method, hint in [
        ("x.org", "POST", "make it access: read-write in network.a.endpoints[0]"),
        ("x.org", "DELETE", "make it access: full in network.a.endpoints[0]"),
        ("y.org", "POST", "add {method: POST, path: /a} to network.a.endpoints[1].rules"),
    ]:
        assert request(policy, ask(host, policy=policy), method, "/a?secret=1").hint == hint


def test_a_hint_is_a_line_that_a_policy_takes() -> None:
    line = ask("new.example.org").hint.removeprefix("add under network: ")
    assert ask("new.example.org", policy=parse(f"version: 1\nnetwork: {{{line}}}")).verdict == "allow"


def test_a_secret_is_lent_to_its_host_port_path_and_header_only() -> None:
    (use,) = lent(POLICY, "LENT.example.org.", 443)
    assert carries(use, "lent.example.org", 443, "/api/x", "Authorization")
    assert lent(POLICY, "lent.example.org", 80) == ()
    assert lent(POLICY, "api.example.org", 443) == ()
    for host, port, path, header in [
        ("api.example.org", 443, "/api/x", "authorization"),
        ("lent.example.org", 80, "/api/x", "authorization"),
        ("lent.example.org", 443, "/other", "authorization"),
        ("lent.example.org", 443, "/api/../other", "authorization"),
        ("lent.example.org", 443, "/api/%2e%2e/other", "authorization"),
        ("lent.example.org", 443, "/api/x", "x-other"),
    ]:
        assert not carries(use, host, port, path, header)
