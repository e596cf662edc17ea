"""The keys secrets are encrypted with, and the two things done with them: seal and open.

The newest key encrypts, all of them decrypt (cryptography's MultiFernet: AES-CBC with an HMAC). Keys come from
`FUBINI_SECRETS_KEYS` (newest first, for production) or from `secrets.keys` in the state folder, one a line, 0600, made
at first use and read again whenever the file changes, so that a rotation needs no restart.

A sealed value names the project, secret and key it belongs to: a row whose text was copied over another's opens to
nothing. Source: the Fernet specification; MultiFernet's documentation on rotation.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from threading import Lock
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from fubini.common.errors import FubiniError
from fubini.common.home import made_once, write_private
from fubini.common.saying import say

FILE: Final = "secrets.keys"
KEPT: Final = 2  # keys a rotation leaves in the file: the new one, and the one another process may still be using


class KeyringError(FubiniError):
    """A stored secret cannot be opened, or the keys are not usable; the text never has a key or a value in it."""

    code = "secrets_key"
    http_status = 500
    title = "The secrets' key does not fit"


class _Kept:
    """The keyring of the newest state of its source."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.mark: object = None
        self.ring: MultiFernet | None = None


_kept = _Kept()


def key_file() -> Path:
    return Path(settings.FUBINI_HOME) / FILE


def _from_settings() -> tuple[str, ...]:
    return tuple(getattr(settings, "FUBINI_SECRETS_KEYS", ()))


def _read() -> tuple[object, list[str]]:
    given = _from_settings()
    if given:
        return given, list(given)
    path = key_file()
    try:
        info = path.stat()
    except FileNotFoundError:
        made_once(path, lambda: Fernet.generate_key().decode())
        info = path.stat()
    if info.st_mode & 0o077:
        path.chmod(0o600)  # a copy made with loose modes is tightened, as the folder is
    mark = (str(path), info.st_ino, info.st_mtime_ns, info.st_size)
    return mark, [] if mark == _kept.mark else path.read_text(encoding="ascii").split()


def keyring() -> MultiFernet:
    """The keys as they are now.

    Raises:
        KeyringError: there is none, or one of them is no Fernet key.
    """
    with _kept.lock:
        mark, keys = _read()
        if _kept.ring is None or mark != _kept.mark:
            try:
                _kept.ring = MultiFernet([Fernet(key) for key in keys])
            except ValueError:
                raise KeyringError(
                    "One of the secrets' keys is not a Fernet key (32 url-safe base64-encoded bytes).",
                    next_step="Correct FUBINI_SECRETS_KEYS, or the file secrets.keys in the state folder.",
                ) from None
            _kept.mark = mark
        return _kept.ring


def seal(project_id: str, name: str, key: str, value: bytes) -> str:
    """A value as it may be stored."""
    plain = json.dumps([project_id, name, key, base64.b64encode(value).decode("ascii")])
    return keyring().encrypt(plain.encode()).decode("ascii")


def open_sealed(project_id: str, name: str, key: str, token: str) -> bytes:
    """The value again.

    Raises:
        KeyringError: none of the keys made it, or it was sealed for another place.
    """
    try:
        owner, secret, entry, value = json.loads(keyring().decrypt(token.encode("ascii")))
    except (InvalidToken, ValueError):
        owner = secret = entry = value = None
    if (owner, secret, entry) != (project_id, name, key):
        raise KeyringError(
            say(
                "The secret {name!r}, key {key!r}, cannot be opened with the keys this installation has.",
                name=name,
                key=key,
            ),
            next_step="Restore the key it was stored with, or set the secret again.",
        )
    return base64.b64decode(value)


def reseal(token: str) -> str:
    """The same value under the newest key.

    Raises:
        KeyringError: none of the keys made it.
    """
    try:
        return keyring().rotate(token.encode("ascii")).decode("ascii")
    except InvalidToken:
        raise KeyringError(
            "A stored secret cannot be opened with the keys this installation has; nothing was changed.",
            next_step="Put the key it was stored with behind the newest one, then rotate again.",
        ) from None


def key_add() -> None:
    """Put a new key in front of those in the state folder's file.

    Raises:
        KeyringError: the keys come from the environment, where only an administrator can change them.
    """
    if _from_settings():
        raise KeyringError(
            "The keys come from FUBINI_SECRETS_KEYS.",
            next_step="Put a new key in front there, restart, and rotate without a new key.",
        )
    keyring()
    write_private(key_file(), "\n".join([Fernet.generate_key().decode(), *_file_keys()]) + "\n")


def keys_drop_old() -> int:
    """Leave the newest `KEPT` keys in the file; how many went."""
    keys = _file_keys()
    if _from_settings() or len(keys) <= KEPT:
        return 0
    write_private(key_file(), "\n".join(keys[:KEPT]) + "\n")
    return len(keys) - KEPT


def _file_keys() -> list[str]:
    return key_file().read_text(encoding="ascii").split() if os.path.exists(key_file()) else []  # noqa: PTH110
