"""One answer as it is parsed: its head, the pieces of its body that nobody has read yet, and whether it was all."""

import httptools

from router.http.head import Ending, Field, Malformed, ending, headers
from router.http.limits import MAX_FIELDS, MAX_HEAD_BYTES, MAX_LINE_BYTES

_SWITCHING = 101
_OK = 200


class Exchange:
    """Feed it what comes. `bodiless`: the answer has no body, whatever its head says, for it answers a HEAD.

    A parser serves one answer: what comes after its end spoils the connection (`clean`), not the answer.
    """

    def __init__(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._fields: list[Field] = []
        self._count = 0
        self._size = 0
        self._framing = 0  # bytes since the last piece of body
        self._ending = Ending.FRAMED
        self._pieces: list[bytes] = []
        self._keep = False
        self.status = 0
        self.headers: dict[str, str] | None = None
        self.began = False
        self.unread = 0
        self.ended = False

    @property
    def clean(self) -> bool:
        """Whether the answer is over, nothing came after it, and the server keeps the connection."""
        return self.ended and self._keep

    def feed(self, data: bytes) -> None:
        """Take what came. Raises Malformed."""
        self.began = True
        parser = self._parser
        if parser is None:
            self._keep = False
            return
        self._framing += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keep = False
            if not self.ended:
                self._parser = None
                raise _malformed(error) from error
        if self.ended:
            self._parser = None  # it holds this object, and this object held it
        elif self._framing > MAX_HEAD_BYTES:
            self._parser = None
            raise Malformed(f"more than {MAX_HEAD_BYTES} bytes of head or framing")

    def cut(self) -> bool:
        """Take note of the connection's end; says whether that is the answer's end too, and whole."""
        if self.headers is not None and self._ending is Ending.CLOSE:
            self.ended = True
            self._parser = None
        return self.ended

    def take(self) -> bytes:
        """Give the unread pieces as one."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.unread = 0
        return data

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin an answer, or find that another one follows."""
        if self.ended:
            raise Malformed("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those of the trailer are counted and dropped."""
        size = len(name) + len(value)
        self._count += 1
        self._size += size
        if size > MAX_LINE_BYTES or self._size > MAX_HEAD_BYTES or self._count > MAX_FIELDS:
            raise Malformed("headers beyond what is read")
        if self.headers is None:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head. Interim answers (1xx) are passed over."""
        parser = self._parser
        if parser is None or self.headers is not None:
            raise Malformed("a second answer")
        status = parser.get_status_code()
        if status == _SWITCHING:
            raise Malformed("a change of protocol")
        if 100 <= status < _OK:  # noqa: PLR2004 - an interim answer, of which more follow
            self._fields.clear()
            return
        found = headers(self._fields)
        self._ending = ending(parser.get_http_version(), status, found)
        self.status = status
        self.headers = found
        if self._bodiless:
            self.ended = True  # and not clean: the parser would wait for the body that the head tells of

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of body."""
        if self.ended:
            raise Malformed("a body that belongs to nothing")
        self._framing = 0
        self._pieces.append(piece)
        self.unread += len(piece)

    def on_message_complete(self) -> None:
        """End the answer."""
        if self.headers is None or self._parser is None or self.ended:
            return
        self.ended = True
        self._keep = self._ending is Ending.FRAMED and self._parser.should_keep_alive()


def _malformed(error: BaseException) -> Malformed:
    """Give the reason for which parsing ended; the parser wraps what its callbacks raise."""
    if isinstance(error.__context__, Malformed):
        return error.__context__
    return Malformed("what is no HTTP answer")
