"""A denied connection becomes a question where the policy wants it, and the answer opens it without another start."""

import asyncio

from signet.policy.decide import GrantView
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way

ASK = "approvals: {{network: ask, hold: {}s}}\n"


async def test_who_is_denied_hears_that_somebody_is_asked(way: Way) -> None:
    await way.load(ASK.format(0))
    answer = await way.raw(b"CONNECT new.test:443 HTTP/1.1\r\nHost: new.test:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"approval_requested" in answer
    assert b"approvals/a1" in answer
    question = await way.question()
    assert (question["host"], question["port"]) == ("new.test", 443)
    assert question["hint"].startswith("add ")


async def test_the_same_is_asked_once(way: Way) -> None:
    await way.load(ASK.format(0))
    for _ in range(3):
        await way.raw(b"CONNECT new.test:443 HTTP/1.1\r\nHost: new.test:443\r\n\r\n")
    assert len(way.asked) == 1


async def test_nothing_is_asked_where_the_policy_does_not_want_it(way: Way) -> None:
    await way.load("network: {}\n")
    answer = await way.raw(b"CONNECT new.test:443 HTTP/1.1\r\nHost: new.test:443\r\n\r\n")
    assert b"policy_denied" in answer
    assert not way.asked


async def test_what_is_denied_explicitly_is_not_asked_for(way: Way) -> None:
    deny = "network: {a: {endpoints: [{host: new.test, deny: [{method: '*', path: /**}]}]}}\n"
    await way.load(ASK.format(0) + deny)
    answer = await way.raw(b"CONNECT new.test:443 HTTP/1.1\r\nHost: new.test:443\r\n\r\n")
    assert b"policy_denied" in answer
    assert not way.asked


async def test_a_connection_is_held_until_the_answer(way: Way, site: Sites) -> None:
    here = await site()
    listed = network(here.port).replace("}]}}", "}], binaries: [/no]}}")
    await way.load(ASK.format(60) + listed)
    going = asyncio.create_task(way.curl(f"http://site.test:{here.port}/"))
    await way.question()
    await way.load(ASK.format(60) + listed.replace(", binaries: [/no]", ""))
    code, out, err = await going
    assert (code, out) == (0, "hello from the site\n"), err


async def test_a_grant_that_is_given_lets_a_public_name_through(way: Way) -> None:
    """What it leads to is decided all the same."""
    await way.load(ASK.format(0), [GrantView("grants/g1", "network", "site.test", 443)])
    answer = await way.raw(b"CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n")
    assert b"loopback" in answer
    assert not way.asked


async def test_a_connection_is_held_no_longer_than_the_policy_says(way: Way) -> None:
    await way.load(ASK.format(1))
    answer = await way.raw(b"CONNECT new.test:443 HTTP/1.1\r\nHost: new.test:443\r\n\r\n")
    assert b"approval_requested" in answer
