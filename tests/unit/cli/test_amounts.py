"""Amounts and targets on the command line: exact where they can be, and refused in words where they cannot."""

from decimal import Decimal

import click
import pytest

from signet.cli.dollars import micro
from signet.cli.route import parsed
from tests.fakes.hosted import Hosted
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("api add x http://x.example --price {}", "--price"),
        ("budget set x --cost {}", "--cost"),
        ("provider add x http://x.example --input-price {}", "--input-price"),
        ("provider add x http://x.example --output-price {}", "--output-price"),
    ],
)
@pytest.mark.parametrize(
    ("amount", "says"),
    [("1e30", "is too much"), ("inf", "no amount"), ("nan", "no amount"), ("-1", "no amount"), ("x", "no amount")],
)
def test_an_amount_that_is_none_or_too_much_is_refused_by_its_option(
    cli: Cli, said: str, option: str, amount: str, says: str
) -> None:
    done = cli.run(*said.format(amount).split())

    assert done.returncode == 2
    assert option in done.stderr
    assert says in done.stderr


@pytest.mark.parametrize("said", ["budget set x --tokens {}", "api add x http://x.example --answer-bytes {}"])
def test_a_count_that_no_number_on_the_wire_holds_is_refused(cli: Cli, said: str) -> None:
    done = cli.run(*said.format(1 << 70).split())

    assert (done.returncode, "is not in the range" in done.stderr) == (2, True)


def test_a_price_reaches_the_router_to_the_micro_dollar(cli: Cli, fleet: Hosted) -> None:
    cli.run("provider", "add", "a", "http://box/v1", "--input-price", "$0.29", "--output-price", "0")

    kept = fleet.state.providers["providers/a"]
    assert (kept.input_price_microusd_per_million, kept.output_price_microusd_per_million) == (290_000, 0)
    cli.run("provider", "add", "b", "http://box/v1")
    assert not fleet.state.providers["providers/b"].HasField("input_price_microusd_per_million")


def test_less_than_a_micro_dollar_is_not_nothing() -> None:
    assert (micro(Decimal("0.0000001")), micro(Decimal(0)), micro(Decimal("0.25"))) == (1, 0, 250_000)


def test_where_a_credential_goes_is_no_use_without_one(cli: Cli) -> None:
    for option in ("--header", "--query"):
        done = cli.run("api", "add", "x", "http://x.example", option, "key")
        assert (done.returncode, "name it with --secret" in done.stderr) == (2, True)


def test_an_option_of_a_target_that_nobody_knows_is_told_and_taken_for_no_name() -> None:
    with pytest.raises(click.UsageError, match="there is no wieght=; there are weight=, concurrency=, context=, can="):
        parsed("a/b,wieght=3")
    with pytest.raises(click.UsageError, match="there is no x="):
        parsed("a/b,x=1,weight=3")
