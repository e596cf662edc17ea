"""Words, quiet hours and signatures: pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.notices.kinds import KINDS, quiet_for_minutes, sentence, wanted
from fubini.notices.signing import secret_new, signature_headers
from fubini_agent.room import Room

minutes = st.integers(0, 1439)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_kind_has_a_sentence_on_one_line_whatever_is_known(language: str) -> None:
    for kind in KINDS:
        said = sentence(kind, {"name": "a\r\nBcc: all@example.org", "reason": "\x1b[31m"}, language)
        assert said and "\n" not in said and "\r" not in said and "\x1b" not in said


def test_the_pages_have_a_name_for_every_kind() -> None:
    for language in ("en", "zh"):
        path = Path(__file__).parents[4] / "frontend" / "src" / "i18n" / language / "notices.json"
        assert set(json.loads(path.read_text())["name"]) == set(KINDS)


def test_what_an_agent_says_of_a_full_disk_is_told_in_the_readers_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fubini_agent.room.free_and_reserve", lambda folder: (3, 9))
    reason = Room([tmp_path]).look()
    said = {language: sentence("disk_full", {"agent": "a", "site": "s", "reason": reason}, language) for language in ("en", "zh")}
    assert said["en"].endswith(reason)
    assert f"{tmp_path} 所在的磁盘剩余 3 字节" in said["zh"]


@given(minutes, minutes, minutes)
def test_quiet_hours_end_when_they_say_also_over_midnight(now: int, begins: int, ends: int) -> None:
    left = quiet_for_minutes(now, begins, ends)
    if left:
        assert (now + left) % 1440 == ends
        assert quiet_for_minutes((now + left - 1) % 1440, begins, ends) == 1
    else:
        assert begins == ends or (now - begins) % 1440 >= (ends - begins) % 1440


def test_it_is_never_quiet_without_quiet_hours() -> None:
    assert quiet_for_minutes(5, None, None) == 0
    assert quiet_for_minutes(23 * 60, 22 * 60, 7 * 60) == 8 * 60


def test_rules_say_what_differs_from_the_default() -> None:
    assert wanted({}, "run_failed", "email") and not wanted({}, "run_succeeded", "email")
    assert not wanted({"run_failed": {"email": False}}, "run_failed", "email")
    assert wanted({"run_failed": {"email": False}}, "run_failed", "page")


def test_a_message_is_signed_as_standard_webhooks_are() -> None:
    secret, other = secret_new(), secret_new()
    headers = signature_headers([secret, other], "msg", 1700000000, b'{"a":1}')
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, b'msg.1700000000.{"a":1}', hashlib.sha256).digest()
    assert headers["webhook-signature"].split()[0] == "v1," + base64.b64encode(mac).decode()
    assert len(headers["webhook-signature"].split()) == 2
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg", "1700000000")
