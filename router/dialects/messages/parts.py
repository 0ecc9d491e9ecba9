"""What users and tools say: blocks of text, pictures and documents to the neutral form's parts, and back."""

import re
from collections.abc import Mapping
from typing import Any

from router.dialects.messages.reach import Reach
from router.dialects.messages.shape import blocks, marked, part, text
from router.refusal import bad_request

_DATA = re.compile(r"data:(?P<kind>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*(?P<packed>;base64)?,(?P<data>.*)", re.DOTALL)
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_PLAIN = "text/plain"
_NAME = "document.pdf"


def read(block: dict[str, Any], at: str, reach: Reach) -> list[dict[str, Any]]:
    """Read a block; a document may be several parts. Raises Refusal (400)."""
    kind = block["type"]
    if kind == "text":
        return [{"type": "text", "text": text(block, "text", at), **marked(block)}]
    if kind == "image":
        return [{"type": "image_url", "image_url": {"url": _picture(block, at, reach)}, **marked(block)}]
    if kind == "document":
        return _document(block, at, reach)
    if kind == "search_result":
        found = "\n".join(text(each, "text", at) for each in blocks(block.get("content"), f"{at}.content"))
        said = f"{text(block, 'title', at)}\n{text(block, 'source', at)}\n{found}"
        return [{"type": "text", "text": said, **marked(block)}]
    reach.only(f"a block of type {kind!r}", f"{at}.type")
    return []


def read_all(content: object, at: str, reach: Reach) -> list[dict[str, Any]]:
    """Read blocks, or the text that is short for one. Raises Refusal (400)."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    found: list[dict[str, Any]] = []
    for index, block in enumerate(blocks(content, at)):
        found += read(block, f"{at}.{index}", reach)
    return found


def simple(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Give parts as a text where they are no more than that, for there are servers that know nothing else."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def write(content: object, at: str) -> list[dict[str, Any]]:
    """Write parts, or a text, as blocks; of empty texts nothing is left, which this form refuses.

    A block of this form's own is left as it is. Raises Refusal (400).
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    found = [_written(each, f"{at}.{index}") for index, each in enumerate(blocks(content, at))]
    return [block for block in found if block.get("type") != "text" or block.get("text")]


def _written(given: dict[str, Any], at: str) -> dict[str, Any]:
    kind = given["type"]
    if kind in ("text", "refusal"):
        return {"type": "text", "text": text(given, kind, at), **marked(given)}
    if kind == "image_url":
        return {"type": "image", "source": _source(given, at), **marked(given)}
    if kind == "file":
        return {"type": "document", **_filed(part(given, "file"), at), **marked(given)}
    if kind == "input_audio":
        raise bad_request(f"{at}: this model's provider speaks Anthropic's Messages API, which hears no sound", at)
    return given


def _picture(block: dict[str, Any], at: str, reach: Reach) -> str:
    source = part(block, "source")
    if source.get("type") == "base64":
        return f"data:{text(source, 'media_type', f'{at}.source')};base64,{text(source, 'data', f'{at}.source')}"
    if source.get("type") == "url":
        return text(source, "url", f"{at}.source")
    if source.get("type") != "file":
        raise bad_request(f"{at}.source: must be of type base64, url or file", f"{at}.source")
    reach.stored("a picture named by its file_id", f"{at}.source")
    return ""


def _document(block: dict[str, Any], at: str, reach: Reach) -> list[dict[str, Any]]:
    source, at = part(block, "source"), f"{at}.source"
    head = "\n".join(said for said in (block.get("title"), block.get("context")) if isinstance(said, str) and said)
    kind = source.get("type")
    if kind == "text":
        said = f"{head}\n{text(source, 'data', at)}" if head else text(source, "data", at)
        return [{"type": "text", "text": said, **marked(block)}]
    if kind == "content":
        within = read_all(source.get("content"), f"{at}.content", reach)
        return ([{"type": "text", "text": head}] if head else []) + within
    reach.unbounded = True
    if kind == "base64":
        file = f"data:{text(source, 'media_type', at)};base64,{text(source, 'data', at)}"
    elif kind == "url":
        file = text(source, "url", at)
    elif kind == "file":
        reach.stored("a document named by its file_id", at)
        return []
    else:
        raise bad_request(f"{at}: must be of type base64, url, text, content or file", at)
    named = block["title"] if isinstance(block.get("title"), str) and block["title"] else _NAME
    return [{"type": "file", "file": {"filename": named, "file_data": file}, **marked(block)}]


def _source(given: Mapping[str, Any], at: str) -> dict[str, Any]:
    image = given.get("image_url")
    url = image if isinstance(image, str) else part(given, "image_url").get("url")
    at = f"{at}.image_url.url"
    if not isinstance(url, str):
        raise bad_request(f"{at}: must be an address", at)
    if url.startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    kind, data, packed = _unpacked(url, at)
    kind = "image/jpeg" if kind == "image/jpg" else kind
    if not packed or kind not in _PICTURES:
        raise bad_request(f"{at}: must be http(s), or data:{{{','.join(_PICTURES)}}};base64,…", at)
    return {"type": "base64", "media_type": kind, "data": data}


def _filed(file: Mapping[str, Any], at: str) -> dict[str, Any]:
    named = file.get("filename")
    title = {"title": named} if isinstance(named, str) and named not in ("", _NAME) else {}
    if isinstance(file.get("file_id"), str):
        return {"source": {"type": "file", "file_id": file["file_id"]}, **title}
    given, at = text(file, "file_data", f"{at}.file"), f"{at}.file.file_data"
    if given.startswith(("http://", "https://")):
        return {"source": {"type": "url", "url": given}, **title}
    kind, data, packed = _unpacked(given, at)
    if kind == _PDF and packed:
        return {"source": {"type": "base64", "media_type": _PDF, "data": data}, **title}
    if kind == _PLAIN and not packed:
        return {"source": {"type": "text", "media_type": _PLAIN, "data": data}, **title}
    raise bad_request(f"{at}: must be http(s), or data:application/pdf;base64,…", at)


def _unpacked(url: str, at: str) -> tuple[str, str, bool]:
    found = _DATA.fullmatch(url)
    if found is None:
        raise bad_request(f"{at}: must be an address, http(s) or data:…;base64,…", at)
    return (found["kind"] or _PLAIN).lower(), found["data"], found["packed"] is not None
