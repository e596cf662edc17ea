"""Uploads in parts: what came is never sent twice, what is damaged never counts, nobody else's upload can be touched."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from fubini.cli import resume
from fubini.cli.client import Client
from fubini.cli.config import Target
from fubini.cli.errors import CliError
from fubini.common import clock
from fubini.datasets.models import Blob, Upload
from fubini.datasets.signing import upload_grant
from fubini.datasets.store import Store
from fubini.datasets.uploads import uploads_expire
from tests.support.rest import House, make_house, problem_of
from tests.unit.fubini.datasets.test_objects import Answer, call, sha

DATA = bytes(range(256)) * 40


@pytest.fixture
def house(db: None, store: Store) -> House:
    return make_house()


def begin(house: House, data: bytes, role: str = "member", **more: Any) -> dict[str, Any]:
    body = {"project": house.project.slug, "sha256": sha(data), "size_bytes": len(data), "name": "a.bin", **more}
    reply = house.api[role].post("uploads", body)
    assert reply.status_code == 201, reply.content
    found: dict[str, Any] = reply.json()
    return found


def tus(method: str, url: str, body: bytes | list[bytes] = b"", cut: bool = False, **headers: str) -> Answer:
    return call(method, url, body=body, cut=cut, **{"tus-resumable": "1.0.0", **headers})


def patch(url: str, at: int, body: bytes | list[bytes], cut: bool = False, **more: str) -> Answer:
    head = {"content-type": "application/offset+octet-stream", "upload-offset": str(at), **more}
    return tus("PATCH", url, body, cut, **head)


def check(data: bytes, name: str = "sha256") -> dict[str, str]:
    return {"upload-checksum": f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"}


def test_parts_make_the_whole_and_only_then_the_project_has_it(house: House, store: Store) -> None:
    made = begin(house, DATA)
    assert (made["offset_bytes"], made["state"]) == (0, "open")
    first = patch(made["url"], 0, DATA[:4000], **check(DATA[:4000]))
    assert (first.status, first.headers["upload-offset"]) == (204, "4000")
    assert not Blob.objects.exists()
    looked = tus("HEAD", made["url"])
    assert (looked.status, looked.headers["upload-offset"], looked.headers["upload-length"]) == (200, "4000", "10240")
    assert begin(house, DATA)["id"] == made["id"]  # whoever sends the same file goes on with it
    assert patch(made["url"], 4000, DATA[4000:], **check(DATA[4000:], "sha1")).headers["upload-offset"] == "10240"
    assert store.read(sha(DATA)) == DATA
    assert Blob.objects.get().size_bytes == len(DATA)
    assert store.uploads_with_parts() == []
    assert begin(house, DATA)["state"] == "whole"
    assert house.api["member"].get(f"uploads?project={house.project.slug}").json()["results"] == []


def test_what_came_before_a_break_counts_and_a_checked_part_counts_whole_or_not(house: House, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "UPLOAD_PART_BYTES": 1024}
    data = DATA * 400  # several pieces of a body
    made = begin(house, data)
    assert patch(made["url"], 0, [data[:3_000_000]], cut=True).status == 0
    at = int(tus("HEAD", made["url"]).headers["upload-offset"])
    assert at == 3_000_000
    assert patch(made["url"], at, [data[at : at + 500]], cut=True, **check(data[at : at + 900])).status == 0
    damaged = patch(made["url"], at, b"x" * 900, **check(data[at : at + 900]))
    assert (damaged.status, damaged.json()["code"]) == (460, "checksum_mismatch")
    assert int(tus("HEAD", made["url"]).headers["upload-offset"]) == at
    misplaced = patch(made["url"], at - 1, b"x")
    assert (misplaced.status, misplaced.json()["offset_bytes"]) == (409, at)
    assert patch(made["url"], at, data[at:] + b"more").status == 413
    assert patch(made["url"], at, data[at:]).status == 204


def test_bytes_that_hash_to_something_else_are_forgotten(house: House, store: Store) -> None:
    made = begin(house, DATA)
    wrong = patch(made["url"], 0, bytes(len(DATA)))
    assert (wrong.status, wrong.json()["code"]) == (422, "blob_mismatch")
    assert tus("HEAD", made["url"]).status == 404
    assert not Blob.objects.exists()
    assert not store.exists(sha(DATA))


def test_any_client_of_the_protocol_can_begin_one_by_token(house: House) -> None:
    options = call("OPTIONS", "/objects/uploads")
    assert (options.headers["tus-version"], "checksum" in options.headers["tus-extension"]) == ("1.0.0", True)
    token = house.api["member"].token

    def meta(**pairs: str) -> str:
        return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in pairs.items())

    head = {"upload-length": str(len(DATA)), "upload-metadata": meta(project=house.project.slug, sha256=sha(DATA))}
    made = call("POST", "/objects/uploads", token=token, **{"tus-resumable": "1.0.0", **head})
    assert made.status == 201, made.body
    assert patch(made.headers["location"], 0, DATA).status == 204
    again = call("POST", "/objects/uploads", token=token, **{"tus-resumable": "1.0.0", **head})
    assert tus("HEAD", again.headers["location"]).headers["upload-offset"] == str(len(DATA))
    assert call("POST", "/objects/uploads", token=token, **head).status == 412
    assert call("POST", "/objects/uploads", **{"tus-resumable": "1.0.0", **head}).status == 401
    bad = {**head, "upload-metadata": meta(project=house.project.slug, sha256="../../x")}
    assert call("POST", "/objects/uploads", token=token, **{"tus-resumable": "1.0.0", **bad}).status == 422
    other = {**head, "upload-metadata": meta(project="not-mine", sha256=sha(DATA))}
    assert call("POST", "/objects/uploads", token=token, **{"tus-resumable": "1.0.0", **other}).status == 404


def test_uploads_are_their_projects_own(house: House, store: Store) -> None:
    made = begin(house, DATA)
    body = {"project": house.project.slug, "sha256": sha(DATA), "size_bytes": len(DATA)}
    outsider = make_house().api["owner"]
    problem_of(house.api["viewer"].post("uploads", body), 403)
    problem_of(outsider.post("uploads", body), 404)
    problem_of(outsider.delete(f"uploads/{made['id']}"), 404)
    problem_of(house.api["viewer"].delete(f"uploads/{made['id']}"), 403)
    _, grant = upload_grant(project_id=house.project.pk)
    assert tus("HEAD", f"/objects/uploads/{grant}").status == 403
    assert call("GET", f"/objects/{made['url'].rsplit('/', 1)[1]}/{sha(DATA)}").status == 403
    assert tus("HEAD", made["url"] + "x").status == 403
    patch(made["url"], 0, DATA[:10])
    assert house.api["member"].delete(f"uploads/{made['id']}").status_code == 204
    assert store.uploads_with_parts() == []
    assert tus("HEAD", made["url"]).status == 404


def test_a_project_has_so_much_room_and_so_many_unfinished_uploads(house: House, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "PROJECT_MAX_BYTES": 15_000, "UPLOADS_OPEN_MAX": 2}
    begin(house, DATA)
    body = {"project": house.project.slug, "sha256": "1" * 64, "size_bytes": 5000}
    assert problem_of(house.api["member"].post("uploads", body), 409, "project_full")["allowed"] == 15_000
    assert house.api["member"].post("uploads", {**body, "size_bytes": 4000}).status_code == 201
    problem_of(house.api["member"].post("uploads", {**body, "sha256": "2" * 64, "size_bytes": 1}), 409, "conflict")


def test_uploads_nothing_comes_for_and_parts_without_one_are_cleared(house: House, store: Store) -> None:
    made = begin(house, DATA)
    patch(made["url"], 0, DATA[:10])
    with store.part_writer("f" * 32, 0, max_bytes=1) as writer:
        writer.write(b"x")
        writer.commit()
    assert uploads_expire() == 1
    assert store.uploads_with_parts() == [made["id"]]
    Upload.objects.update(touched_at_ms=clock.now_ms() - 49 * 3600 * 1000)
    assert tus("HEAD", made["url"]).status == 404
    assert uploads_expire() == 1
    assert store.uploads_with_parts() == []


def test_the_client_goes_on_over_lost_answers_damage_and_a_forgotten_upload(
    house: House, store: Store, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FUBINI = {**settings.FUBINI, "UPLOAD_PART_BYTES": 1000}
    monkeypatch.setattr("stamina.retry_context", _at_once(__import__("stamina").retry_context))
    file = tmp_path / "a.bin"
    file.write_bytes(DATA)
    faults = {2: "lost", 4: "damaged", 6: "forgotten", 8: "refused"}
    seen: list[int] = []

    def server(request: httpx.Request) -> httpx.Response:
        body = request.read()
        if request.url.path.startswith("/api/v1/"):
            path = request.url.path.removeprefix("/api/v1/")
            reply = house.api["member"].call(request.method, path, raw=body, Content_Type="application/json")
            return httpx.Response(
                reply.status_code, content=reply.content, headers={"content-type": "application/json"}
            )
        fault = ""
        if request.method == "PATCH":
            seen.append(int(request.headers["upload-offset"]))
            fault = faults.get(len(seen), "")
        if fault == "damaged":
            body = b"\0" * len(body)
        if fault == "forgotten":
            Upload.objects.all().delete()
        if fault == "refused":
            raise httpx.ConnectError("nobody there")
        head = {k: v for k, v in request.headers.items() if k not in ("authorization", "host")}
        answer = call(request.method, request.url.path, body=body, **head)
        if fault == "lost":
            raise httpx.ReadError("the line went dead")
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    client = Client(Target(url="http://127.0.0.1:1", token="", project="p", source="a test"))
    client.http = httpx.Client(base_url="http://127.0.0.1:1", transport=httpx.MockTransport(server))
    told: list[int] = []
    resume.send(client, house.project.slug, file, sha(DATA), len(DATA), told.append)
    assert store.read(sha(DATA)) == DATA
    assert sum(told) == len(DATA)
    assert seen[:6] == [0, 1000, 2000, 3000, 3000, 4000]  # what was kept though its answer was lost is not sent again
    sent = len(seen)
    resume.send(client, house.project.slug, file, sha(DATA), len(DATA), told.append)
    assert len(seen) == sent  # it is here already
    file.write_bytes(DATA[:500])
    Blob.objects.all().delete()
    store.delete(sha(DATA))
    with pytest.raises(CliError, match="became shorter"):
        resume.send(client, house.project.slug, file, sha(DATA), len(DATA), told.append)


def _at_once(real: Any) -> Any:
    """Retries without their pauses."""

    def context(**options: Any) -> Any:
        return real(**{**options, "wait_initial": 0.0, "wait_max": 0.0, "wait_jitter": 0.0})

    return context
