"""One large file to the server in parts, going on after any break: the client's half of the upload protocol (tus 1.0).

Decides that nothing is believed but the server's offset: after a part whose answer was lost it is asked for, never
assumed. Each part carries its sha256, so damage on the way costs one part. Small files are not for this module.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from fubini.cli.client import Client
from fubini.cli.errors import CliError

VERSION = {"Tus-Resumable": "1.0.0"}
AGAIN = 5  # times a part may be refused as damaged or out of place, or the upload be gone, before it is an error


def send(client: Client, project: str, source: Path, digest: str, size: int, progress: Callable[[int], None]) -> None:
    """Send the file unless the server has it; `progress` hears of bytes as they are safe there.

    Raises:
        CliError: the server refuses it, cannot be reached for long, or the file cannot be read.
    """
    upload = _Upload(client, project, source, digest, size)
    upload.begin()
    progress(upload.at)
    while upload.at < size:
        before = upload.at
        upload.part()
        progress(upload.at - before)


class _Upload:
    """Where one upload stands, as the server said last."""

    def __init__(self, client: Client, project: str, source: Path, digest: str, size: int) -> None:
        self.client, self.project, self.source, self.digest, self.size = client, project, source, digest, size
        self.url, self.part_bytes, self.at, self.sure = "", 0, 0, True
        self.refused = 0

    def begin(self) -> None:
        body = {"project": self.project, "sha256": self.digest, "size_bytes": self.size, "name": self.source.name}
        made = self.client.send("POST", "/uploads", body=body)
        self.url, self.part_bytes, self.at = str(made["url"]), int(made["part_bytes"]), int(made["offset_bytes"])

    def part(self) -> None:
        """Move on by one part."""
        self.client.retrying(self._once, safe=True)

    def _once(self) -> Any:
        if not self.sure:
            reply = self.client.http.head(self.url, headers=VERSION)
            if reply.status_code >= 300:
                return self._lost(reply)
            self.at, self.sure = int(reply.headers["upload-offset"]), True
            return reply
        data = _read(self.source, self.at, min(self.part_bytes, self.size - self.at))
        check = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = {
            **VERSION,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(self.at),
            "Upload-Checksum": f"sha256 {check}",
        }
        self.sure = False  # until an answer says where it stands
        # The last part is answered when the whole is hashed, which takes a while for a long file.
        last = self.at + len(data) == self.size
        timeout = None if last else self.client.timeout_s
        reply = self.client.http.patch(self.url, content=data, headers=headers, timeout=timeout)
        if reply.status_code >= 300:
            return self._lost(reply)
        self.at, self.sure = int(reply.headers["upload-offset"]), True
        return reply

    def _lost(self, reply: Any) -> Any:
        """A part out of place or damaged is sent again, an upload that is gone is begun again; all else is the answer."""
        if reply.status_code in {403, 404, 409, 460} and self.refused < AGAIN:
            self.refused += 1
            if reply.status_code in {403, 404}:
                self.begin()
                self.sure = True
            return _Continued()
        return reply


class _Continued:
    """Stands for an answer where the next turn goes on by itself."""

    status_code = 204
    headers: ClassVar[Mapping[str, str]] = {}


def _read(source: Path, start: int, length: int) -> bytes:
    with source.open("rb") as file:
        file.seek(start)
        data = file.read(length)
    if len(data) != length:
        raise CliError(f"{source} became shorter while it was sent", try_="run the same command again")
    return data
