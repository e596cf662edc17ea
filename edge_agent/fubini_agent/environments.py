"""Image name -> environment of this host, by the site file, and each environment's fingerprint.

A host without a container runtime runs an image's steps in an environment that the operator says stands for it. The
fingerprint (interpreter, package versions, the environment's own programs) is recorded on every attempt and stands for
the image digest in cache keys. It is computed once a start; an environment that changes under a running agent is seen
at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from fubini_agent.config import ImageSetting, SiteFile
from fubini_agent.errors import StepFault
from fubini_protocol.v1.messages import Cause, Environment, OutcomeKind

_PROBE_S = 60.0
_HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Runs inside the environment's own interpreter, isolated; prints one JSON object.
_PROBE = """
import json, sys
try:
    from importlib.metadata import distributions
    packages = sorted({(d.metadata["Name"] or "?") + "==" + (d.version or "?") for d in distributions()})
except Exception:
    packages = []
print(json.dumps({"version": sys.version, "prefix": sys.prefix, "base": sys.base_prefix,
                  "exec": sys.base_exec_prefix, "packages": packages}))
"""


@dataclass(frozen=True)
class HostEnvironment:
    """An environment ready to be used: what to set, what to show of the host, what to record."""

    image: str  # the site file's key
    path: str
    env: dict[str, str] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    record: Optional[Environment] = None


class Environments:
    """All environments of a site file. `for_image` is the only door: an unknown name is refused with the list."""

    def __init__(self, site: SiteFile) -> None:
        self.site = site
        self._built: dict[str, HostEnvironment] = {}
        self.problems: dict[str, str] = {}
        for key, setting in site.images.items():
            try:
                self._built[key] = _build(key, setting)
            except (OSError, ValueError, subprocess.SubprocessError) as exc:
                self.problems[key] = str(exc)  # refused when asked for; the others work

    def records(self) -> tuple[Environment, ...]:
        return tuple(env.record for env in self._built.values() if env.record is not None)

    def all_binds(self) -> list[str]:
        return sorted({bind for env in self._built.values() for bind in env.binds})

    def for_image(self, image: str) -> HostEnvironment:
        """
        Raises:
            StepFault: no entry of the site file matches, or its environment is broken (cause image).
        """
        found = self.site.image(image)
        if found is None:
            known = ", ".join(sorted(self.site.images)) or "none"
            raise StepFault(
                OutcomeKind.PLATFORM,
                Cause.IMAGE,
                f"image {image!r} is not known at this site. Known: {known}. Ask the site's operator to map it, or use"
                " one of these.",
            )
        key, _setting = found
        if key not in self._built:
            raise StepFault(
                OutcomeKind.PLATFORM, Cause.IMAGE, f"the environment for {key!r} is broken: {self.problems.get(key)}"
            )
        return self._built[key]


def _build(key: str, setting: ImageSetting) -> HostEnvironment:
    if setting.host:
        interpreter = next(
            (path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(path)), ""
        )
        facts = _interpreter_facts(interpreter) if interpreter else {}
        record = _record(key, facts, _binaries_digest(["/usr/bin", "/usr/local/bin"]))
        return HostEnvironment(key, _HOST_PATH, dict(setting.env), tuple(setting.binds), record)
    prefix = os.path.abspath(os.path.expanduser(setting.prefix))
    bin_dir = os.path.join(prefix, "bin")
    if not os.path.isdir(bin_dir):
        raise ValueError(f"{prefix} has no bin folder: give the prefix of a virtual or conda environment")
    interpreter = os.path.join(bin_dir, "python")
    facts = _interpreter_facts(interpreter) if os.path.exists(interpreter) else {}
    binds = {prefix, *setting.binds}
    for name in ("base", "exec", "prefix"):
        if facts.get(name):
            binds.add(str(facts[name]))
    if os.path.exists(interpreter):
        # The link's whole chain must exist inside: a virtual environment's python points at its base's.
        binds.add(os.path.dirname(os.path.dirname(os.path.realpath(interpreter))))
    env = {"VIRTUAL_ENV": prefix, **setting.env}
    return HostEnvironment(
        key,
        f"{bin_dir}:{_HOST_PATH}",
        env,
        tuple(sorted(bind for bind in binds if bind not in ("/", "/usr"))),
        _record(key, facts, _binaries_digest([bin_dir])),
    )


def _interpreter_facts(interpreter: str) -> dict[str, object]:
    done = subprocess.run(
        [interpreter, "-I", "-c", _PROBE],
        capture_output=True,
        text=True,
        timeout=_PROBE_S,
        check=False,
        env={"PATH": _HOST_PATH},
    )
    if done.returncode:
        raise ValueError(f"{interpreter} does not run: {done.stderr.strip()[-300:]}")
    facts: dict[str, object] = json.loads(done.stdout)
    return facts


def _binaries_digest(folders: list[str]) -> str:
    """Names and sizes of the programs: cheap, and enough to see an update."""
    digest = hashlib.sha256()
    for folder in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            try:
                size = entry.stat().st_size
            except OSError:
                continue
            digest.update(f"{entry.name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _record(key: str, facts: dict[str, object], binaries: str) -> Environment:
    listed = facts.get("packages")
    packages = [str(name) for name in listed] if isinstance(listed, list) else []
    packages_digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()
    interpreter = str(facts.get("version", "")).split("\n")[0]
    text = json.dumps([interpreter, packages_digest, binaries])
    return Environment(
        image=key,
        fingerprint="sha256:" + hashlib.sha256(text.encode()).hexdigest(),
        interpreter=interpreter,
        packages="sha256:" + packages_digest,
        package_count=len(packages),
    )


def default_site_text() -> str:
    """The site file that `fubini-agent join` writes when there is none: common names run on the host itself."""
    prefix = str(Path(sys.prefix))
    return (
        "# What this machine offers and which image names it can run. Unknown names are refused.\n"
        "[images]\n"
        f'"python:*" = {{ prefix = "{prefix}" }}\n'
        '"alpine*" = { host = true }\n"busybox*" = { host = true }\n"debian*" = { host = true }\n"ubuntu*" = { host = true }\n'
    )
