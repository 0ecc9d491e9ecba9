"""What a page tells of connections, questions and walls."""

import pytest
from starlette.exceptions import HTTPException

from signet.v1 import events_pb2 as pb
from signet.v1 import policies_pb2
from tests.unit.web.test_progress import CLAIMED, CREATED, FINISHED, VIEWS, folded, numbered
from web import egress, words
from web.events import Watch, parse
from web.feeds import Log, Questions
from web.parts import Question, Remark
from web.patch import patch
from web.walls import walls


def decided(host: str = "a.org", verdict: str = "deny", count: int = 1, rule: str = "default") -> pb.EgressDecided:
    return pb.EgressDecided(host=host, port=443, binary="/usr/bin/curl", verdict=verdict, rule=rule, count=count)


ASKED = {"approval_requested": pb.ApprovalRequested(approval="approvals/q", text="connect to a.org:443")}
ANSWERED = {"approval_answered": pb.ApprovalAnswered(approval="approvals/q", answer="DENIED", caller="tokens/me")}


def test_the_same_place_with_the_same_answer_is_told_once_and_counted() -> None:
    events = numbered(
        CREATED, {"egress_decided": decided(count=3)}, {"egress_decided": decided()},
        {"egress_decided": decided(verdict="allow", rule="grants/g")},
    )  # fmt: skip

    assert [(one.decided.verdict, one.count) for one in egress.reached(events)] == [("deny", 4), ("allow", 1)]
    steps = [step for step in folded(events).steps if "a.org" in step.title]
    assert [(step.title, step.state) for step in steps] == [
        ("Refused a.org:443", "failed"),
        ("Reached a.org:443", "done"),
    ]
    assert "4 times" in steps[0].detail


def test_a_question_waits_until_it_is_answered() -> None:
    assert folded(numbered(CREATED, CLAIMED, ASKED)).asks
    progress = folded(numbered(CREATED, CLAIMED, ASKED))
    progress.feed(numbered(CREATED, CLAIMED, ASKED, ANSWERED))
    (question,) = [part for part in progress.parts if isinstance(part, Question)]

    assert not progress.asks
    assert (question.answer, question.caller) == ("DENIED", "tokens/me")
    html = "".join(operation.get("html", "") for operation in patch(progress, VIEWS, 0))
    assert "Denied" in html
    assert '<form class="answers"' not in html


def test_nobody_answers_for_a_run_that_is_over() -> None:
    progress = folded(numbered(CREATED, CLAIMED, ASKED, FINISHED))

    assert [part.answer for part in progress.parts if isinstance(part, Question)] == ["LEFT"]


def test_a_question_of_a_lost_attempt_is_gone_with_it() -> None:
    lost = {"attempt_lost": pb.AttemptLost(worker="workers/one", attempt=1, retried=True)}
    progress = folded(numbered(CREATED, CLAIMED, ASKED, lost))

    assert not progress.asks
    assert not [part for part in progress.parts if isinstance(part, Question)]


def test_another_policy_in_the_middle_of_a_run_is_told() -> None:
    loaded = {"policy_loaded": pb.PolicyLoaded(policy="policies/reader", version=2, closed=1)}
    (remark,) = [part for part in folded(numbered(CREATED, loaded)).parts if isinstance(part, Remark)]

    assert remark.message.startswith("What it may do changed: policy reader, version 2, and its grants.")
    assert remark.message.endswith("1 connection was closed for it.")


def test_each_layer_is_a_wall_and_what_does_not_hold_has_gaps() -> None:
    layers = [pb.IsolationLayer(name=f"<{state}>", state=state) for state in (1, 2, 3)]  # type: ignore[arg-type] # wire values
    picture = str(walls(layers, "scout"))

    assert 'aria-label="1 of 3 walls around scout hold"' in picture
    assert picture.count("stroke-dasharray") == 2
    assert "<1>" not in picture
    assert "&lt;1&gt;" in picture


def test_what_is_asked_reads_as_a_sentence() -> None:
    address = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host="2001:db8::1", port=80))
    command = policies_pb2.Ask(command=policies_pb2.CommandAsk(command="git push"))

    assert words.asked(address) == "connect to [2001:db8::1]:80"
    assert words.asked(command) == "run git push"


def test_a_stream_has_runs_questions_and_logs() -> None:
    run, questions, log = parse("run:a:3,approvals,logs:local.assistant-1", "")

    assert isinstance(run, Watch)
    assert isinstance(questions, Questions)
    assert log == Log("local.assistant-1")


@pytest.mark.parametrize("topic", ["logs:", "logs:a/b", "logs:" + "x" * 201, ",".join(["approvals"] * 9)])
def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(HTTPException):
        parse(topic, "")


@pytest.mark.parametrize(("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (4096, "4.0 KiB"), (3 << 29, "1.5 GiB")])
def test_sizes_read_as_people_say_them(count: int, shown: str) -> None:
    assert words.size(count) == shown
