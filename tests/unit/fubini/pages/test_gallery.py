"""The gallery: pictures of pipelines, and what their runs took and cost."""

from __future__ import annotations

from typing import Any

from fubini.pages.gallery import Span, span_of
from fubini.pipelines.models import PipelineVersion
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_run

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: two-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: first, template: work}
    - - {name: then, template: work}
  - name: work
    container: {image: busybox, command: ["true"]}
"""


def test_usual_figures_are_the_middle_half_of_what_was_seen() -> None:
    assert span_of([]) is None
    assert span_of([7]) == Span(7, 7, 7)
    assert span_of([9, 1, 5, 3, 1000]) == Span(3, 5, 9)


def test_a_gallery_is_one_answer_with_pictures_and_figures(db: None, django_assert_max_num_queries: Any) -> None:
    house = make_house()
    for name in ("one", "two", "three"):
        made = house.api["member"].post("pipelines", {"project": house.project.slug, "name": name, "manifest": MANIFEST})
        assert made.status_code == 201, made.content
    version = PipelineVersion.objects.get(pipeline__name="two")
    for seconds, state in ((1, "succeeded"), (3, "succeeded"), (5, "succeeded"), (900, "failed")):
        make_run(
            house.project, pipeline_version=version, state=state, started_at_ms=1000,
            finished_at_ms=1000 + 1000 * seconds, settled_micros=seconds,
        )  # fmt: skip
    with django_assert_max_num_queries(9):
        found = house.api["viewer"].get(f"projects/{house.project.slug}/gallery").json()["pipelines"]
    assert [g["pipeline"]["name"] for g in found] == ["one", "three", "two"]
    assert [(n["name"], n["parents"]) for n in found[0]["sketch"]["nodes"]] == [("first", []), ("then", ["0"])]
    assert (found[0]["time_ms"], found[0]["seen"]) == (None, 0)
    assert (found[2]["time_ms"], found[2]["seen"]) == ({"low": 1000, "middle": 3000, "high": 5000}, 3)
    assert (found[2]["cost_micros"]["middle"], found[2]["runs"]) == (3, {"succeeded": 3, "failed": 1})
    assert (found[0]["used_by"], found[0]["used_at_ms"]) == ("", None)
    assert found[2]["used_by"] == "user:test" and found[2]["used_at_ms"] > 0
    lint = house.api["viewer"].post("lint", {"project": house.project.slug, "manifest": MANIFEST}).json()
    assert [n["name"] for n in lint["sketch"]["nodes"]] == ["first", "then"]
    problem_of(make_house().api["owner"].get(f"projects/{house.project.slug}/gallery"), 404)


def test_a_gallery_is_searched_by_words_and_tags_and_paged_by_name(db: None) -> None:
    house = make_house()
    said = "metadata:\n  generateName: two-\n  annotations:\n    fubini.dev/summary: '{en: Ising, zh: 伊辛}'\n    fubini.dev/tags: spins"
    for name, text in (("a", MANIFEST), ("b", MANIFEST.replace("metadata: {generateName: two-}", said)), ("c", MANIFEST)):
        made = house.api["member"].post("pipelines", {"project": house.project.slug, "name": name, "manifest": text})
        assert made.status_code == 201, made.content

    def names(query: str) -> list[str]:
        page = house.api["viewer"].get(f"projects/{house.project.slug}/gallery?{query}").json()
        return [g["pipeline"]["name"] for g in page["pipelines"]] + [page["next_after"]]

    assert names("search=ISING") == names("search=伊辛") == names("tag=Spins") == ["b", ""]
    assert names("tag=spin") == [""]
    assert names("most=2") == ["a", "b", "b"] and names("most=2&after=b") == ["c", ""]
