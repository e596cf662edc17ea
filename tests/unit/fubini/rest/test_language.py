"""Who asks in Chinese is answered in Chinese, and nobody else is."""

from __future__ import annotations

import re

import pytest

from fubini.common import seeded
from fubini.common.saying import ASKED, Said, language_of, ours, say, together, told
from fubini.sites.models import Site
from tests.support.rest import Api, House, make_house
from tests.support.rows import make_place

CHINESE = {"Accept_Language": "zh-Hans"}
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: x-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {imag: busybox}
"""


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "runs/none", None, id="an id that is nobody's"),
        pytest.param("GET", "runs?page_size=x", None, id="a parameter that is no number"),
        pytest.param("POST", "projects", {"slug": "A b"}, id="a name that cannot be"),
        pytest.param("POST", "runs", {}, id="a body without what it needs"),
        pytest.param("PATCH", "projects", {}, id="a method the address lacks"),
        pytest.param("GET", "no/such/address", None, id="no such address"),
        pytest.param("POST", "lint", {"project": "PROJECT", "manifest": MANIFEST}, id="findings"),
    ],
)
def test_every_sentence_of_an_answer_is_chinese(
    house: House, method: str, path: str, body: dict[str, str] | None
) -> None:
    api = house.api["owner"]
    if body and "project" in body:
        body = {**body, "project": house.project.slug}
    answer = api.call(method, path, body, **CHINESE).json()
    items = answer.get("errors", []) + answer.get("findings", [])
    sentences = [answer[k] for k in ("title", "detail", "next_step") if k in answer]
    sentences += [item[k] for item in items for k in ("detail", "next_step") if item.get(k)]
    assert sentences and all(re.search("[\u4e00-\u9fff]", text) for text in sentences), sentences
    english = api.call(method, path, body).json()
    assert not re.search("[\u4e00-\u9fff]", str({k: v for k, v in english.items() if k != "request_id"}))
    assert english.get("code") == answer.get("code")


def test_no_sign_in_is_said_in_the_language_of_who_asks() -> None:
    assert Api().get("me", **CHINESE).json()["title"] == "请登录或发送有效的令牌"
    assert Api().get("me", Accept_Language="fr, en;q=0.5").json()["title"] == "Sign in or send a valid token"


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ("", "en"), ("zh", "zh"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US,zh;q=0.5", "en"), ("fr,zh-Hant;q=0.3", "zh"),
        ("zh;q=0", "en"), ("zh_CN.UTF-8", "zh"), ("C", "en"), ("C.UTF-8", "en"), ("zh;q=x, en", "en"), ("zhx", "en"), ("," * 5000, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_best_of_those_asked_for(asked: str, want: str) -> None:
    assert language_of(asked) == want


def test_a_sentence_is_english_inside_and_only_its_own_words_are_told_in_another_language() -> None:
    inner = say("The project has no run {ref!r}.", ref="running")  # a run of that name keeps it
    whole = together(inner, say("Run {name} is {state}.", name="data", state=ours("running")))
    assert whole == "The project has no run 'running'. Run data is running." and isinstance(whole, Said)
    token = ASKED.set("zh")
    try:
        assert told(whole) == "项目没有运行 'running'。 运行 data 的状态是 运行中。"
        assert told("nobody ever says this") == "nobody ever says this"
        assert str(whole) == "The project has no run 'running'. Run data is running."
    finally:
        ASKED.reset(token)


def test_what_the_program_named_is_told_and_what_people_named_is_not(house: House) -> None:
    site = make_place().site
    for title, shown in ((seeded.HPC, "超算（核时便宜，有时限，名额有限）"), ("Our cluster", "Our cluster")):
        Site.objects.filter(pk=site.pk).update(title=title)
        for headers, wanted in (({}, title), (CHINESE, shown)):
            answer = house.api["member"].get("sites", **headers).json()
            assert [row["title"] for row in answer["results"]] == [wanted]
