"""What is measured, in which order, and how it is asked for and passed on."""

import json
import random
from collections import Counter
from dataclasses import asdict

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmark.main import bench
from benchmark.router import cells
from benchmark.router.generator import parse
from benchmark.router.plan import Plan
from benchmark.router.results import Growth, Results
from benchmark.router.target import Target
from tests.unit.benchmark.test_router_rows import taken

TIMES = {"n": 2, "p50": 10.0, "p90": 11.0, "p99": 12.0, "max": 13.0}
PRINTED = {
    "started": 9, "done": 4, "bad_status": 1, "bad_body": 1, "errors": 1, "unfinished": 2, "late": 0, "seconds": 0.5,
    "latency_us": TIMES, "first_us": TIMES, "gap_us": TIMES, "said": "HTTP/1.1 500",
}  # fmt: skip


@given(st.integers(1, 6), st.sets(st.text(min_size=1), min_size=1, max_size=5), st.integers())
def test_every_target_gets_every_load_once_in_each_repeat_beside_those_it_is_compared_with(
    repeats: int, targets: set[str], seed: int
) -> None:
    planned = cells.schedule(sorted(targets), cells.QUICK, repeats, random.Random(seed))  # noqa: S311 - an order, no secret

    assert Counter(planned) == Counter(
        (repeat, cell, target) for repeat in range(repeats) for cell in cells.QUICK for target in targets
    )
    together = [planned[at : at + len(targets)] for at in range(0, len(planned), len(targets))]
    assert all(len({(repeat, cell) for repeat, cell, _ in group}) == 1 for group in together)


def test_loads_and_targets_come_in_another_order_in_each_repeat() -> None:
    planned = cells.schedule(["a", "b", "c", "d"], cells.FULL, 3, random.Random(1))  # noqa: S311 - as above
    loads = [list(dict.fromkeys(cell for repeat, cell, _ in planned if repeat == number)) for number in range(3)]
    targets = [
        [target for repeat, cell, target in planned if repeat == number and cell == cells.JSON_1] for number in range(3)
    ]

    assert loads[0] != loads[1] != loads[2]
    assert targets[0] != targets[1] != targets[2]


def test_what_the_generator_prints_is_read_and_everything_that_went_wrong_is_a_failure() -> None:
    found = parse(json.dumps(PRINTED))

    assert (found.done, found.failed, found.seconds, found.said) == (4, 5, 0.5, "HTTP/1.1 500")
    assert (found.latency.n, found.latency.p50, found.latency.p99) == (2, 10.0, 12.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"done": 1}'])
def test_what_the_generator_cannot_have_printed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the generator printed"):
        parse(text)


def test_a_plan_and_its_results_pass_between_the_two_halves_unchanged() -> None:
    plan = Plan(5, ("portkey",), quick=True, alone=False)
    results = Results((taken("a", cells.JSON_1, 0),), (Growth("a", 9, (1.0, 2.0)),), ("note",), {"a": "1"}, 2.0)

    assert Plan.parse(plan.text()) == plan
    assert Results.of(json.loads(json.dumps(asdict(results)))) == results


def test_a_request_names_the_model_as_its_target_knows_it_and_asks_for_usage_in_streams() -> None:
    target = Target("x", 8080, headers={"authorization": "Bearer t"}, models={"burst": "p/burst", "paced": "p/paced"})
    head, _, body = target.request("paced").partition(b"\r\n\r\n")

    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n")
    assert b"\r\nauthorization: Bearer t\r\n" in head
    assert head.endswith(b"content-length: %d" % len(body))
    assert json.loads(body)["model"] == "p/paced"
    assert json.loads(body)["stream_options"] == {"include_usage": True}
    assert "stream" not in json.loads(target.request("json").partition(b"\r\n\r\n")[2])


def test_a_slow_target_gets_more_time_where_a_load_says_so() -> None:
    cell = cells.Cell("json", 1, 2.0, slow=3.0)

    assert (Target("a", 1).seconds(cell), Target("b", 1, slow=True).seconds(cell)) == (2.0, 6.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["router", "--peers", "nobody"], "there is no peer nobody; there are litellm, portkey, tensorzero"),
        (["router", "--runs", "5"], "use --repeats"),
        (["run", "--quick"], "are for the suite `router`"),
        (["run", "--repeats", "2"], "are for the suite `router`"),
        (["router", "--repeats", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(words: list[str], says: str) -> None:
    done = CliRunner().invoke(bench, words)

    assert done.exit_code != 0
    assert says in done.output
