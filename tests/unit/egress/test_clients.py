"""Programs that people use go out with nothing but the environment that a sandbox gives them."""

import asyncio
import os
import shutil
import sys

import pytest

from tests.fakes.site import plain
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way, run
from workers.egress import BUNDLE, environment

LIBRARY = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=20).read().decode())"
CLIENTS = {
    "curl": ["curl", "-sS"],
    "python": [sys.executable, "-c", LIBRARY],
    "git": ["git", "ls-remote"],
}
PLAIN = [["wget", "-q", "-O", "-"], ["curl", "-sS"], [sys.executable, "-c", LIBRARY]]


def around(way: Way) -> list[str]:
    """Give the environment of a sandbox, with the places of this test in it."""
    given = environment({}, str(way.authority.bundle))
    here = {name: text.replace(":3128", f":{way.port}") for name, text in given.items() if name.lower() != "no_proxy"}
    return [
        "env",
        "-i",
        f"PATH={os.environ['PATH']}",
        f"HOME={way.roots.parent}",
        *(f"{k}={v}" for k, v in here.items()),
    ]


@pytest.mark.parametrize("more", ["", ", access: read-only"])
@pytest.mark.parametrize("client", [name for name, argv in CLIENTS.items() if shutil.which(argv[0])])
async def test_a_client_goes_out_by_its_environment_alone(way: Way, site: Sites, client: str, more: str) -> None:
    """With TLS passed through it trusts the system's roots, with TLS ended the sandbox's: both in one file."""
    refs = b"001e# service=git-upload-pack\n0000" + b"003f" + b"a" * 40 + b" refs/heads/main\0 \n0000"
    answer = plain(refs, "content-type: application/x-git-upload-pack-advertisement")
    here = await site((lambda _: answer) if client == "git" else None, tls="site.test")
    await way.load(network(here.port, more))
    code, out, err = await run(*around(way), *CLIENTS[client], f"https://site.test:{here.port}/x")
    assert code == 0, err
    assert "hello from the site" in out or client == "git"
    await way.told(verdict="allow", host="site.test")


@pytest.mark.parametrize("client", [argv for argv in PLAIN if shutil.which(argv[0])])
async def test_a_client_of_plain_http_goes_out_by_its_environment_alone(
    way: Way, site: Sites, client: list[str]
) -> None:
    here = await site()
    await way.load(network(here.port))
    code, out, err = await run(*around(way), *client, f"http://site.test:{here.port}/x")
    assert (code, out) == (0, "hello from the site\n"), err


async def test_openssl_sees_the_site_itself_where_tls_is_passed_through(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    argv = ["openssl", "s_client", "-proxy", f"127.0.0.1:{way.port}", "-connect", at, "-servername", "site.test"]
    code, out, err = await run(*argv, "-CAfile", str(way.roots), "-verify_return_error", "-brief")
    assert code == 0, err
    assert "Verification: OK" in out + err


async def test_openssl_cannot_front_another_site(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    argv = ["openssl", "s_client", "-proxy", f"127.0.0.1:{way.port}", "-connect", at, "-servername", "other.test"]
    code, _, err = await run(*argv)
    assert code != 0
    assert "unrecognized name" in err


def test_every_variable_that_programs_look_at_is_set() -> None:
    given = environment({"TOKEN": "signet:secret:x:0"})
    assert given["HTTPS_PROXY"] == given["https_proxy"] == given["all_proxy"] == "http://127.0.0.1:3128"
    assert given["SSL_CERT_FILE"] == given["NODE_EXTRA_CA_CERTS"] == given["GIT_SSL_CAINFO"] == BUNDLE
    assert given["NO_PROXY"] == given["no_proxy"] == "127.0.0.1,localhost,inference.local"
    assert given["TOKEN"] == "signet:secret:x:0"


async def test_many_tunnels_at_once_do_not_mix(way: Way, site: Sites) -> None:
    here = await site(lambda asked: plain(asked.line.split()[1].encode() * 1000), tls="site.test")
    await way.load(network(here.port))
    urls = [f"https://site.test:{here.port}/{number:04}" for number in range(12)]
    got = await asyncio.gather(*(way.curl("--cacert", str(way.roots), url) for url in urls))
    assert [out for _, out, _ in got] == [f"/{number:04}" * 1000 for number in range(12)]
