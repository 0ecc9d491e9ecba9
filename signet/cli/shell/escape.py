"""The way out of a terminal that answers no more: Enter, then `~.`, as with ssh."""

_LINE_ENDS = b"\r\n"


class Escape:
    """Looks at what is typed. `~.` at the beginning of a line leaves; `~~` there is one `~`."""

    def __init__(self) -> None:
        self._fresh = True
        self._tilde = False
        self.left = False

    def pass_on(self, typed: bytes) -> bytes:
        """Give what goes on inside; sets `left` where the person leaves."""
        out = bytearray()
        for sign in typed:
            if self._tilde:
                self._tilde = False
                if sign == ord("."):
                    self.left = True
                    return bytes(out)
                out += b"~" if sign == ord("~") else bytes((ord("~"), sign))
            elif self._fresh and sign == ord("~"):
                self._tilde = True
                continue
            else:
                out.append(sign)
            self._fresh = sign in _LINE_ENDS
        return bytes(out)
