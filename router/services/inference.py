"""InferenceService: models over gRPC, for whoever may ask them at the door, a run with its own token, too."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from router.ask import CHAT, EMBEDDINGS, LARGE_BYTES, Ask, parse
from router.authorise import Authoriser, Identity
from router.broker import Broker
from router.refusal import Refusal
from router.services.answers import Stream, Whole
from router.services.refusals import explained
from signet.kit.errors import DeadlineExceeded
from signet.v1 import inference_pb2 as pb
from signet.v1.inference_pb2_grpc import InferenceServiceServicer

_TOGETHER_SECONDS = 0.03


class InferenceServer(InferenceServiceServicer):
    """Asks the broker as the door does. `idle_seconds` bounds the wait for a caller that reads nothing."""

    def __init__(self, authoriser: Authoriser, broker: Broker, idle_seconds: float) -> None:
        self._authoriser = authoriser
        self._broker = broker
        self._idle_seconds = idle_seconds

    async def Complete(self, request: pb.CompleteRequest, context: Any) -> pb.CompleteResponse:
        """Answer a chat request whole."""
        answer = await self._whole(CHAT, request.body, context)
        return pb.CompleteResponse(body=answer.body, usage=answer.usage)

    async def Embed(self, request: pb.EmbedRequest, context: Any) -> pb.EmbedResponse:
        """Answer an embeddings request."""
        answer = await self._whole(EMBEDDINGS, request.body, context)
        return pb.EmbedResponse(body=answer.body, usage=answer.usage)

    async def CountTokens(self, request: pb.CountTokensRequest, context: Any) -> pb.CountTokensResponse:
        """Count what a chat request would read."""
        try:
            who, ask = await self._asked(CHAT, request.body, context)
            found = await self._broker.count(ask, who)
        except Refusal as refusal:
            raise explained(refusal) from refusal
        return pb.CountTokensResponse(input_tokens=found.tokens, exact=found.exact)

    async def StreamComplete(  # type: ignore[override] # it writes to the context itself, so a cancel ends it at once
        self, request: pb.StreamCompleteRequest, context: Any
    ) -> None:
        """Answer a chat request as it comes."""
        try:
            who, ask = await self._asked(CHAT, request.body, context, stream=True)
        except Refusal as refusal:
            raise explained(refusal) from refusal
        stream = Stream()
        answering = asyncio.create_task(self._broker.answer(ask, who, stream))
        answering.add_done_callback(lambda _: stream.close())
        try:
            await self._pass(stream, answering, context)
        finally:
            answering.cancel()  # whoever left is left; what was used is in the ledger when this ends
            await asyncio.wait([answering])

    async def _pass(self, stream: Stream, answering: "asyncio.Task[None]", context: Any) -> None:
        """Write what comes: the first events at once, then at most one message in so many milliseconds."""
        clock = asyncio.get_running_loop()
        last = 0.0
        while not stream.over.is_set():
            await stream.filled()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(last + _TOGETHER_SECONDS):
                    await stream.over.wait()
            if stream.over.is_set():
                break
            await self._write(pb.StreamCompleteResponse(events=stream.taken()), context)
            last = clock.time()
        rest = pb.StreamCompleteResponse(events=stream.taken(), usage=stream.usage)
        if rest.events or rest.HasField("usage"):
            await self._write(rest, context)
        try:
            await answering
        except Refusal as refusal:
            raise explained(refusal) from refusal
        if stream.failure is not None:
            raise stream.failure

    async def _write(self, message: pb.StreamCompleteResponse, context: Any) -> None:
        try:
            async with asyncio.timeout(self._idle_seconds):
                await context.write(message)
        except TimeoutError as error:
            raise DeadlineExceeded("LIMIT_REACHED", f"nothing was read for {self._idle_seconds:g} s") from error

    async def _whole(self, endpoint: str, body: bytes, context: Any) -> Whole:
        answer = Whole()
        try:
            who, ask = await self._asked(endpoint, body, context)
            await self._broker.answer(ask, who, answer)
        except Refusal as refusal:
            raise explained(refusal) from refusal
        return answer

    async def _asked(self, endpoint: str, body: bytes, context: Any, *, stream: bool = False) -> tuple[Identity, Ask]:
        """Say who asks what. Raises Refusal."""
        metadata = dict(context.invocation_metadata() or ())
        who = await self._authoriser.identify(str(metadata.get("authorization", "")))
        if len(body) > LARGE_BYTES:
            ask = await asyncio.to_thread(parse, endpoint, body)
        else:
            ask = parse(endpoint, body)
        if endpoint != CHAT or ask.stream == stream:
            return who, ask
        return who, replace(ask, stream=stream, body={**_unstreamed(ask.body), **({"stream": True} if stream else {})})


def _unstreamed(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
