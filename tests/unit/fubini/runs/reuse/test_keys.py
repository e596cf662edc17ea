"""What makes two steps the same, and the first thing in which they differ."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from fubini.runs.engine import (
    ArtifactInput,
    ArtifactOutput,
    ContainerKind,
    ContainerSpec,
    ParameterOutput,
    PreferredTerm,
    Requirement,
    Resources,
    SecretEnv,
    TaskSpec,
    VolumeMount,
)
from fubini.runs.reuse.keys import IGNORED, KEYED, NoKey, difference, key_of, parts_of

BASE = TaskSpec(
    template="train",
    image="python:3.12",
    argv=("train", "--rate", "0.1"),
    source="print(1)\nprint(2)\n",
    env=(("SEED", "7"),),
    artifacts_in=(ArtifactInput("data", "/tmp/data", key="r/n/0/data"),),
    volumes=(VolumeMount("known", "methanol-v1", "/data"),),
    artifacts_out=(ArtifactOutput("model", "/tmp/model"),),
    parameters_out=(ParameterOutput("loss", "/tmp/loss"),),
)
CONTENTS = {("r/n/0/data", ""): "aaa", ("r/n/0/other", ""): "aaa", ("r/n/0/new", ""): "bbb"}
DISKS = {"methanol-v1": "m1", "methanol-v2": "m2"}


def parts(spec: TaskSpec) -> Any:
    return parts_of(spec, CONTENTS, DISKS)


def test_every_field_of_a_specification_is_decided_on() -> None:
    """A new field must be put in one of the two: in the key if it can change a result."""
    assert {f.name for f in dataclasses.fields(TaskSpec)} == KEYED | IGNORED
    assert not KEYED & IGNORED


@pytest.mark.parametrize(
    "change",
    [
        {"template": "other"},
        {"resources": Resources(memory_bytes=1)},
        {"required": ((Requirement("fubini.dev/site", "In", ("a",)),),)},
        {"preferred": (PreferredTerm(1, (Requirement("k", "Exists"),)),)},
        {"deadline_s": 5},
        {"grace_s": 5},
        {"walltime_s": 5},
        {"annotations": (("priority", "interactive"),)},
        {"artifacts_in": (ArtifactInput("data", "/tmp/data", key="r/n/0/other"),)},  # another key, the same bytes
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_cannot_change_a_result_is_not_in_the_key(change: dict[str, Any]) -> None:
    assert key_of(parts(replace(BASE, **change))) == key_of(parts(BASE))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": "python:3.13"}, "its image was 'python:3.12' and is 'python:3.13'"),
        ({"argv": ("train", "--rate", "0.2")}, "word 3 of its command was '0.1' and is '0.2'"),
        ({"argv": ("train",)}, "its command had 3 words and has 1"),
        ({"source": "print(1)\nprint(3)\n"}, "line 2 of its script was 'print(2)' and is 'print(3)'"),
        ({"env": (("SEED", "8"),)}, "its variable SEED was '7' and is '8'"),
        ({"env": (("SEED", "7"), ("MORE", "1"))}, "its variable MORE was not set and is '1'"),
        ({"env": ()}, "its variable SEED is no longer set"),
        ({"working_dir": "/w"}, "its working directory was '' and is '/w'"),
        ({"artifacts_in": (ArtifactInput("data", "/tmp/data", key="r/n/0/new"),)}, "its input artifact data has other content"),
        ({"artifacts_in": (ArtifactInput("data", "/tmp/d", key="r/n/0/data"),)}, "its input artifact data is at another path"),
        ({"artifacts_in": ()}, "it no longer has the input artifact data"),
        ({"volumes": (VolumeMount("known", "methanol-v2", "/data"),)}, "its volume known has other content"),
        ({"artifacts_out": ()}, "it declares other outputs"),
        ({"parameters_out": (ParameterOutput("loss", "/tmp/loss", "0"),)}, "it declares other outputs"),
        ({"capture_result": True}, "it declares other outputs"),
        ({"containers": (ContainerSpec("a", ContainerKind.MAIN, "python:3.12", ("x",)),)}, "it has a new container a"),
    ],
)  # fmt: skip
def test_what_can_change_a_result_is_in_the_key_and_is_told(change: dict[str, Any], told: str) -> None:
    now = parts(replace(BASE, **change))
    assert key_of(now) != key_of(parts(BASE))
    assert difference(parts(BASE), now) == told


def test_a_secret_is_known_by_when_it_was_set_and_never_by_its_value() -> None:
    spec = replace(BASE, secret_env=(SecretEnv("TOKEN", "hub", "token"),))

    def given(version: int) -> Any:
        return parts_of(spec, CONTENTS, DISKS, {"hub": (("token", 5, version),)})

    assert key_of(given(1)) == key_of(given(1)) != key_of(given(2))
    assert difference(given(1), given(2)) == "the secret hub was set anew"
    assert difference(parts(BASE), given(1)) == "it has a new secret hub"


def test_a_difference_comes_in_the_order_a_person_looks_for_it() -> None:
    now = parts(replace(BASE, image="x", argv=("y",), artifacts_out=()))
    assert difference(parts(BASE), now).startswith("its image")
    assert difference(parts(BASE), parts(BASE)) == ""


def test_words_do_not_run_together() -> None:
    assert key_of(parts(replace(BASE, argv=("a b",)))) != key_of(parts(replace(BASE, argv=("a", "b"))))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"daemon": True}, "it is a daemon"),
        ({"beside_run": True}, "shares a disk or an address"),
        ({"containers": (ContainerSpec("a", ContainerKind.MAIN, "other", ("x",)),)}, "several images"),
        ({"volumes": (VolumeMount("v", "scratch-disk", "/s"),)}, "the shared disk scratch-disk"),
        ({"artifacts_in": (ArtifactInput("data", "/d", key="r/n/0/gone"),)}, "its input artifact data is not there"),
    ],
)
def test_what_is_not_known_by_content_has_no_key(change: dict[str, Any], told: str) -> None:
    with pytest.raises(NoKey, match=told):
        parts(replace(BASE, **change))


def test_an_empty_directory_and_an_absent_optional_input_are_known() -> None:
    spec = replace(
        BASE,
        volumes=(VolumeMount("scratch", "", "/s"),),
        artifacts_in=(ArtifactInput("hint", "/h", key=None, optional=True), ArtifactInput("text", "/t", raw="hi")),
    )
    assert len(key_of(parts(spec))) == 43
    assert key_of(parts(spec)) != key_of(
        parts(replace(spec, artifacts_in=(*spec.artifacts_in[:1], ArtifactInput("text", "/t", raw="ho"))))
    )
