"""Locks and caches as a manifest says them: what stops a run, what fails a step, and what is only a hint."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest

RUN = "spec.synchronization"
TEMPLATE = "spec.templates[0].synchronization"
LIBRARY = ({"kind": "ConfigMap", "metadata": {"name": "limits"}, "data": {"ok": "3", "zero": "0", "word": "many"}},)


def found(spec: dict[str, Any] | None = None, template: dict[str, Any] | None = None) -> list[tuple[str, str, str]]:
    body = {"name": "main", "container": {"image": "busybox", "command": ["true"]}, **(template or {})}
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "x-"},
        "spec": {"entrypoint": "main", "templates": [body], **(spec or {})},
    }
    report = check_manifest(yaml.safe_dump(document), supported=SUPPORTED, library=LIBRARY, parameters={})
    return [(f.severity, f.code, f.path) for f in report.findings]


def locks(**section: Any) -> dict[str, Any]:
    return {"synchronization": section}


def size(key: str, name: str = "limits") -> dict[str, Any]:
    return {"configMapKeyRef": {"name": name, "key": key}}


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("a missing ConfigMap", {"semaphores": [size("ok", "none")]}, "semaphores[0].configMapKeyRef"),
    ("a missing key", {"semaphores": [size("other")]}, "semaphores[0].configMapKeyRef"),
    ("a size of none", {"semaphores": [size("zero")]}, "semaphores[0].configMapKeyRef"),
    ("a size that is a word", {"semaphores": [size("word")]}, "semaphores[0].configMapKeyRef"),
    ("two places for a size", {"semaphores": [{**size("ok"), "database": {"key": "k"}}]}, "semaphores[0]"),
    ("no place for a size", {"semaphores": [{}]}, "semaphores[0]"),
    ("a lock twice", {"mutexes": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, "mutexes[2]"),
]


@pytest.mark.parametrize(("section", "path"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_stops_a_run_before_it_starts_is_an_error_and_in_a_template_a_warning(
    section: dict[str, Any], path: str
) -> None:
    code = "lock-twice" if path == "mutexes[2]" else "semaphore"
    assert found(locks(**section)) == [("error", code, f"{RUN}.{path}")]
    assert found(template=locks(**section)) == [("warning", code, f"{TEMPLATE}.{path}")]


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"mutexes": [{"database": True}]}, "mutexes[0].name"),
        ({"semaphores": [{"database": {"key": ""}}]}, "semaphores[0].database.key"),
        ({"semaphores": [size("ok", "a/b")]}, "semaphores[0].configMapKeyRef"),
    ],
    ids=["a mutex", "a database key", "a ConfigMap"],
)
def test_a_lock_without_a_usable_name_is_an_error_everywhere(section: dict[str, Any], path: str) -> None:
    assert found(locks(**section)) == [("error", "lock-name", f"{RUN}.{path}")]
    assert found(template=locks(**section)) == [("error", "lock-name", f"{TEMPLATE}.{path}")]


def test_sound_locks_and_those_known_only_later_are_not_talked_about() -> None:
    sound = {
        "mutexes": [{"name": "a"}, {"name": "a", "database": True}],
        "semaphores": [size("ok"), {"database": {"key": "k"}}],
    }
    later = {"mutexes": [{"name": "{{workflow.name}}"}], "semaphores": [size("{{workflow.name}}")]}
    for section in (sound, later):
        assert found(locks(**section)) == [] == found(template=locks(**section))


def test_a_step_that_asks_for_the_mutex_of_its_own_run_would_wait_for_ever() -> None:
    both = {"mutexes": [{"name": "a"}]}
    assert found(locks(**both), locks(**both)) == [("error", "lock-held", f"{TEMPLATE}.mutexes[0].name")]
    assert found(locks(**both), locks(mutexes=[{"name": "a", "database": True}])) == []


def test_another_namespace_is_refused_by_its_path() -> None:
    assert found(locks(mutexes=[{"name": "a", "namespace": "other"}])) == [
        ("error", "unsupported", f"{RUN}.mutexes[0].namespace")
    ]


def test_a_cache_key_that_cannot_be_used_is_a_warning() -> None:
    cache = {"maxAge": "1h", "cache": {"configMap": {"name": "c"}}}
    for key, want in (("run 1/a", 1), ("-a", 1), ("ok-1", 0), ("{{workflow.name}} ", 0)):
        got = found(template={"memoize": {"key": key, **cache}})
        assert got == [("warning", "cache-key", "spec.templates[0].memoize.key")] * want
