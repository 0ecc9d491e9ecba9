"""What goes wrong is what the official Anthropic client has classes for, and who leaves is not paid for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from tests.fakes.anthropic import failed
from tests.fakes.provider import Fault, Reply
from tests.integration.router.claude import KEY, MODELS, Claude, claude
from tests.unit.router.rig import VIEWER

pytestmark = pytest.mark.parametrize("form", list(MODELS))

HI: Any = [{"role": "user", "content": "hi"}]
LONG = Reply("word " * 5000, delay_seconds=0.02)


@pytest.fixture
async def house() -> AsyncIterator[Claude]:
    async with claude(first_byte_seconds=1.0, idle_seconds=0.5, body_bytes=1 << 20) as running:
        yield running


async def ask(client: anthropic.AsyncAnthropic, model: str, **fields: Any) -> Any:
    return await client.messages.create(**{"model": model, "max_tokens": 100, "messages": HI, **fields})


async def all_of(stream: Any) -> list[Any]:
    return [event async for event in stream]


async def test_who_may_not_ask_is_told_so(house: Claude, form: str) -> None:
    with pytest.raises(anthropic.AuthenticationError) as unknown:
        await ask(house.client.with_options(api_key="sgt_nobody"), MODELS[form])
    assert unknown.value.type == "authentication_error"
    with pytest.raises(anthropic.PermissionDeniedError):
        await ask(house.client.with_options(api_key=VIEWER), MODELS[form])
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        await ask(house.as_run("chat/fake-large"), MODELS[form])
    assert (denied.value.type, denied.value.error_code) == ("permission_error", "model_not_allowed")
    assert not house.fakes[form].asked


async def test_another_method_is_told_in_this_form(house: Claude, form: str) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = await house.rig.door.get(path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (405, "invalid_request_error"), form


async def test_a_bearer_token_is_as_good_as_a_key(house: Claude, form: str) -> None:
    token = house.client.api_key
    assert token
    async with anthropic.AsyncAnthropic(base_url=str(house.client.base_url), auth_token=token, max_retries=0) as bearer:
        assert (await ask(bearer, MODELS[form])).stop_reason == "end_turn"


async def test_a_model_that_is_not_there_is_answered_with_near_names(house: Claude, form: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match=MODELS[form]) as caught:
        await ask(house.client, MODELS[form][:-1])
    assert (caught.value.type, caught.value.error_code) == ("not_found_error", "model_not_found")
    with pytest.raises(anthropic.NotFoundError):
        await house.client.messages.count_tokens(model=MODELS[form][:-1], messages=HI)


@pytest.mark.parametrize(
    "fields",
    [{"max_tokens": "many"}, {"messages": []}, {"messages": "hi"}, {"stream": "yes"}, {"tools": "all"},
     {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "odd"}}]}]}],
)  # fmt: skip
async def test_a_bad_request_is_told_as_one(house: Claude, form: str, fields: Any) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(house.client, MODELS[form], extra_body=fields)
    assert caught.value.type == "invalid_request_error"
    assert not house.fakes[form].asked


async def test_a_body_that_is_too_large_is_told_as_that(house: Claude, form: str) -> None:
    with pytest.raises(anthropic.RequestTooLargeError) as caught:
        await ask(house.client, MODELS[form], system="x" * (1 << 20))
    assert "request_too_large" in str(caught.value)


async def test_a_request_that_is_too_long_is_told_as_that(house: Claude, form: str) -> None:
    house.fakes[form].context_words = 0
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(house.client, MODELS[form])
    assert caught.value.error_code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_is_busy_says_when_to_come_again(house: Claude, form: str, *, stream: bool) -> None:
    house.fakes[form].queue(failed(429, "slow down", {"retry-after": "7"}))
    with pytest.raises(anthropic.RateLimitError) as caught:
        await ask(house.client, MODELS[form], stream=stream)
    assert caught.value.type == "rate_limit_error"
    assert int(caught.value.response.headers["retry-after"]) in (6, 7)


async def test_a_provider_that_is_overloaded_is_told_as_that(house: Claude, form: str) -> None:
    house.fakes[form].queue(failed(529, "Overloaded"))
    with pytest.raises(anthropic.ServiceUnavailableError) as caught:
        await ask(house.client, MODELS[form])
    assert (caught.value.type, caught.value.error_code) == ("overloaded_error", "provider_unavailable")


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_provider_that_fails_is_a_bad_gateway_and_its_key_stays(house: Claude, form: str, status: int) -> None:
    house.fakes[form].queue(failed(status, f"oops {KEY} sk-of-the-chat-provider"))
    with pytest.raises(anthropic.InternalServerError) as caught:
        await ask(house.client, MODELS[form])
    assert (caught.value.status_code, caught.value.type, caught.value.error_code) == (
        502,
        "api_error",
        "provider_error",
    )
    assert house.fakes[form].key not in str(caught.value)


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.RESET])
async def test_an_answer_that_is_none_is_a_bad_gateway(house: Claude, form: str, fault: Fault) -> None:
    house.fakes[form].queue(Reply(fault=fault))
    with pytest.raises(anthropic.InternalServerError) as caught:
        await ask(house.client, MODELS[form])
    assert caught.value.status_code == 502
    assert isinstance(caught.value.body, dict)
    row = (await house.rows(1))[0]
    assert caught.value.body["request_id"] == row.id  # it was paid for, perhaps: here is where to look


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_never_answers_is_a_gateway_timeout(house: Claude, form: str, *, stream: bool) -> None:
    house.fakes[form].queue(Reply(fault=Fault.STALL_AT_ONCE))
    with pytest.raises(anthropic.GatewayTimeoutError) as caught:
        await ask(house.client, MODELS[form], stream=stream)
    assert caught.value.type == "timeout_error"


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.STALL, Fault.HALF_EVENT, Fault.NO_DONE, Fault.GARBAGE_EVENT])
async def test_a_stream_that_breaks_is_an_error_and_never_an_end(house: Claude, form: str, fault: Fault) -> None:
    house.fakes[form].queue(Reply("one two three four five six", fault=fault))
    stream = await ask(house.client, MODELS[form], stream=True)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await all_of(stream)
    assert caught.value.error_code in ("provider_error", "provider_timeout")
    assert caught.value.type in ("api_error", "timeout_error")


async def test_an_error_of_the_models_own_is_passed_on_in_a_stream(house: Claude, form: str) -> None:
    house.fakes[form].queue(Reply(fault=Fault.ERROR_EVENT))
    stream = await ask(house.client, MODELS[form], stream=True)
    with pytest.raises(anthropic.APIStatusError, match=r"Overloaded|fell over"):
        await all_of(stream)


async def test_a_stream_that_does_not_say_what_it_used_is_estimated(house: Claude, form: str) -> None:
    house.fakes[form].queue(Reply("one two three four", usage="missing"))
    found = await all_of(await ask(house.client, MODELS[form], stream=True))
    text = "".join(event.delta.text for event in found if event.type == "content_block_delta")
    assert (text, found[-1].type) == ("one two three four", "message_stop")
    row = (await house.rows(1))[0]
    assert row.estimated
    assert row.output_tokens >= 4


async def test_the_clients_own_retries_come_through(house: Claude, form: str) -> None:
    house.fakes[form].queue(failed(429, "slow down", {"retry-after": "0"}), Reply("Here."))
    answer = await ask(house.client.with_options(max_retries=2), MODELS[form])
    assert answer.content[0].text == "Here."
    assert len(house.fakes[form].asked) == 2


async def test_a_caller_that_leaves_ends_the_providers_stream(house: Claude, form: str) -> None:
    house.fakes[form].queue(LONG)
    async with house.client.messages.stream(model=MODELS[form], max_tokens=9000, messages=HI) as stream:
        await anext(aiter(stream.text_stream))
    await house.fakes[form].hung_up()


async def test_a_caller_that_is_cancelled_ends_the_providers_work(house: Claude, form: str) -> None:
    house.fakes[form].queue(Reply(fault=Fault.STALL_AT_ONCE))
    asking = asyncio.create_task(ask(house.client.with_options(timeout=30), MODELS[form]))
    await house.fakes[form].was_asked()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await house.fakes[form].hung_up()
