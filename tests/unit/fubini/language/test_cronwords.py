"""Schedules in words: what is due, however it is written."""

from __future__ import annotations

import pytest

from fubini.language.cronwords import words
from fubini.language.schedules import parse

CASES = [
    ("* * * * *", "Every minute", "每分钟"),
    ("*/5 * * * *", "Every 5 minutes", "每 5 分钟"),
    ("0-59/5 * * * ?", "Every 5 minutes", "每 5 分钟"),
    ("3-59/20 * * * *", "Every 20 minutes from minute 3", "从第 3 分起每 20 分钟"),
    ("0 * * * *", "Every hour", "每小时整点"),
    ("@hourly", "Every hour", "每小时整点"),
    ("5,20 * * * *", "At minute 5, 20 of every hour", "每小时第 5、20 分"),
    ("0 2 * * *", "At 02:00 every day", "每天 02:00"),
    ("30 9,13 * * *", "At 09:30, 13:30 every day", "每天 09:30、13:30"),
    ("0 9 * * 1-5", "At 09:00, Monday to Friday", "周一至周五 09:00"),
    ("0 9 * * MON,FRI", "At 09:00, on Monday, Friday", "周一、周五 09:00"),
    ("*/15 9-17 * * mon-fri", "Every 15 minutes between 09:00 and 17:59, Monday to Friday", "周一至周五 09:00 至 17:59 之间每 15 分钟"),
    ("15 */2 * * *", "Every 2 hours from 00:15", "从 00:15 起每 2 小时"),
    ("0,30 6-20 * * *", "Every 30 minutes between 06:00 and 20:59", "06:00 至 20:59 之间每 30 分钟"),
    ("1,2,7 8,12,18 * * *", "At minute 1-2, 7 in the hours 8, 12, 18 every day", "8、12、18 点内每小时第 1-2、7 分"),
    ("0 0 1 * *", "At 00:00, on day 1 of the month", "每月 1 日 00:00"),
    ("0 0 13 * 5", "At 00:00, on day 13 of the month and on Friday", "每月 13 日以及每逢周五 00:00"),
    ("0 0 1 jan,jul *", "At 00:00, on day 1 of the month, in January, July", "1 月、7 月，每月 1 日 00:00"),
    ("0 4 * 6 *", "At 04:00 every day, in June", "6 月 每天 04:00"),
    ("@weekly", "At 00:00, on Sunday", "周日 00:00"),
    ("@every 1h30m", "Every 1 h 30 min", "每 1 小时 30 分钟"),
    ("@every 45s", "Every 45 s", "每 45 秒"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "en", "zh"), CASES, ids=[c[0] for c in CASES])
def test_a_schedule_is_said_in_both_languages(line: str, en: str, zh: str) -> None:
    assert (words(parse(line), "en"), words(parse(line), "zh")) == (en, zh)
