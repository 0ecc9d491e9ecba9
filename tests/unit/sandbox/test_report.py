"""Reports, refusals and the negotiation of Landlock's versions."""

import errno
import json

import pytest

from workers.sandbox import landlock, namespaces
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.report import Layer, Report

REPORT = Report(
    (Layer("network", "enforced", "no route"), Layer("landlock", "absent", "none", "newer"), Layer("x", "partial", ""))
)


def test_a_report_survives_the_wire() -> None:
    assert Report.from_wire(json.loads(json.dumps(REPORT.to_wire()))) == REPORT


def test_what_is_absent_is_missing_unless_agreed_and_partial_is_not() -> None:
    assert [layer.name for layer in REPORT.missing()] == ["landlock"]
    assert REPORT.missing(frozenset({"landlock"})) == ()
    assert REPORT.layer("network").state == "enforced"
    with pytest.raises(KeyError):
        REPORT.layer("nonesuch")


def test_a_refusal_survives_the_wire_and_reads_as_a_sentence() -> None:
    error = SandboxUnavailable("not so.", layer="network", hint="Mend it.")
    same = SandboxUnavailable.from_wire(json.loads(json.dumps(error.to_wire())))
    assert str(same) == str(error) == "network: not so. Mend it."
    assert (same.layer, same.reason, same.hint) == ("network", "not so.", "Mend it.")


def test_an_unknown_refusal_of_the_kernel_still_says_where_to_look() -> None:
    for number, words in ((errno.EPERM, "container"), (errno.ENOSPC, "in use")):
        error = namespaces.explain(OSError(number, "refused"))
        assert error.layer == "namespaces"
        assert errno.errorcode[number] in error.reason
        assert words in error.hint
        assert "user.max_user_namespaces" in error.hint


@pytest.mark.parametrize(
    ("version", "rights"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (7, 16), (99, 16)]
)
def test_an_older_landlock_is_asked_for_no_more_than_it_knows(version: int, rights: int) -> None:
    assert landlock.file_rights(version) == (1 << rights) - 1
