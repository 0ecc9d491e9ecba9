"""Text from inside a sandbox, made fit for the wire: whole characters, bounded length."""


def clean(text: str) -> str:
    """Replace half surrogates, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, most_bytes: int, note: str = "[cut]") -> str:
    """Give the begin of a text that is longer than `most_bytes`, and say that it was cut."""
    if len(text) * 4 <= most_bytes:
        return clean(text)
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most_bytes:
        return raw.decode("utf-8")
    return raw[:most_bytes].decode("utf-8", "ignore") + note


def pieces(text: str, most_characters: int) -> list[str]:
    """Split a text, none of the pieces longer than `most_characters`."""
    text = clean(text)
    return [text[start : start + most_characters] for start in range(0, len(text), most_characters)]
