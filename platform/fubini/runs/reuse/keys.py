"""What makes two steps the same: the parts of a task that decide its result, their key, and the first that differs.

Pure. In the key: image, command, script, variables, working directory, the content of what is read, what must be left
behind. Not in it: where and for how long a step may run, its name, its labels. The image's content stands beside the key
(`lookup` compares environment fingerprints), because where a step will run is not known when its key is made.

A step whose inputs cannot be known by content (a shared disk, data that is not there) has no key and is never reused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from fubini.common.saying import Said, ours, say
from fubini.runs.codec import to_json
from fubini.runs.engine import TaskSpec

VERSION: Final = 1  # another way of making keys gets another number, so that old ones never match
# Every field of a specification is in one of the two: a new field must be decided on.
KEYED: Final = frozenset(
    {
        "image",
        "argv",
        "source",
        "env",
        "working_dir",
        "artifacts_in",
        "artifacts_out",
        "parameters_out",
        "volumes",
        "capture_result",
        "containers",
        "daemon",
        "beside_run",
        "secret_env",
        "secret_files",
        "http",
        "listing",
        "child",
    }
)
IGNORED: Final = frozenset(
    {"template", "resources", "required", "preferred", "deadline_s", "grace_s", "walltime_s", "annotations", "mapped"}
)
_NAMED_PARTS: Final = (ours("secret {name}"), ours("container {name}"), ours("input artifact {name}"), ours("volume {name}"))
SHOWN: Final = 60  # characters of a value in a reason

Parts = tuple[tuple[str, Any], ...]


class NoKey(Exception):
    """Why a step has no key, as a sentence without its subject."""

    def __init__(self, why: Said) -> None:
        super().__init__(why)
        self.why = why


def secrets_named(spec: TaskSpec) -> set[str]:
    """The secrets a step is given."""
    several = (*spec.secret_env, *(s for c in spec.containers for s in c.secret_env))
    return {s.secret for s in several} | {f.secret for f in spec.secret_files}


def parts_of(
    spec: TaskSpec,
    contents: Mapping[tuple[str, str], str],
    disks: Mapping[str, str],
    secrets: Mapping[str, Any] | None = None,
) -> Parts:
    """The parts that decide a step's result, in the order in which differences are told.

    Args:
        contents: content digest by (artifact key, path inside it).
        disks: content digest by claim, of claims that are datasets.
        secrets: what tells one setting of a secret from another, by its name; never a value.

    Raises:
        NoKey: something it reads is not known by content.
    """
    if spec.http is not None or spec.listing is not None:
        raise NoKey(ours("the platform performs it itself, anew for each run"))
    if spec.child is not None:
        raise NoKey(ours("it is a run of its own"))
    if spec.daemon:
        raise NoKey(ours("it is a daemon: it runs as long as others need it"))
    if spec.beside_run:
        raise NoKey(ours("it shares a disk or an address with other steps of its run"))
    if any(c.image != spec.image for c in spec.containers):
        raise NoKey(ours("its containers use several images, and the environment of only one is recorded"))
    parts: list[tuple[str, Any]] = [
        ("image", spec.image),
        ("command", spec.argv),
        ("script", spec.source),
        ("variables", spec.env),
        ("working directory", spec.working_dir),
    ]
    parts += [(f"secret {name}", (secrets or {}).get(name, ())) for name in sorted(secrets_named(spec))]
    if spec.secret_env or spec.secret_files:
        parts.append(("use of secrets", to_json((spec.secret_env, spec.secret_files))))
    parts += [(f"container {c.name}", to_json(replace(c, image=""))) for c in spec.containers]
    for artifact in spec.artifacts_in:
        content: str | None = None
        if artifact.raw is not None:
            content = f"raw:{hashlib.sha256(artifact.raw.encode()).hexdigest()}"
        elif artifact.key is not None:
            content = contents.get((artifact.key, artifact.sub_path))
            if content is None and not artifact.optional:
                raise NoKey(say("its input artifact {name} is not there", name=artifact.name))
        parts.append((f"input artifact {artifact.name}", (artifact.path, content, artifact.mode)))
    for volume in spec.volumes:
        content = ""
        if volume.claim:
            found = disks.get(volume.claim)
            if found is None:
                raise NoKey(say("it reads the shared disk {name}, whose content is not known", name=volume.claim))
            content = found
        parts.append((f"volume {volume.name}", (volume.mount_path, volume.sub_path, volume.read_only, content)))
    parts.append(
        (
            "outputs",
            (
                [(a.name, a.path, a.optional) for a in spec.artifacts_out],
                [(p.name, p.path, p.default) for p in spec.parameters_out],
                spec.capture_result,
            ),
        )
    )
    return tuple(parts)


def key_of(parts: Parts) -> str:
    """43 characters that two equal lists of parts share and no other."""
    text = json.dumps([VERSION, parts], ensure_ascii=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def difference(before: Parts, now: Parts) -> str:
    """The first thing in which two steps differ, as a sentence without its subject; "" when they are the same."""
    old, new = dict(before), dict(now)
    for name, value in now:
        if name not in old:
            return say("it has a new {part}", part=part_words(name))
        if old[name] != value:
            return _told(name, old[name], value)
    gone = next((name for name in old if name not in new), None)
    return say("it no longer has the {part}", part=part_words(gone)) if gone else ""


def part_words(name: str) -> Said:
    """A part of a key as people say it."""
    for words in _NAMED_PARTS:
        if name.startswith(words.format(name="")):
            return say(words, name=name.removeprefix(words.format(name="")))
    return ours(name)


def _told(name: str, old: Any, new: Any) -> Said:
    if name == "command":
        for n, (was, is_) in enumerate(zip(old, new, strict=False)):
            if was != is_:
                return say("word {number} of its command was {was} and is {now}", number=n + 1, was=_short(was), now=_short(is_))
        return say("its command had {was} words and has {now}", was=len(old), now=len(new))
    if name == "variables":
        return _variables(dict(old), dict(new))
    if name == "script":
        was_lines, is_lines = (old or "").splitlines(), (new or "").splitlines()
        for n, (was, is_) in enumerate(zip(was_lines, is_lines, strict=False)):
            if was != is_:
                return say("line {number} of its script was {was} and is {now}", number=n + 1, was=_short(was), now=_short(is_))
        return say("its script had {was} lines and has {now}", was=len(was_lines), now=len(is_lines))
    part = part_words(name)
    if name.startswith("secret "):
        return say("the {part} was set anew", part=part)
    if name == "use of secrets":
        return ours("it is given its secrets in another way")
    if name.startswith("container "):
        return say("its {part} is another", part=part)
    if name.startswith(("input artifact", "volume")):
        return say("its {part} has other content", part=part) if old[0] == new[0] else say("its {part} is at another path", part=part)
    if name == "outputs":
        return ours("it declares other outputs")
    if name == "image":
        return say("its image was {was} and is {now}", was=_short(old), now=_short(new))
    return say("its working directory was {was} and is {now}", was=_short(old), now=_short(new))


def _variables(old: Mapping[str, Any], new: Mapping[str, Any]) -> Said:
    for name, now in new.items():
        if name not in old:
            return say("its variable {name} was not set and is {now}", name=name, now=_short(now))
        if old[name] != now:
            return say("its variable {name} was {was} and is {now}", name=name, was=_short(old[name]), now=_short(now))
    gone = sorted(old.keys() - new.keys())
    return say("its variable {name} is no longer set", name=gone[0]) if gone else ours("its variables come in another order")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]}...{text[-1]}"
