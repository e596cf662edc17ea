"""Short-lived rights to bytes: signed URLs and upload tokens, checked without a look at the database.

A link says what it allows (method, project, blob or attempt, until when) and is signed with the installation's key, so
whoever holds it can do that and nothing else. Making one is the act of authorisation: callers have checked first that
the project has the blob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.core import signing

from fubini.common import clock
from fubini.datasets.errors import LinkNotValid

SALT: Final = "fubini.objects.v1"
OBJECTS_PATH: Final = "/objects"
UPLOAD_PATH: Final = "/objects/upload"
UPLOADS_PATH: Final = "/objects/uploads"
ASK: Final = "Ask for a new link; they are short-lived."


@dataclass(frozen=True, slots=True)
class Link:
    """What a checked token allows. A read link names one `digest`; an upload token names an attempt instead."""

    method: str  # GET | PUT
    project_id: str
    digest: str = ""
    attempt_id: str = ""
    fence: int = 0
    filename: str = ""  # offered to a browser that saves it


def _sign(payload: dict[str, Any], ttl_s: int) -> str:
    payload["x"] = clock.now_ms() // 1000 + max(1, ttl_s)
    return signing.Signer(salt=SALT).sign_object(payload)


def blob_url(*, project_id: str, digest: str, method: str = "GET", ttl_s: int = 900, filename: str = "") -> str:
    """A URL, relative to the platform's, that allows `method` on one blob for `ttl_s` seconds."""
    payload = {"m": method, "p": project_id, "d": digest}
    if filename:
        payload["n"] = filename[:255]
    return f"{OBJECTS_PATH}/{_sign(payload, ttl_s)}/{digest}"


def upload_grant(*, project_id: str, attempt_id: str = "", fence: int = 0, ttl_s: int = 3600) -> tuple[str, str]:
    """(base URL, token): `PUT <base>/<sha256>` with the token as bearer stores a blob of this project.

    The attempt and fence are in the token for the record; whether its result counts is decided when it is reported.
    """
    return UPLOAD_PATH, _sign({"m": "PUT", "p": project_id, "a": attempt_id, "f": fence}, ttl_s)


def upload_link(*, project_id: str, upload_id: str, ttl_s: int) -> str:
    """A URL, relative to the platform's, at which one upload is looked at, continued and discarded."""
    return f"{UPLOADS_PATH}/{_sign({'m': 'TUS', 'p': project_id, 'u': upload_id}, ttl_s)}"


def upload_link_check(token: str) -> tuple[str, str]:
    """(project id, upload id) of an upload's URL.

    Raises:
        LinkNotValid: forged, expired, or for something else.
    """
    payload = _unsign(token)
    if payload.get("m") != "TUS":
        raise LinkNotValid("The link is for something else.", next_step=ASK)
    return str(payload["p"]), str(payload["u"])


def link_check(token: str, *, method: str, digest: str) -> Link:
    """What `token` allows, if it allows `method` on `digest`.

    Raises:
        LinkNotValid: forged, expired, or for something else. The text does not say more than the holder may know.
    """
    payload = _unsign(token)
    if payload.get("m") not in ("GET", "PUT"):
        raise LinkNotValid("The link is for something else.", next_step=ASK)
    link = Link(
        method=payload["m"],
        project_id=payload["p"],
        digest=payload.get("d", ""),
        attempt_id=payload.get("a", ""),
        fence=payload.get("f", 0),
        filename=payload.get("n", ""),
    )
    allowed = {"GET", "HEAD"} if link.method == "GET" else {"PUT", "HEAD"}
    if method not in allowed or (link.digest and link.digest != digest):
        raise LinkNotValid("The link is for something else.", next_step=ASK)
    return link


def _unsign(token: str) -> dict[str, Any]:
    try:
        payload: dict[str, Any] = signing.Signer(salt=SALT).unsign_object(token)
        expires_s = int(payload["x"])
        payload["p"] = str(payload["p"])
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        raise LinkNotValid("The link's signature is not valid.", next_step=ASK) from None
    if expires_s * 1000 < clock.now_ms():
        raise LinkNotValid("The link has expired.", next_step=ASK)
    return payload
