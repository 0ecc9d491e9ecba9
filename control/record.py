"""The record of a run: a pure function of the run, its events and its stamp, and the digest that seals it.

The digest is the sha256 of the record's canonical text (see `canonical`) without `digest` and `run.record_digest`.
"""

import hashlib
from collections.abc import Iterable, Mapping

from control import canonical
from signet.v1 import events_pb2, runs_pb2


def build(run: runs_pb2.Run, events: Iterable[events_pb2.RunEvent], sources: Mapping[str, str]) -> runs_pb2.Record:
    """Make the record. `sources` are the texts of the stamp's five digests; a final run's record has its digest."""
    record = runs_pb2.Record(run=run, stamp_sources=sources, digest=run.record_digest)
    exchanges: dict[int, runs_pb2.Exchange] = {}  # those that began and did not end, by their index
    calls: dict[str, runs_pb2.ToolCall] = {}  # as above, by their id, which a runtime may use again
    for event in events:
        record.events.append(event)
        match event.WhichOneof("kind"):
            case "model_call_started":
                begun = event.model_call_started
                exchanges[begun.index] = record.exchanges.add(
                    index=begun.index, path=begun.path, model=begun.model, start_time=event.time
                )
            case "model_call_finished":
                ended = event.model_call_finished
                index = ended.index
                _end_exchange(exchanges.pop(index) if index in exchanges else record.exchanges.add(), ended)
            case "tool_call_started":
                call = event.tool_call_started
                calls[call.id] = record.tool_calls.add(
                    id=call.id, tool=call.tool, arguments=call.arguments, verdict=call.verdict, start_time=event.time
                )
            case "tool_call_finished":
                result = event.tool_call_finished
                _end_call(calls.pop(result.id) if result.id in calls else record.tool_calls.add(), result)
    return record


def seal(record: runs_pb2.Record) -> str:
    """Give the digest of a record: of the same record the same, whoever takes it."""
    run = runs_pb2.Run()
    run.CopyFrom(record.run)
    run.ClearField("record_digest")
    taken = hashlib.sha256()
    taken.update(b'{"events":')  # the keys come in their sorted order
    _update_list(taken, record.events)
    if record.exchanges:
        taken.update(b',"exchanges":')
        _update_list(taken, record.exchanges)
    taken.update(f',"run":{canonical.text(canonical.of(run))}'.encode())
    taken.update(f',"stamp_sources":{canonical.text(dict(record.stamp_sources))}'.encode())
    if record.tool_calls:
        taken.update(b',"tool_calls":')
        _update_list(taken, record.tool_calls)
    taken.update(b"}")
    return taken.hexdigest()


def _update_list(
    taken: "hashlib._Hash", messages: Iterable[events_pb2.RunEvent | runs_pb2.Exchange | runs_pb2.ToolCall]
) -> None:
    opening = b"["
    for message in messages:
        taken.update(opening + canonical.text(canonical.of(message)).encode())
        opening = b","
    taken.update(b"]")


def _end_exchange(exchange: runs_pb2.Exchange, ended: events_pb2.ModelCallFinished) -> None:
    exchange.index = ended.index
    exchange.path = ended.path
    exchange.model = ended.model
    exchange.provider = ended.provider
    exchange.upstream_model = ended.upstream_model
    exchange.status = ended.status
    exchange.request_digest = ended.request_digest
    exchange.response_digest = ended.response_digest
    exchange.first_byte_micros = ended.first_byte_micros
    exchange.duration_micros = ended.duration_micros
    exchange.error = ended.error
    if ended.HasField("usage"):
        exchange.usage.CopyFrom(ended.usage)


def _end_call(call: runs_pb2.ToolCall, ended: events_pb2.ToolCallFinished) -> None:
    call.id = ended.id
    call.result = ended.result
    call.is_error = ended.is_error
    call.duration_micros = ended.duration_micros
