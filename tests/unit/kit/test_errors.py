from types import SimpleNamespace

import grpc
import pytest

from signet.kit import errors


def over_the_wire(error: errors.SignetError) -> errors.SignetError:
    status = errors.to_status(error)
    rpc = SimpleNamespace(
        code=lambda: error.code,
        details=lambda: status.message,
        trailing_metadata=lambda: (("grpc-status-details-bin", status.SerializeToString()),),
    )
    return errors.from_rpc(rpc)  # type: ignore[arg-type] # has the three methods that are read


@pytest.mark.parametrize("cls", errors.SignetError.__subclasses__())
def test_every_class_comes_back_as_itself(cls: type[errors.SignetError]) -> None:
    back = over_the_wire(cls("LIMIT_REACHED", "too many", hint="wait", retry_after_seconds=1.5))

    assert type(back) is cls
    assert (back.reason, back.message, back.hint) == ("LIMIT_REACHED", "too many", "wait")
    assert back.retry_after_seconds == 1.5


def test_field_violations_come_back_all_together() -> None:
    back = over_the_wire(errors.invalid(("input", "is empty"), ("agent", "is missing")))

    assert [(item.field, item.description) for item in back.violations] == [
        ("input", "is empty"),
        ("agent", "is missing"),
    ]
    assert back.message == "input: is empty; agent: is missing"


def test_an_error_without_details_keeps_its_code_and_text() -> None:
    rpc = SimpleNamespace(
        code=lambda: grpc.StatusCode.UNIMPLEMENTED, details=lambda: "no such method", trailing_metadata=lambda: None
    )
    back = errors.from_rpc(rpc)  # type: ignore[arg-type] # as above

    assert "no such method" in back.message


@pytest.mark.parametrize(
    ("name", "expected"),
    [("asistant", " Did you mean assistant?"), ("zzzzz", ""), ("helper", " Did you mean helper-two or helper-one?")],
)
def test_near_names_are_suggested(name: str, expected: str) -> None:
    found = errors.near(name, ["assistant", "helper-one", "helper-two"])

    assert set(found.split()) == set(expected.split())
