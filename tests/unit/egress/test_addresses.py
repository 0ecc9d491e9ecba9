"""A name is resolved once, outside, and leads to no address that it was not meant to lead to."""

import pytest

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way


def connect(at: str) -> bytes:
    return f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "169.254.169.254", "169.254.1.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1",
     "0.0.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "fd00:ec2::254", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"],
)  # fmt: skip
async def test_a_name_does_not_lead_to_an_address_that_is_not_public(way: Way, site: Sites, address: str) -> None:
    here = await site()
    way.names["inward.test"] = [address]
    await way.load(f"network: {{a: {{endpoints: [{{host: inward.test, port: {here.port}}}]}}}}\n")
    answer = await way.raw(connect(f"inward.test:{here.port}"))
    assert answer.startswith(b"HTTP/1.1 403 "), answer
    told = await way.told(verdict="deny", host="inward.test")
    assert told["address"] == address
    assert not here.connections


async def test_a_name_that_changes_its_address_is_asked_for_once(way: Way, site: Sites) -> None:
    """What was decided on is what is connected to: there is no second answer to swap in."""
    here = await site(tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    code, out, err = await way.curl(f"https://site.test:{here.port}/", f"https://site.test:{here.port}/again")
    assert (code, out) == (0, "hello from the site\n" * 2), err
    assert way.lookups == ["site.test"]
    way.names["site.test"] = ["10.0.0.1"]
    code, _, _ = await way.curl(f"https://site.test:{here.port}/")
    assert code == 56
    await way.told(verdict="deny", host="site.test", address="10.0.0.1")


async def test_of_several_addresses_only_those_are_tried_that_may_be(way: Way, site: Sites) -> None:
    here = await site()
    way.names["mixed.test"] = ["10.255.255.1", "127.0.0.1"]
    await way.load(network(here.port, host="mixed.test"))
    code, out, err = await way.curl(f"http://mixed.test:{here.port}/")
    assert (code, out) == (0, "hello from the site\n"), err
    assert (await way.told(verdict="allow"))["address"] == "127.0.0.1"


async def test_the_platforms_own_ports_are_refused_whatever_the_policy_says(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port), ports=[here.port])
    answer = await way.raw(connect(f"site.test:{here.port}"))
    assert answer.startswith(b"HTTP/1.1 403 ")
    await way.told(verdict="deny", rule="platform.ports")
    assert not here.connections
    await way.load(network(here.port) + "enforcement: audit\n", ports=[here.port])
    assert (await way.raw(connect(f"site.test:{here.port}"))).startswith(b"HTTP/1.1 403 ")


async def test_a_name_that_is_not_there_says_so(way: Way) -> None:
    await way.load("network: {a: {endpoints: [{host: gone.test}]}}\n")
    answer = await way.raw(connect("gone.test:443"))
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"name_not_found" in answer


async def test_a_site_that_is_not_there_says_so(way: Way, site: Sites) -> None:
    here = await site()
    await here.aclose()
    await way.load(network(here.port))
    answer = await way.raw(connect(f"site.test:{here.port}"))
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"unreachable" in answer
