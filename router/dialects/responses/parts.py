"""Parts of a message's content: input_text, input_image and their like, to chat's parts and back."""

from collections.abc import Mapping
from typing import Any

from router.dialects.responses.reach import Reach
from router.refusal import Refusal, bad_request

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def read(content: object, at: str, reach: Reach) -> str | list[dict[str, Any]]:
    """Read what a user or a tool says: a text where it is one, else chat's parts. Raises Refusal (400)."""
    if isinstance(content, str):
        return content
    parts = [_read(part, f"{at}[{index}]", reach) for index, part in enumerate(listed(content, at))]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def listed(content: object, at: str) -> list[dict[str, Any]]:
    """Check that it is a list of objects with a type. Raises Refusal (400)."""
    if not isinstance(content, list):
        raise bad_request(f"{at} must be a text or a list of parts", at)
    for index, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise bad_request(f"{at}[{index}] must be an object with a type", f"{at}[{index}]")
    return content


def spoken(content: object, at: str, reach: Reach) -> tuple[str, str]:
    """Read what a model said: its text, and its refusal. Raises Refusal (400)."""
    if isinstance(content, str):
        return content, ""
    texts: list[str] = []
    refusals: list[str] = []
    for index, part in enumerate(listed(content, at)):
        where = f"{at}[{index}]"
        if part["type"] == "refusal":
            refusals.append(text(part, "refusal", where))
        elif part["type"] in _TEXTS:
            texts.append(text(part, "text", where))
        else:
            reach.only(f"a part of type {part['type']!r} in what the model said", f"{where}.type")
    return "".join(texts), "".join(refusals)


def text(part: Mapping[str, Any], field: str, at: str) -> str:
    """Give a field that must be a text. Raises Refusal (400)."""
    value = part.get(field)
    if not isinstance(value, str):
        raise bad_request(f"{at}.{field} must be a text", f"{at}.{field}")
    return value


def _read(part: dict[str, Any], at: str, reach: Reach) -> dict[str, Any]:
    kind = part["type"]
    if kind in _TEXTS:
        return {"type": "text", "text": text(part, "text", at)}
    if kind == "input_image":
        return _image(part, at, reach)
    if kind == "input_file":
        return _file(part, at, reach)
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    reach.only(f"a part of type {kind!r}", f"{at}.type")
    return {"type": "text", "text": ""}


def _image(part: dict[str, Any], at: str, reach: Reach) -> dict[str, Any]:
    if isinstance(part.get("image_url"), str):
        image = {"url": part["image_url"]}
        if part.get("detail") is not None:
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    if not isinstance(part.get("file_id"), str):
        raise bad_request(f"{at} must have an image_url (an address, or data:image/png;base64,…)", f"{at}.image_url")
    reach.stored("a picture named by file_id", f"{at}.file_id")
    return {"type": "image_url", "image_url": {"url": ""}}


def _file(part: dict[str, Any], at: str, reach: Reach) -> dict[str, Any]:
    if isinstance(part.get("file_data"), str):
        file = {"file_data": part["file_data"]}
        if isinstance(part.get("filename"), str):
            file["filename"] = part["filename"]
        return {"type": "file", "file": file}
    for field in ("file_id", "file_url"):
        if isinstance(part.get(field), str):
            reach.stored(f"a file named by {field}", f"{at}.{field}")
            return {"type": "file", "file": {}}
    raise bad_request(f"{at} must have file_data (data:application/pdf;base64,…)", f"{at}.file_data")


def write(content: object, at: str) -> str | list[dict[str, Any]]:
    """Write what a user or a tool says. Raises Refusal (400) for parts that this form does not have."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return [_write(part, f"{at}[{index}]") for index, part in enumerate(listed(content, at))]


def _write(part: dict[str, Any], at: str) -> dict[str, Any]:
    kind = part["type"]
    if kind == "text":
        return {"type": "input_text", "text": text(part, "text", at)}
    if kind == "image_url":
        image = part.get("image_url")
        url = image if isinstance(image, str) else image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str):
            raise bad_request(f"{at}.image_url.url must be an address", at)
        detail = image.get("detail") if isinstance(image, dict) else None
        return {"type": "input_image", "image_url": url, "detail": detail or "auto"}
    if kind == "file" and isinstance(part.get("file"), dict):
        known = ("file_data", "file_id", "filename")
        return {"type": "input_file", **{name: part["file"][name] for name in known if name in part["file"]}}
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    raise Refusal(400, "invalid_request", f"{at}: a part of type {kind!r} cannot be put to a Responses API", at)
