"""The bytes' own door: signed, streamed, checked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from fubini.common import clock
from fubini.datasets.models import Blob
from fubini.datasets.objects import ObjectsApp, RangeNotSatisfiable, attachment, range_of
from fubini.datasets.signing import blob_url, upload_grant
from fubini.datasets.store import Store
from fubini.projects.models import Project
from tests.support.rest import make_house

Keep = Callable[..., dict[str, Any]]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


async def _elsewhere(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"elsewhere"})


def call(
    method: str, url: str, *, body: bytes | list[bytes] = b"", token: str = "", cut: bool = False, **headers: str
) -> Answer:
    """One exchange with the application; `cut`: the client goes away after its chunks."""
    path, _, query = url.partition("?")
    chunks = [body] if isinstance(body, bytes) else list(body)
    sent: list[Any] = []
    head = [(k.lower().replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    if token:
        head.append((b"authorization", f"Bearer {token}".encode()))

    async def receive() -> Any:
        if not chunks:
            if cut:
                return {"type": "http.disconnect"}
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks) or cut}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": head}
    async_to_sync(ObjectsApp(_elsewhere))(scope, receive, send)
    if not sent:
        return Answer(0, {}, b"")
    told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(m.get("body", b"") for m in sent[1:]))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def link(project: Project, entry: dict[str, Any], **more: Any) -> str:
    return blob_url(project_id=project.pk, digest=entry["sha256"], **more)


def test_a_signed_link_downloads_the_bytes_as_an_attachment_nothing_renders(project: Project, keep: Keep) -> None:
    answer = call("GET", link(project, keep(b"<script>"), filename='a/"é.html'))
    assert (answer.status, answer.body) == (200, b"<script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert "%C3%A9.html" in answer.headers["content-disposition"]


def test_a_download_goes_on_at_the_byte_where_it_stopped(project: Project, keep: Keep) -> None:
    data = bytes(range(256)) * 8192
    url = link(project, keep(data))
    first = call("GET", url, Range="bytes=0-999")
    rest = call("GET", url, Range="bytes=1000-", If_Range=first.headers["etag"])
    assert (first.status, rest.status) == (206, 206)
    assert first.body + rest.body == data
    assert rest.headers["content-range"] == f"bytes 1000-{len(data) - 1}/{len(data)}"
    assert call("GET", url, Range="bytes=-3").body == data[-3:]
    assert call("GET", url, Range=f"bytes={len(data)}-").status == 416
    assert call("GET", url, Range="bytes=1000-", If_Range='"other"').status == 200
    assert call("GET", url, If_None_Match=first.headers["etag"]).status == 304
    head = call("HEAD", url)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(data)))


def test_an_empty_file_downloads(project: Project, keep: Keep) -> None:
    answer = call("GET", link(project, keep(b"")))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("header", "want"),
    [
        ("", None), ("bytes=0-", (0, 10)), ("bytes=2-4", (2, 5)), ("bytes=2-99", (2, 10)), ("bytes=-4", (6, 10)),
        ("bytes=-99", (0, 10)), ("bytes=0-1,3-4", None), ("items=0-1", None), ("bytes=5-2", None), ("bytes=-", None),
        ("bytes=\u0661-", None),
    ],
)  # fmt: skip
def test_a_range_is_served_or_passed_over(header: str, want: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == want


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        range_of(header, 10)


def test_a_link_does_only_what_it_was_made_for(
    project: Project, keep: Keep, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, other = keep(b"mine"), keep(b"other")
    url = link(project, entry, ttl_s=60)
    base, token, digest = url.rsplit("/", 2)
    assert call("GET", f"{base}/{token}/{other['sha256']}").status == 403
    assert call("GET", f"{base}/{token[:-2]}xx/{digest}").status == 403
    assert call("GET", f"{base}/x/{digest}").status == 403
    assert call("PUT", url, body=b"mine").status == 403
    upload, right = upload_grant(project_id=project.pk, attempt_id="a" * 32, fence=1)
    assert call("GET", f"{upload}/{digest}", token=right).status == 403
    assert call("PUT", f"{upload}/{digest}", token=token, body=b"mine").status == 403
    assert call("PUT", f"{upload}/{digest}", body=b"mine").status == 401
    now = clock.now_ms()
    monkeypatch.setattr("fubini.common.clock.now_ms", lambda: now + 120_000)
    late = call("GET", url)
    assert (late.status, late.json()["code"]) == (403, "blob_not_allowed")
    assert late.json()["next_step"]


def test_an_upload_is_streamed_checked_and_may_be_repeated(project: Project, store: Store) -> None:
    data = b"x" * 3_000_000
    base, token = upload_grant(project_id=project.pk, attempt_id="a" * 32, fence=1)
    chunks = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
    for _ in range(2):
        answer = call("PUT", f"{base}/{sha(data)}", body=chunks, token=token)
        assert (answer.status, answer.json()["size_bytes"]) == (201, len(data))
    assert store.verify(sha(data))
    assert Blob.objects.get().project_id == project.pk
    assert call("HEAD", f"{base}/{sha(data)}", token=token).status == 200
    assert call("HEAD", f"{base}/{sha(b'?')}", token=token).status == 404


def test_bytes_that_are_not_what_they_are_sent_as_are_refused_and_not_kept(project: Project, store: Store) -> None:
    base, token = upload_grant(project_id=project.pk)
    answer = call("PUT", f"{base}/{sha(b'right')}", body=b"wrong", token=token)
    assert (answer.status, answer.json()["code"]) == (422, "blob_mismatch")
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(store.listing()) == [] and Blob.objects.count() == 0


def test_an_upload_over_the_limit_stops_at_the_limit(project: Project, store: Store, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "BLOB_MAX_BYTES": 2_000_000}
    base, token = upload_grant(project_id=project.pk)
    chunks = [b"x" * 1_000_000] * 50
    undeclared = call("PUT", f"{base}/{sha(b'?')}", body=chunks, token=token)
    assert (undeclared.status, undeclared.json()["code"]) == (413, "too_large")
    declared = call("PUT", f"{base}/{sha(b'?')}", body=b"", token=token, Content_Length="3000000")
    assert declared.status == 413
    assert list(store.listing()) == []


def test_files_sent_whole_count_against_the_projects_room_and_a_steps_results_are_taken_in(
    store: Store, db: None, settings: Any
) -> None:
    settings.FUBINI = {**settings.FUBINI, "PROJECT_MAX_BYTES": 10}
    house = make_house()
    base, token = upload_grant(project_id=house.project.pk)
    mine = house.api["member"]
    account = {"url": f"/api/v1/blobs/{{}}?project={house.project.slug}", "token": mine.token}
    for _ in range(2):  # what is here already takes no more room
        assert call("PUT", f"{base}/{sha(b'12345678')}", body=b"12345678", token=token).status == 201
    for url, right in ((base + "/{}", token), (account["url"], account["token"])):
        for length in ({"Content_Length": "3"}, {}):  # announced: refused before a byte of it is read
            answer = call("PUT", url.format(sha(b"901")), body=b"901", token=right, **length)
            assert (answer.status, answer.json()["allowed"]) == (409, 10)
    refused = mine.call("PUT", f"blobs/{sha(b'901')}?project={house.project.slug}", raw=b"901")
    assert refused.status_code == 409
    _, of_step = upload_grant(project_id=house.project.pk, attempt_id="a" * 32, fence=1)
    assert call("PUT", f"{base}/{sha(b'901')}", body=b"901", token=of_step).status == 201


def test_a_client_that_goes_away_leaves_nothing(project: Project, store: Store) -> None:
    base, token = upload_grant(project_id=project.pk)
    answer = call("PUT", f"{base}/{sha(b'whole')}", body=[b"who"], token=token, cut=True)
    assert answer.status == 0
    assert list(store.listing()) == []
    assert store.sweep_temporary(older_than_s=-1) == 0


@pytest.mark.parametrize(
    "path", ["/objects/", "/objects/x", "/objects/a/b/c", "/objects/t/../../etc", "/objects/t/" + "Z" * 64]
)
def test_any_other_address_below_is_not_found(path: str, store: Store) -> None:
    assert call("GET", path).status == 404


def test_other_methods_are_refused_and_other_addresses_are_left_to_django(project: Project, keep: Keep) -> None:
    assert call("DELETE", link(project, keep(b"x"))).status == 405
    assert call("GET", "/api/v1/runs").status == 299
    assert call("PUT", "/api/v1/blobs/nothex?project=x", token="t").status == 299
    assert call("PUT", f"/api/v1/blobs/{'0' * 64}?project=x").status == 299  # a session: Django's


def test_an_account_uploads_with_its_token_streamed_and_authorised(store: Store, db: None) -> None:
    house, strangers = make_house(), make_house()
    url = f"/api/v1/blobs/{sha(b'data')}?project={house.project.slug}"
    assert call("PUT", url, body=b"data", token=house.api["member"].token).status == 201
    assert Blob.objects.get().project_id == house.project.pk
    assert call("PUT", url, body=b"data", token=house.api["viewer"].token).status == 403
    assert call("PUT", url, body=b"data", token=strangers.api["owner"].token).status == 404
    assert call("PUT", url, body=b"data", token="fub_nothing").status == 401
    assert call("PUT", url, body=b"no data", token=house.api["member"].token).status == 422


@pytest.mark.parametrize(
    "name", ['x"; filename="y', "a\r\nSet-Cookie: b", "../../etc/passwd", "\u202etxt.exe", "", "n" * 5000]
)
def test_a_file_name_cannot_end_the_header_or_pick_a_folder(name: str) -> None:
    value = attachment(name)
    value.encode("ascii")
    assert "\r" not in value and "\n" not in value and "/" not in value
    assert value.count('"') == 2
