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
SHOWN: Final = 60  # characters of a value in a reason

Parts = tuple[tuple[str, Any], ...]


class NoKey(Exception):
    """Why a step has no key, as a sentence without its subject."""


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
        raise NoKey("the platform performs it itself, anew for each run")
    if spec.child is not None:
        raise NoKey("it is a run of its own")
    if spec.daemon:
        raise NoKey("it is a daemon: it runs as long as others need it")
    if spec.beside_run:
        raise NoKey("it shares a disk or an address with other steps of its run")
    if any(c.image != spec.image for c in spec.containers):
        raise NoKey("its containers use several images, and the environment of only one is recorded")
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
                raise NoKey(f"its input artifact {artifact.name} is not there")
        parts.append((f"input artifact {artifact.name}", (artifact.path, content, artifact.mode)))
    for volume in spec.volumes:
        content = ""
        if volume.claim:
            found = disks.get(volume.claim)
            if found is None:
                raise NoKey(f"it reads the shared disk {volume.claim}, whose content is not known")
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
            return f"it has a new {name}"
        if old[name] != value:
            return _told(name, old[name], value)
    gone = next((name for name in old if name not in new), None)
    return f"it no longer has the {gone}" if gone else ""


def _told(name: str, old: Any, new: Any) -> str:
    if name == "command":
        for n, (was, is_) in enumerate(zip(old, new, strict=False)):
            if was != is_:
                return f"word {n + 1} of its command was {_short(was)} and is {_short(is_)}"
        return f"its command had {len(old)} words and has {len(new)}"
    if name == "variables":
        was_env, is_env = dict(old), dict(new)
        for variable, is_ in is_env.items():
            if was_env.get(variable) != is_:
                was = was_env.get(variable)
                return f"its variable {variable} was {'not set' if was is None else _short(was)} and is {_short(is_)}"
        gone = sorted(was_env.keys() - is_env.keys())
        return f"its variable {gone[0]} is no longer set" if gone else "its variables come in another order"
    if name == "script":
        was_lines, is_lines = (old or "").splitlines(), (new or "").splitlines()
        for n, (was, is_) in enumerate(zip(was_lines, is_lines, strict=False)):
            if was != is_:
                return f"line {n + 1} of its script was {_short(was)} and is {_short(is_)}"
        return f"its script had {len(was_lines)} lines and has {len(is_lines)}"
    if name.startswith("secret "):
        return f"the {name} was set anew"
    if name == "use of secrets":
        return "it is given its secrets in another way"
    if name.startswith("container "):
        return f"its {name} is another"
    if name.startswith(("input artifact", "volume")):
        return f"its {name} has other content" if old[0] == new[0] else f"its {name} is at another path"
    if name == "outputs":
        return "it declares other outputs"
    return f"its {name} was {_short(old)} and is {_short(new)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]}...{text[-1]}"
