"""Pictures of pipelines: known by their bytes, bounded, and served so that nothing in them runs."""

from __future__ import annotations

import struct

import pytest

from fubini.common.errors import Invalid
from fubini.pipelines.pictures import PICTURE_MAX_BYTES, picture_type
from tests.support.rest import make_house, problem_of
from tests.unit.fubini.pages.test_gallery import MANIFEST

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def webp(width: int, height: int) -> bytes:
    return b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little") + b"\0" * 8


@pytest.mark.parametrize(
    ("content", "want"),
    [
        (png(3, 4), "image/png"),
        (webp(3, 4), "image/webp"),
        (SVG, "image/svg+xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x --><svg/>", "image/svg+xml"),
        (png(9000, 4), None),
        (png(0, 4), None),
        (webp(9000, 4), None),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", None),
        (b"<html><svg/></html>", None),
        (b"GIF89a", None),
        (b"\x89PNG", None),
        (SVG + b" " * PICTURE_MAX_BYTES, None),
    ],
    ids=lambda v: str(v)[:24],
)
def test_a_picture_is_known_by_its_bytes(content: bytes, want: str | None) -> None:
    if want is None:
        with pytest.raises(Invalid):
            picture_type(content)
    else:
        assert picture_type(content) == want


def test_a_picture_is_given_shown_under_a_policy_and_taken_away(db: None) -> None:
    house = make_house()
    member, viewer = house.api["member"], house.api["viewer"]
    made = member.post("pipelines", {"project": house.project.slug, "name": "one", "manifest": MANIFEST}).json()
    path = f"pipelines/{made['id']}/picture"
    assert made["picture"] == ""
    problem_of(viewer.get(path), 404)
    problem_of(viewer.call("PUT", path, raw=SVG), 403)
    problem_of(member.call("PUT", path, raw=b"no picture"), 422)
    given = member.call("PUT", path, raw=SVG).json()["picture"]
    assert given.startswith(f"/api/v1/{path}?v=")
    shown = viewer.get(given)
    assert (shown.content, shown["Content-Type"]) == (SVG, "image/svg+xml")
    assert "default-src 'none'" in shown["Content-Security-Policy"] and "sandbox" in shown["Content-Security-Policy"]
    assert viewer.get(f"projects/{house.project.slug}/gallery").json()["pipelines"][0]["pipeline"]["picture"] == given
    problem_of(make_house().api["owner"].get(path), 404)
    assert member.delete(path).status_code == 204
    problem_of(viewer.get(path), 404)
