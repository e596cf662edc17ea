"""Is this a picture a gallery may show? By its bytes, never by its name. Pure.

PNG and WebP need a header with a sane size; an SVG must be text with an `<svg>` root and no document type, for entities
can grow without bound. What else an SVG has does nothing: it is served under a policy that lets nothing run or load, and
pages show it as an image.
"""

from __future__ import annotations

import re
from typing import Final

from fubini.common.errors import Invalid
from fubini.common.saying import say

PICTURE_MAX_BYTES: Final = 512 * 1024
SIDE_MAX: Final = 8192
ALLOWED: Final = f"PNG, WebP or SVG of at most {PICTURE_MAX_BYTES // 1024} KiB and {SIDE_MAX} pixels a side"
_SVG: Final = re.compile(r"\s*(<\?xml[^>]*>\s*)?(<!--[^>]*-->\s*)*<svg[\s/>]")


def picture_type(content: bytes) -> str:
    """The media type of a picture.

    Raises:
        Invalid: it is none that is shown, or too large.
    """
    if len(content) > PICTURE_MAX_BYTES:
        raise _refused(say("The picture has more than {most} bytes.", most=PICTURE_MAX_BYTES))
    size: tuple[int, int] | None = None
    kind = ""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR":
        kind, size = "image/png", (int.from_bytes(content[16:20]), int.from_bytes(content[20:24]))
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind, size = "image/webp", _webp_size(content)
    elif _is_svg(content):
        return "image/svg+xml"
    if size is None:
        raise _refused(say("The bytes are no picture that is shown here."))
    if not (0 < size[0] <= SIDE_MAX and 0 < size[1] <= SIDE_MAX):
        raise _refused(say("The picture has {width} x {height} pixels.", width=size[0], height=size[1]))
    return kind


def _webp_size(content: bytes) -> tuple[int, int] | None:
    chunk, body = content[12:16], content[20:32]
    if chunk == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def _is_svg(content: bytes) -> bool:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return _SVG.match(text) is not None and "<!DOCTYPE" not in text and "<!ENTITY" not in text


def _refused(why: str) -> Invalid:
    step = say(
        "Send a PNG, WebP or SVG of at most {kib} KiB and {side} pixels a side.",
        kib=PICTURE_MAX_BYTES // 1024,
        side=SIDE_MAX,
    )
    return Invalid(why, allowed=ALLOWED, next_step=step)
