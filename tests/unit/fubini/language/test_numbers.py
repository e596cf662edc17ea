"""Durations, quantities, formats and JSON texts as manifests and Go write them."""

from __future__ import annotations

import pytest

from fubini.language import durations, goformat, gojson, quantities
from fubini.language.errors import LanguageError


@pytest.mark.parametrize(
    ("text", "want_ms"),
    [
        ("10", 10_000),
        ("1h30m", 5_400_000),
        ("1.5s", 1500),
        ("250ms", 250),
        ("0", 0),
        ("-2s", -2000),
        ("2m0.5s", 120_500),
    ],
)
def test_durations(text: str, want_ms: int) -> None:
    assert durations.parse(text) == want_ms


@pytest.mark.parametrize(
    ("text", "want_words"),
    [
        ("soon", 'time: invalid duration "soon"'),
        ("1 parsec", 'unknown unit " parsec"'),
        ("1.5", 'missing unit in duration "1.5"'),
        ("", "invalid duration"),
    ],
)
def test_durations_that_are_none_say_so_as_go_does(text: str, want_words: str) -> None:
    with pytest.raises(LanguageError) as caught:
        durations.parse(text)
    assert want_words in caught.value.message


@pytest.mark.parametrize(
    ("text", "want_s"), [("3600", 3600), ("01:30:00", 5400), ("10:30", 37_800), ("1-00:00:00", 86_400), ("1h", 3600)]
)
def test_walltimes(text: str, want_s: int) -> None:
    assert durations.parse_walltime_s(text) == want_s


@pytest.mark.parametrize("text", ["", "0", "-5", "later", "1:2:3:4"])
def test_walltimes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(LanguageError, match="walltime"):
        durations.parse_walltime_s(text)


@pytest.mark.parametrize(
    ("ms", "want_text"),
    [(10_000, "10 seconds"), (90_000, "1 minute 30 seconds"), (3_600_000, "1 hour"), (1000, "1 second")],
)
def test_durations_in_words(ms: int, want_text: str) -> None:
    assert durations.humanize(ms) == want_text


@pytest.mark.parametrize(
    ("text", "want_millis"), [("500m", 500), ("2", 2000), ("1.5", 1500), ("1e3", 1_000_000), ("100u", 1)]
)
def test_cores(text: str, want_millis: int) -> None:
    assert quantities.millis(text) == want_millis


@pytest.mark.parametrize(("text", "want_bytes"), [("64Mi", 67_108_864), ("1G", 10**9), ("1500m", 2), ("2Gi", 2**31)])
def test_bytes(text: str, want_bytes: int) -> None:
    assert quantities.whole(text) == want_bytes


@pytest.mark.parametrize("text", ["", "lots", "1 Gi", "-1", "1e40", "1Xi"])
def test_quantities_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(LanguageError):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("template", "number", "want_text"),
    [
        ("%d", 7, "7"),
        ("%03d", 7, "007"),
        ("0x%X", 255, "0xFF"),
        ("%5d|", 7, "    7|"),
        ("%-5d|", 7, "7    |"),
        ("100%%-%d", 7, "100%-7"),
        ("none", 7, "none%!(EXTRA int=7)"),
        ("%s", 7, "%!s(int=7)"),
    ],
)
def test_sequence_formats(template: str, number: int, want_text: str) -> None:
    assert goformat.sprintf(template, number) == want_text


def test_formats_that_lose_the_number_are_found() -> None:
    goformat.parse("node-%02d")
    with pytest.raises(LanguageError, match="exactly once"):
        goformat.parse("node")


@pytest.mark.parametrize(
    ("value", "want_text"),
    [
        (1.0, "1"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        (0.1, "0.1"),
        (100000000.0, "100000000"),
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("<&>\n\u2028", '"\\u003c\\u0026\\u003e\\n\\u2028"'),
        ("é", '"é"'),
    ],
)
def test_json_texts(value: object, want_text: str) -> None:
    assert gojson.dumps(value) == want_text


def test_numbers_read_raw_are_written_as_they_came() -> None:
    assert (
        gojson.compact('{"b": 1.50, "a": [1e3, 12345678901234567890]}') == '{"b":1.50,"a":[1e3,12345678901234567890]}'
    )


@pytest.mark.parametrize("text", ["", "{", "[1,]", "NaN", "[" * 100_000])
def test_texts_that_are_no_json_are_refused(text: str) -> None:
    with pytest.raises(LanguageError):
        gojson.loads(text)
