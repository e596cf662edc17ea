"""The work directory of one attempt: where a path of the step lies on this host.

A private attempt's root is composed (see `private_root`): most paths lie in `upper`, those below a host directory that
the step sees read-only lie in an overlay of their own, made only for attempts that need one. Paths of an attempt
without a private root are the host's own, below its working directory unless absolute.

All reading of what a step left goes through `Layout.open`: it walks by directory descriptors, never follows a link
in the kernel, and resolves links the way the step saw them, so nothing outside the attempt's own files can be reached.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from dataclasses import dataclass, field
from pathlib import Path

from fubini_agent import private_root
from fubini_agent.staging import names

LINKS_MAX = 40
_SHM = ("/dev/shm", "/run/shm")
_NEVER = ("/dev", "/proc", "/sys")


@dataclass(frozen=True)
class Overlay:
    """The step's own files over the host directory `inside`."""

    inside: str
    upper: Path
    work: Path


@dataclass(frozen=True)
class Share:
    """A host directory that is not this attempt's alone, or is seen at two paths: `below` of `host` shows at `inside`."""

    host: Path
    below: str
    inside: str
    read_only: bool = False
    foreign: bool = False  # other attempts write there, too


@dataclass
class Layout:
    """Paths of one attempt. `top` is its directory, never used before and never again."""

    top: Path
    private: bool
    cwd: str = "/"
    bound: tuple[str, ...] = ()  # host directories shown read-only, absolute and normal
    links: dict[str, str] = field(default_factory=dict)  # top-level links of the skeleton, "/bin": "usr/bin"
    overlays: list[Overlay] = field(default_factory=list)
    overlay_supported: bool = True
    #: read-only binds for this attempt: (host path, inside path)
    binds: list[tuple[str, str]] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    #: scratch in memory: (inside path, bytes or 0). Nothing of it is put in or read by the agent.
    memory: list[tuple[str, int]] = field(default_factory=list)
    #: Whether a file the step made unreadable is made readable; never while its command may run.
    mends: bool = True

    @property
    def upper(self) -> Path:
        return self.top / "upper"

    @property
    def stdout(self) -> Path:
        return self.top / "stdout"

    @property
    def stderr(self) -> Path:
        return self.top / "stderr"

    def spools(self, container: str = "") -> tuple[Path, Path]:
        """Where a container's standard output and error go; "" is the one that stands for the step."""
        if not container:
            return self.stdout, self.stderr
        name = hashlib.sha256(container.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.top / f"{name}.stdout", self.top / f"{name}.stderr"

    def make(self) -> None:
        """Create the directory.

        Raises:
            FileExistsError: it was used before.
        """
        os.mkdir(self.top, 0o700)
        os.mkdir(self.upper, 0o755)
        os.mkdir(self.top / "work", 0o700)

    def inside(self, path: str) -> str:
        """An absolute, normal path with the skeleton's own top-level links resolved.

        Raises:
            BadName: see `names.inside_path`; or it lies in a directory that is the kernel's.
        """
        full = self._through_links(names.inside_path(path, self.cwd))
        if self.private:
            if names.is_below(full, _SHM[0]):  # a link in the step's /dev
                full = _SHM[1] + full[len(_SHM[0]) :]
            for folder in _NEVER:
                if names.is_below(full, folder):
                    raise names.BadName(f"path {names.shown(path)} lies in {folder}, where a step cannot keep files")
        return full

    def _through_links(self, full: str) -> str:
        first, _, rest = full[1:].partition("/")
        target = self.links.get("/" + first)
        if target is None:
            return full
        return posixpath.normpath(posixpath.join("/", target, rest))

    def claim(self, path: str) -> None:
        """Make sure the step can write at `path` without touching the host: an overlay where the host is shown.

        Raises:
            BadName: the path is not usable, or this kernel cannot overlay it.
        """
        full = self.inside(path)
        if not self.private or self._share(full) is not None:
            return
        for bound in self.bound:
            if not names.is_below(full, bound):
                continue
            if any(names.is_below(full, overlay.inside) for overlay in self.overlays):
                return
            if not self.overlay_supported:
                raise names.BadName(f"path {names.shown(path)} lies in {bound}, which is read-only on this host")
            # The deepest directory the host has: the less is overlaid the less can go wrong.
            below = next(
                (folder for folder in names.ancestors(full) if names.is_below(folder, bound) and _is_plain_dir(folder)),
                bound,
            )
            index = len(self.overlays)
            self.overlays = [overlay for overlay in self.overlays if not names.is_below(overlay.inside, below)]
            overlay = Overlay(below, self.top / f"over{index}", self.top / f"overwork{index}")
            os.mkdir(overlay.upper, 0o755)
            os.mkdir(overlay.work, 0o700)
            self.overlays.append(overlay)
            return

    def _share(self, full: str) -> Share | None:
        """The share a path lies in; of nested ones the innermost."""
        found = [share for share in self.shares if names.is_below(full, share.inside)]
        return max(found, key=lambda share: len(share.inside)) if found else None

    def host_path(self, path: str) -> Path:
        """Where a file the step will see at `path` must be put before it starts.

        Raises:
            BadName: others write there, so what lies on the way cannot be trusted; or as `inside`.
        """
        full = self.inside(path)
        share = self._share(full)
        if share is not None and share.foreign:
            raise names.BadName(
                f"path {names.shown(path)} lies in the shared disk at {share.inside}: put inputs elsewhere"
            )
        base, rest = self._base(full)
        return base / rest if rest else base

    def _base(self, full: str) -> tuple[Path, str]:
        if not self.private:
            return Path("/"), full[1:]
        share = self._share(full)
        if share is not None:
            rest = full[len(share.inside) :].lstrip("/")
            return share.host, "/".join(part for part in (share.below, rest) if part)
        for overlay in self.overlays:
            if names.is_below(full, overlay.inside):
                return overlay.upper, full[len(overlay.inside) :].lstrip("/")
        return self.upper, full[1:]

    def make_parents(self, path: str) -> Path:
        """`host_path`, with the directories above it made; ``/tmp`` and its like keep their sticky mode."""
        target = self.host_path(path)
        missing = []
        folder = target.parent
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o755, exist_ok=True)
            if self.private and "/" + str(folder.relative_to(self.top)).partition("/")[2] in private_root.STICKY_DIRS:
                folder.chmod(0o1777)
        return target

    # --- reading --------------------------------------------------------------------------------------------------

    def open(self, path: str) -> Found:
        """Find what the step left at `path`, links resolved inside its own root.

        Returns:
            An open descriptor with its kind; the caller closes it.

        Raises:
            FileNotFoundError: nothing is there (or only the host's own file, which the step did not write).
            BadName: the path is not usable, links in a circle, or is neither a file nor a directory.
        """
        full = self.inside(path)
        for _ in range(LINKS_MAX):
            result = self._walk(full)
            if isinstance(result, Found):
                return result
            full = self._through_links(result)
        raise names.BadName(f"path {names.shown(path)} goes through more than {LINKS_MAX} links")

    def _walk(self, full: str) -> Found | str:
        """One pass; a path to go on with when a link was met."""
        base, rest = self._base(full)
        parts = [part for part in rest.split("/") if part]
        share = self._share(full) if self.private else None
        hidden = len([part for part in share.below.split("/") if part]) if share is not None else 0
        inside = share.inside if share is not None else full[: len(full) - len(rest)].rstrip("/")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(base, flags | os.O_DIRECTORY)
        try:
            for index, part in enumerate(parts):
                info = os.stat(part, dir_fd=descriptor, follow_symlinks=False)
                remaining = parts[index + 1 :]
                if index < hidden:  # above what the step sees: no link there means anything to it
                    if not stat.S_ISDIR(info.st_mode):
                        raise FileNotFoundError(full)
                    following = os.open(part, flags | os.O_DIRECTORY, dir_fd=descriptor)
                    os.close(descriptor)
                    descriptor = following
                    continue
                if stat.S_ISLNK(info.st_mode):
                    target = os.readlink(part, dir_fd=descriptor)
                    joined = posixpath.join(inside or "/", target, *remaining)
                    return posixpath.normpath("/" + joined.lstrip("/"))
                if remaining and not stat.S_ISDIR(info.st_mode):
                    raise FileNotFoundError(full)
                if is_whiteout(info):
                    raise FileNotFoundError(full)
                if not (stat.S_ISDIR(info.st_mode) or stat.S_ISREG(info.st_mode)):
                    kind = "a device, pipe or socket"
                    raise names.BadName(f"path {names.shown(full)} is {kind}: only files and directories can be kept")
                following = open_readable(part, descriptor, info, mend=self.mends)
                os.close(descriptor)
                descriptor = following
                inside = f"{inside}/{part}"
            found, descriptor = Found(descriptor, os.fstat(descriptor), full), -1
            return found
        finally:
            if descriptor >= 0:
                os.close(descriptor)


@dataclass(frozen=True)
class Found:
    """A file or directory of the step, opened."""

    descriptor: int
    info: os.stat_result
    inside: str

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.info.st_mode)

    def close(self) -> None:
        os.close(self.descriptor)


def open_readable(name: str, folder: int, info: os.stat_result, *, mend: bool = True) -> int:
    """Open a regular file or directory that the step may have made unreadable for us, its owner."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(name, flags, dir_fd=folder)
    except PermissionError:
        if not mend:
            raise
        os.chmod(name, stat.S_IMODE(info.st_mode) | (0o700 if stat.S_ISDIR(info.st_mode) else 0o600), dir_fd=folder)
        return os.open(name, flags, dir_fd=folder)


def is_whiteout(info: os.stat_result) -> bool:
    """An overlay's mark for 'deleted': a character device 0/0."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_plain_dir(path: str) -> bool:
    return os.path.isdir(path) and os.path.realpath(path) == path
