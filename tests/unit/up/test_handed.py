"""What the environment holds of secrets is handed to the router, and to no other program."""

import pytest

from signet.up.child import _handed
from signet.up.plan import Program


def test_secrets_of_the_environment_are_the_routers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {
        "SIGNET_ROUTER_DATABASE": "postgresql://u:planted@h/db",
        "PGPASSWORD": "planted",
        "OPENAI_API_KEY": "planted",
        "SIGNET_SECRET_TOKEN": "planted",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    assert planted.items() <= _handed(Program("router", ())).items()
    for name in ("control", "worker", "web"):
        assert "planted" not in str(_handed(Program(name, ())))
