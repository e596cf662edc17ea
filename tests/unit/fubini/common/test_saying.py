"""Sentences that outlive their maker: kept as JSON with their template, or found again in what others wrote in English."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fubini.common.saying import ASKED, CHINESE, Known, heard, kept, ours, say, told
from fubini.runs.messages import MESSAGES
from fubini.runs.reuse.keys import difference


def in_chinese(text: str) -> str:
    token = ASKED.set(CHINESE)
    try:
        return told(text)
    finally:
        ASKED.reset(token)


def test_a_kept_sentence_is_told_in_another_language_and_names_in_it_stay() -> None:
    why = say("it ended {phase} in {run}", phase=ours("Failed"), run="Failed")  # a run may be called anything
    again = heard(json.loads(json.dumps(kept(why))))
    assert again == why == "it ended Failed in Failed"
    assert in_chinese(again) == "它在 Failed 中的结局是：失败"
    assert heard("what an older version kept") == "what an older version kept"


def test_why_a_step_is_not_reused_is_told_in_chinese() -> None:
    before, now = (("image", "a"), ("script", "x = 1")), (("image", "a"), ("script", "x = 2"))
    why = say("{difference} (compared with {run})", difference=difference(before, now), run="fit-1")
    assert why == "line 1 of its script was 'x = 1' and is 'x = 2' (compared with fit-1)"
    assert in_chinese(heard(kept(why))) == "脚本的第 1 行原为 'x = 1'，现为 'x = 2'（与 fit-1 比较）"


def test_messages_in_argos_words_are_told_in_chinese_and_stay_what_they_are_in_english() -> None:
    for text, chinese in {
        "main: Error (exit code 3)": "main：出错（退出码 3）",
        "main: Error (exit code 3): no (exit code) here": "main：出错（退出码 3）：no (exit code) here",
        "workflow shutdown with strategy: Terminate": "运行按“立即终止”方式结束",
        "Waiting for demo/Mutex/m lock. Lock status: 0/1": "等待锁 demo/Mutex/m。锁的状态：0/1",
        "what the program printed": "what the program printed",
    }.items():
        assert told(MESSAGES.said(text)) == text
        assert in_chinese(MESSAGES.said(text)) == chinese


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_is_taken_apart_and_put_together_the_same(one: str, two: str) -> None:
    known = Known("of {one} and {two} both", "{one}: {two}", "just this")
    for text in (f"of {one} and {two} both", f"{one}: {two}", one):
        assert known.said(text) == text
