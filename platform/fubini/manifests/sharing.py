"""What runs share, as a manifest says it: locks (`synchronization`) and cached results (`memoize`).

A run whose own locks cannot be had never starts on Argo: an error. In a template the same fails a node when it starts: a
warning. A lock without a usable name crashes Argo's controller wherever it stands: an error.
"""

from __future__ import annotations

import re
from typing import Any

from fubini.common.saying import say
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import Severity, show
from fubini.manifests.library import Library
from fubini.manifests.load import Path

_CACHE_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_SIZE = re.compile(r"\+?0*[1-9][0-9]{0,17}")


def own_mutexes(spec: dict[str, Any]) -> frozenset[tuple[str, bool]]:
    """The mutexes a run takes for itself, as far as their names are known before it runs: (name, is in the database)."""
    listed = [mapping(m) for m in listing(mapping(spec.get("synchronization")).get("mutexes"))]
    return frozenset(
        (text(m.get("name")), m.get("database") is True)
        for m in listed
        if "{{" not in text(m.get("name")) and not m.get("namespace")
    )


def check_synchronization(
    source: Source,
    path: Path,
    section: Any,
    library: Library,
    *,
    whole_run: bool,
    held: frozenset[tuple[str, bool]] = frozenset(),
) -> None:
    """The locks of a template, or of the run itself; `held` are the mutexes the run has while a template asks."""
    severity: Severity = "error" if whole_run else "warning"
    items: list[Any] = []
    for index, semaphore in enumerate(listing(mapping(section).get("semaphores"))):
        at = (*path, "semaphores", index)
        _once(source, at, semaphore, items, severity)
        _semaphore(source, at, mapping(semaphore), library, severity)
    for index, mutex in enumerate(listing(mapping(section).get("mutexes"))):
        at = (*path, "mutexes", index)
        _once(source, at, mutex, items, severity)
        if not text(mapping(mutex).get("name")):
            _nameless(source, (*at, "name"), "The mutex has no name", "a name, such as beamline-7")
        elif (text(mutex["name"]), mutex.get("database") is True) in held and not mutex.get("namespace"):
            source.error(
                "lock-held", (*at, "name"), "The run itself holds this mutex: the step would wait for ever.",
                found=show(mutex["name"]), allowed="a mutex that the workflow's own synchronization does not name",
                help_text="Use another name, or take it in one of the two places.",
            )  # fmt: skip


def _once(source: Source, at: Path, item: Any, items: list[Any], severity: Severity) -> None:
    if item in items:
        source.add(
            severity, "lock-twice", at, "The same lock is taken twice.", found="a lock that is listed before",
            allowed="each lock once", help_text="Remove one of the two.",
        )  # fmt: skip
    items.append(item)


def _semaphore(source: Source, at: Path, semaphore: dict[str, Any], library: Library, severity: Severity) -> None:
    reference, database = semaphore.get("configMapKeyRef"), semaphore.get("database")
    if (reference is None) is (database is None):
        source.add(
            severity, "semaphore", at, "A semaphore has its size in one place.",
            found="both configMapKeyRef and database" if reference is not None else "neither configMapKeyRef nor database",
            allowed="configMapKeyRef or database", help_text="Keep one of the two.",
        )  # fmt: skip
        return
    if reference is None:
        if not text(mapping(database).get("key")):
            _nameless(source, (*at, "database", "key"), "The semaphore has no key", "a key, such as licences")
        return
    name, key = text(mapping(reference).get("name")), text(mapping(reference).get("key"))
    at = (*at, "configMapKeyRef")
    if not name or not key or "/" in name + key:
        if "{{" not in name + key:
            _nameless(source, at, "The semaphore's ConfigMap or key has no usable name", "a name and a key without '/'")
        return
    if "{{" in name + key or semaphore.get("namespace"):
        return
    found = library.config_map(name)
    data = mapping(found.get("data")) if found is not None else {}
    if found is None or key not in data:
        source.add(
            severity, "semaphore", at,
            say(
                "The semaphore's size is nowhere to be read: ConfigMap {name!r}, key {key!r}.",
                name=show(name), key=show(key),
            ),
            found="no such ConfigMap" if found is None else f"no key {show(key)!r} in it",
            allowed="a ConfigMap that holds the limit as text",
            close=name if found is None else key,
            known=library.config_map_names() if found is None else list(data),
            help_text=say("Set it first: fubini config set {name} {key}=1", name=show(name), key=show(key)),
        )  # fmt: skip
    elif not _SIZE.fullmatch(str(data[key])):
        source.add(
            severity, "semaphore", at, say(
                "The semaphore's size in ConfigMap {name!r} is no number above 0.",
                name=show(name),
            ),
            found=show(data[key]), allowed="a whole number above 0, as text",
            help_text=say("Change it: fubini config set {name} {key}=1", name=show(name), key=show(key)),
        )  # fmt: skip


def _nameless(source: Source, at: Path, what: str, allowed: str) -> None:
    source.error(
        "lock-name", at, say("{what}; Argo's controller crashes over that.", what=what), found="nothing that names it",
        allowed=allowed, help_text="Name it.",
    )  # fmt: skip


def check_memoize(source: Source, path: Path, section: Any) -> None:
    """The key of a template's cached result, where it is known before the run."""
    key = mapping(section).get("key")
    if isinstance(key, str) and "{{" not in key and not _CACHE_KEY.fullmatch(key):
        source.warn(
            "cache-key", (*path, "key"), "The key cannot be used: the step fails when it starts.", found=show(key),
            allowed="letters, digits and '-', beginning with a letter or digit", help_text="Change the key.",
        )  # fmt: skip
