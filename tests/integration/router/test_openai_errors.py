"""What goes wrong is what the official OpenAI client has classes for, and who leaves is not paid for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.fakes.provider import Fault, Reply
from tests.integration.router.official import FORMS, Official, official
from tests.unit.router.rig import VIEWER

LONG = Reply("word " * 5000, delay_seconds=0.02)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def house() -> AsyncIterator[Official]:
    async with official(first_byte_seconds=1.0, idle_seconds=0.5) as running:
        yield running


async def ask(client: openai.AsyncOpenAI, api: str, model: str, **fields: Any) -> Any:
    """Ask by one of the client's two interfaces."""
    if api == "chat":
        messages: Any = [{"role": "user", "content": "hi"}]
        return await client.chat.completions.create(model=model, messages=messages, **fields)
    return await client.responses.create(model=model, input="hi", **fields)


async def all_of(stream: Any) -> list[Any]:
    return [event async for event in stream]


async def test_who_may_not_ask_is_told_so(house: Official, form: str, api: str) -> None:
    model = f"{form}/fake-small"
    with pytest.raises(openai.AuthenticationError):
        await ask(house.client.with_options(api_key="sgt_nobody"), api, model)
    with pytest.raises(openai.AuthenticationError):
        await house.client.with_options(api_key="sgt_nobody").responses.retrieve("resp_1")
    with pytest.raises(openai.PermissionDeniedError):
        await ask(house.client.with_options(api_key=VIEWER), api, model)
    with pytest.raises(openai.PermissionDeniedError) as denied:
        await ask(house.as_run(f"{form}/fake-large"), api, model)
    assert denied.value.code == "model_not_allowed"
    assert not house.fakes[form].asked


async def test_a_model_that_is_not_there_is_answered_with_near_names(house: Official, form: str, api: str) -> None:
    with pytest.raises(openai.NotFoundError, match=f"{form}/fake-small") as caught:
        await ask(house.client, api, f"{form}/fake-smal")
    assert caught.value.code == "model_not_found"


async def test_a_bad_request_is_told_as_one(house: Official, form: str, api: str) -> None:
    house.fakes[form].answer = lambda _: Reply(status=400, error={"message": "no such thing"})
    for fields in ({"temperature": "hot"}, {"stream": "yes"}, {"tools": "all"}):
        with pytest.raises(openai.BadRequestError):
            await ask(house.client, api, f"{form}/fake-small", extra_body=fields)


async def test_a_context_that_is_too_long_is_told_as_that(house: Official, form: str, api: str) -> None:
    house.fakes[form].context_words = 0
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(house.client, api, f"{form}/fake-small")
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_is_busy_says_when_to_come_again(
    house: Official, form: str, api: str, *, stream: bool
) -> None:
    house.fakes[form].queue(Reply(status=429, headers={"retry-after": "7"}, error={"message": "slow down"}))
    with pytest.raises(openai.RateLimitError) as caught:
        await ask(house.client, api, f"{form}/fake-small", stream=stream)
    assert int(caught.value.response.headers["retry-after"]) in (6, 7)


@pytest.mark.parametrize("status", [401, 500])
async def test_a_provider_that_fails_is_a_bad_gateway(house: Official, form: str, api: str, status: int) -> None:
    house.fakes[form].queue(Reply(status=status, error={"message": "oops sk-of-the-chat-provider"}))
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(house.client, api, f"{form}/fake-small")
    assert (caught.value.status_code, caught.value.code) == (502, "provider_error")


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.RESET])
async def test_an_answer_that_is_none_is_a_bad_gateway(house: Official, form: str, api: str, fault: Fault) -> None:
    house.fakes[form].queue(Reply(fault=fault))
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(house.client, api, f"{form}/fake-small")
    assert caught.value.status_code == 502


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_never_answers_is_a_gateway_timeout(
    house: Official, form: str, api: str, *, stream: bool
) -> None:
    house.fakes[form].queue(Reply(fault=Fault.STALL_AT_ONCE))
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(house.client, api, f"{form}/fake-small", stream=stream)
    assert (caught.value.status_code, caught.value.code) == (504, "provider_timeout")


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.STALL, Fault.HALF_EVENT, Fault.NO_DONE, Fault.GARBAGE_EVENT])
async def test_a_stream_that_breaks_is_an_error_and_never_an_end(
    house: Official, form: str, api: str, fault: Fault
) -> None:
    house.fakes[form].queue(Reply("one two three four five six", fault=fault))
    stream = await ask(house.client, api, f"{form}/fake-small", stream=True)
    with pytest.raises(openai.APIError) as caught:
        await all_of(stream)
    assert caught.value.code in ("provider_error", "provider_timeout")


async def test_an_error_of_the_models_own_is_passed_on_in_a_stream(house: Official, form: str, api: str) -> None:
    house.fakes[form].queue(Reply(fault=Fault.ERROR_EVENT))
    stream = await ask(house.client, api, f"{form}/fake-small", stream=True)
    if form == api == "responses":
        last = (await all_of(stream))[-1]
        assert (last.type, last.response.error.message) == ("response.failed", "the model fell over")
        return
    with pytest.raises(openai.APIError, match=r"the model fell over|Overloaded"):
        await all_of(stream)


async def test_a_router_that_ends_in_mid_stream_is_a_lost_connection(form: str, api: str) -> None:
    async with official() as house:
        house.fakes[form].queue(LONG)
        stream = await ask(house.client, api, f"{form}/fake-small", stream=True)
        await anext(aiter(stream))
    with pytest.raises(openai.APIError):  # the connection is gone, or the stream was ended with an error before
        await all_of(stream)


async def test_the_clients_own_retries_come_through(house: Official, form: str, api: str) -> None:
    busy = Reply(status=429, headers={"retry-after": "0"}, error={"message": "slow down"})
    house.fakes[form].queue(busy, Reply("Here."))
    answer = await ask(house.client.with_options(max_retries=2), api, f"{form}/fake-small")
    assert "Here." in answer.model_dump_json()
    assert len(house.fakes[form].asked) == 2


async def test_a_caller_that_leaves_ends_the_providers_stream(house: Official, form: str, api: str) -> None:
    house.fakes[form].queue(LONG)
    stream = await ask(house.client, api, f"{form}/fake-small", stream=True)
    await anext(aiter(stream))
    await stream.close()
    await house.fakes[form].hung_up()


async def test_a_caller_that_is_cancelled_ends_the_providers_work(house: Official, form: str, api: str) -> None:
    house.fakes[form].queue(Reply(fault=Fault.STALL_AT_ONCE))
    asking = asyncio.create_task(ask(house.client.with_options(timeout=30), api, f"{form}/fake-small"))
    await house.fakes[form].was_asked()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await house.fakes[form].hung_up()
