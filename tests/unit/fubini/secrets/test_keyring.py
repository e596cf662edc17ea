"""Sealed values open for their own place alone, over a rotation and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken

from fubini.secrets import keyring
from fubini.secrets.keyring import KeyringError


def test_the_key_is_made_once_and_only_its_owner_may_read_it(own_keys: Path) -> None:
    sealed = keyring.seal("p", "db", "password", b"\x00canary\xff")
    assert own_keys.stat().st_mode & 0o777 == 0o600
    assert b"canary" not in sealed.encode()
    assert keyring.open_sealed("p", "db", "password", sealed) == b"\x00canary\xff"


def test_a_key_file_with_loose_modes_is_tightened(own_keys: Path) -> None:
    keyring.keyring()
    own_keys.chmod(0o644)
    keyring.keyring()
    assert own_keys.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [("q", "db", "password"), ("p", "db2", "password"), ("p", "db", "user")])
def test_a_value_copied_to_another_place_does_not_open(place: tuple[str, str, str]) -> None:
    sealed = keyring.seal("p", "db", "password", b"canary-value")
    with pytest.raises(KeyringError) as raised:
        keyring.open_sealed(*place, sealed)
    assert "canary" not in str(raised.value.__dict__) + str(raised.value)


def test_after_a_rotation_old_values_open_and_new_ones_need_the_new_key(own_keys: Path) -> None:
    old = keyring.seal("p", "db", "k", b"one")
    keyring.key_add()
    [new_key, old_key] = own_keys.read_text().split()
    fresh = keyring.seal("p", "db", "k", b"two")
    assert keyring.open_sealed("p", "db", "k", old) == b"one"
    Fernet(new_key).decrypt(fresh.encode())
    with pytest.raises(InvalidToken):
        Fernet(old_key).decrypt(fresh.encode())
    resealed = keyring.reseal(old)
    Fernet(new_key).decrypt(resealed.encode())
    keyring.key_add()
    assert keyring.keys_drop_old() == 1
    assert own_keys.read_text().split()[1] == new_key
    assert keyring.open_sealed("p", "db", "k", resealed) == b"one"
    with pytest.raises(KeyringError):
        keyring.open_sealed("p", "db", "k", old)


def test_keys_from_the_settings_win_and_are_not_changed_here(settings: Any, own_keys: Path) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FUBINI_SECRETS_KEYS = (first,)
    sealed = keyring.seal("p", "db", "k", b"one")
    settings.FUBINI_SECRETS_KEYS = (second, first)
    assert keyring.open_sealed("p", "db", "k", sealed) == b"one"
    with pytest.raises(KeyringError, match="FUBINI_SECRETS_KEYS"):
        keyring.key_add()
    assert not own_keys.exists()


def test_a_key_that_is_none_is_said_without_repeating_it(settings: Any) -> None:
    settings.FUBINI_SECRETS_KEYS = ("not-a-key-canary",)
    with pytest.raises(KeyringError) as raised:
        keyring.keyring()
    assert "canary" not in str(raised.value)
