"""What a manifest says of itself: read where it can be, and said to be wrong where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fubini.manifests.about import About, about_of, is_picture_name, tags_of, words_of

KITS = Path(__file__).resolve().parents[4] / "kits"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Ising model", {"": "Ising model"}),
        ("pi: by sampling", {"": "pi: by sampling"}),
        ("{en: Sweep, zh: 扫描}", {"en": "Sweep", "zh": "扫描"}),
        ("en: Two\nzh: 二\n", {"en": "Two", "zh": "二"}),
        ("en: [1]", None),
        ("{en: ''}", None),
        ("", None),
        ("x" * 121, None),
    ],
)
def test_a_text_may_stand_in_several_languages(text: str, want: dict[str, str] | None) -> None:
    assert words_of(text, most=120) == want


def test_tags_are_words_between_commas() -> None:
    assert tags_of("Chemistry, force field , chemistry,") == ("chemistry", "force field")
    assert tags_of("化学") == ("化学",)
    assert tags_of("<b>") is None and tags_of(",".join(map(str, range(13)))) is None


@pytest.mark.parametrize(
    ("name", "want"),
    [("a/plot.PNG", True), ("../plot.png", False), ("/plot.png", False), ("plot.gif", False), ("", False)],
)
def test_a_picture_lies_beside_the_manifest(name: str, want: bool) -> None:
    assert is_picture_name(name) is want


def test_what_is_no_manifest_says_nothing() -> None:
    assert about_of(None) == about_of({"metadata": {"annotations": {"fubini.dev/title": 3}}}) == About()


@pytest.mark.parametrize("path", sorted(KITS.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_kit_says_what_it_does_in_both_languages(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    if path.name == "kit.yaml":
        return
    about = about_of(document)
    assert set(about.title) == set(about.summary) == {"en", "zh"} and about.tags
    if about.picture:
        assert (path.parent / about.picture).is_file()
