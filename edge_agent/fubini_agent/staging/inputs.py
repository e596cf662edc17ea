"""Put an attempt's script, inputs and volumes where its command will find them.

Small inputs are copies the step may change, as in a container. Large ones and read-only volumes are shown through
read-only mounts of the cache. Every name is checked before the first byte moves, so a bad lease costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fubini_agent import private_root
from fubini_agent.config import SharedDiskSetting
from fubini_agent.errors import Permanent, StepFault, Transient
from fubini_agent.staging import names
from fubini_agent.staging.cache import Cache
from fubini_agent.staging.disks import Disks
from fubini_agent.staging.layout import Layout, Share
from fubini_agent.transport import Backoff, Transport
from fubini_protocol.v1.messages import Cause, Entry, ExecSpec, InputArtifact, OutcomeKind, Volume

_INLINE_COPY_BYTES = 1 << 20


def blobs(spec: ExecSpec) -> list[Entry]:
    """All blobs an attempt needs."""
    found = [entry for artifact in spec.artifacts_in for entry in artifact.entries or ()]
    return found + [entry for volume in spec.volumes for entry in volume.entries or ()]


def plan_paths(layout: Layout, spec: ExecSpec) -> None:
    """Check every path of the spec and claim those that fall into host directories.

    Raises:
        StepFault: a name is not usable; the step's author or the data is at fault.
    """
    try:
        for artifact in spec.artifacts_in:
            if not artifact.absent:
                layout.claim(artifact.path)
                _check_entries(artifact.entries)
        for volume in spec.volumes:
            layout.claim(volume.mount_path)
            _check_entries(volume.entries)
            if volume.sub_path:
                names.entry_path_check(volume.sub_path)
        written = [output.path for output in spec.artifacts_out] + [output.path for output in spec.parameters_out]
        for path in [*spec.secret_mounts, *written]:
            layout.claim(path)
    except names.BadName as exc:
        raise StepFault(OutcomeKind.INPUT_ERROR, Cause.USER, str(exc)) from exc


def _check_entries(entries: Sequence[Entry] | None) -> None:
    if entries is None or is_single(entries):
        return
    names.entry_paths_check(entry.path for entry in entries)


def is_single(entries: Sequence[Entry]) -> bool:
    return len(entries) == 1 and entries[0].path == ""


def scratch_folder(layout: Layout, volume: Volume) -> Path:
    """Where scratch of a volume lies on this host."""
    return layout.top / f"scratch-{hashlib.sha256(volume.name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _only_the_step_looks(layout: Layout, spec: ExecSpec, volume: Volume, inside: str) -> bool:
    """Whether scratch may be a tmpfs, which ends with the step: seen once and whole, nothing put in, nothing taken out."""
    if volume.sub_path or sum(other.name == volume.name for other in spec.volumes) > 1:
        return False
    paths = [*(a.path for a in spec.artifacts_in), *(a.path for a in spec.artifacts_out)]
    paths += [*(p.path for p in spec.parameters_out), *spec.secret_mounts]
    return not any(names.is_below(layout.inside(path), inside) for path in paths)


class Stager:
    """Stages the inputs of attempts through one cache."""

    def __init__(
        self,
        cache: Cache,
        transport: Transport,
        copy_max_bytes: int,
        disks: Disks,
        shared_disks: Mapping[str, SharedDiskSetting],
    ) -> None:
        self.cache = cache
        self.disks = disks
        self.shared_disks = shared_disks
        self.transport = transport
        self.copy_max_bytes = copy_max_bytes

    async def stage(self, layout: Layout, spec: ExecSpec) -> int:
        """Make everything ready under `layout`; the bytes that came over the network.

        Raises:
            StepFault: an input cannot be had. Problems of the network are waited out, as long as the lease lasts.
        """
        moved = await self._fetch_all(spec)
        try:
            self._share(layout, spec)
            for artifact in spec.artifacts_in:
                await self._artifact(layout, artifact)
            for index, volume in enumerate(spec.volumes):
                if volume.entries is None:
                    continue
                if is_single(volume.entries):  # a file, not a folder with one: it is the mount path itself
                    await self._file(layout, volume.mount_path, volume.entries[0], None)
                else:
                    await self._tree(
                        layout, f"volume{index}", volume.mount_path, volume.entries, volume.read_only, None, True
                    )
            if spec.source is not None:
                self._script(layout, spec.source)
        except names.BadName as exc:
            raise StepFault(OutcomeKind.INPUT_ERROR, Cause.USER, str(exc)) from exc
        except OSError as exc:
            cause = (
                Cause.USER if isinstance(exc, (FileExistsError, NotADirectoryError, IsADirectoryError)) else Cause.NODE
            )
            raise StepFault(
                OutcomeKind.INPUT_ERROR, cause, f"an input could not be put in place: {exc.strerror or exc}"
            ) from exc
        return moved

    def _share(self, layout: Layout, spec: ExecSpec) -> None:
        """Disks of the run and scratch: each a mount of its own, as a volume of a pod is.

        Without a private root nothing can be mounted (steps with disks are not placed there); scratch is then the directory
        at its path.

        Raises:
            BadName: one disk would be mounted inside another.
            StepFault: the site has no such shared disk any more.
        """
        plain = [(layout.inside(volume.mount_path), volume) for volume in spec.volumes if volume.entries is None]
        for inside, volume in sorted(plain, key=lambda pair: pair[0]):  # a directory before what is mounted in it
            around = next((s for s in layout.shares if s.foreign and names.is_below(inside, s.inside)), None)
            if around is not None:
                text = f"path {names.shown(volume.mount_path)} lies in the shared disk at {around.inside}"
                raise names.BadName(f"{text}: mount it elsewhere")
            read_only = volume.read_only
            if volume.disk:
                host = self.disks.path(volume.disk)
            elif volume.shared:
                host, only = self._shared_disk(volume.shared)
                read_only = read_only or only
            elif layout.private and volume.in_memory and _only_the_step_looks(layout, spec, volume, inside):
                limits = [limit for limit in (volume.size_bytes, spec.memory_bytes) if limit]
                layout.memory.append((inside, min(limits) if limits else 0))
                continue
            elif layout.private:
                host = scratch_folder(layout, volume)
                host.mkdir(exist_ok=True)
                host.chmod(0o777)  # as an emptyDir is; nobody else reaches what is above it
            else:
                layout.make_parents(volume.mount_path).mkdir(mode=0o755, exist_ok=True)
                continue
            foreign = bool(volume.disk or volume.shared)
            layout.shares.append(Share(host, volume.sub_path, inside, read_only, foreign=foreign))

    def _shared_disk(self, name: str) -> tuple[Path, bool]:
        """The folder that the site declares under a name, and whether it may only be read.

        Raises:
            StepFault: there is none any more; the site is at fault.
        """
        setting = self.shared_disks.get(name)
        if setting is None or not os.path.isdir(setting.path):
            what = "is not there" if setting else "is not in the site file"
            raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, f"the shared disk {names.shown(name)} {what}")
        return Path(os.path.realpath(setting.path)), setting.read_only

    async def _fetch_all(self, spec: ExecSpec) -> int:
        moved = 0
        for entry in blobs(spec):
            backoff = Backoff(first_s=0.5, cap_s=15.0)
            while True:
                try:
                    moved += await self._fetch(spec, entry)
                    break
                except Transient as exc:
                    await asyncio.sleep(backoff.next_s(exc.retry_after_s))
                except Permanent as exc:
                    raise StepFault(OutcomeKind.INPUT_ERROR, Cause.DATA, str(exc)) from exc
                except OSError as exc:
                    raise StepFault(
                        OutcomeKind.INPUT_ERROR, Cause.NODE, f"the site cache cannot be written: {exc.strerror or exc}"
                    ) from exc
        return moved

    async def _fetch(self, spec: ExecSpec, entry: Entry) -> int:
        async def fetch(digest: str, size: int, target: Path) -> int:
            return await self.transport.download(digest, size, target, url=entry.url, access=spec.download)

        return await self.cache.get(entry.sha256, entry.size, fetch)

    # --- putting in place -----------------------------------------------------------------------------------------

    def _script(self, layout: Layout, source: str) -> None:
        path = layout.top / "script"
        path.write_bytes(source.encode("utf-8", "surrogatepass"))
        path.chmod(0o755)
        if layout.private:
            layout.binds.append((str(path), private_root.SCRIPT_PATH))

    async def _artifact(self, layout: Layout, artifact: InputArtifact) -> None:
        if artifact.absent:
            return
        if artifact.raw is not None:
            target = layout.make_parents(artifact.path)
            target.write_bytes(artifact.raw.encode("utf-8", "surrogatepass"))
            target.chmod(0o644 if artifact.mode is None else artifact.mode & 0o7777)
            return
        if artifact.entries is None:
            raise StepFault(
                OutcomeKind.INPUT_ERROR, Cause.DATA, f"input artifact {artifact.name!r} came without its content"
            )
        if is_single(artifact.entries):
            await self._file(layout, artifact.path, artifact.entries[0], artifact.mode)
        else:
            mode = artifact.mode if artifact.recurse_mode else None
            name = f"in{len(layout.binds)}"
            await self._tree(layout, name, artifact.path, artifact.entries, False, mode, False)

    async def _file(self, layout: Layout, inside: str, entry: Entry, mode: int | None) -> None:
        target = layout.make_parents(inside)
        wanted = entry.mode if mode is None else mode
        if layout.private and entry.size > self.copy_max_bytes and not wanted & 0o111:
            target.touch(mode=0o644, exist_ok=False)
            layout.binds.append((str(self.cache.path(entry.sha256)), layout.inside(inside)))
            return
        await copy_file(self.cache.path(entry.sha256), target, entry.size)
        target.chmod(wanted & 0o7777 | 0o200)

    async def _tree(
        self,
        layout: Layout,
        name: str,
        inside: str,
        entries: Sequence[Entry],
        read_only: bool,
        mode: int | None,
        volume: bool,
    ) -> None:
        target = layout.make_parents(inside)
        large = sum(entry.size for entry in entries) > self.copy_max_bytes
        if layout.private and (read_only or (large and not volume)):
            target.mkdir(mode=0o755, exist_ok=True)
            links = layout.top / name
            links.mkdir(mode=0o755)
            await self._fill(links, entries, mode, link=True)
            layout.binds.append((str(links), layout.inside(inside)))
            return
        target.mkdir(mode=0o755, exist_ok=True)
        await self._fill(target, entries, mode, link=False)

    async def _fill(self, folder: Path, entries: Sequence[Entry], mode: int | None, *, link: bool) -> None:
        made = {folder}
        for entry in entries:
            target = folder / entry.path if entry.path else folder / entry.sha256
            if target.parent not in made:
                target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                made.add(target.parent)
            wanted = entry.mode if mode is None else mode
            if link and not wanted & 0o111:  # a link shares its mode with the cache, so a program needs a copy
                try:
                    os.link(self.cache.path(entry.sha256), target)
                    continue
                except OSError:
                    pass  # another file system, too many links: a copy does as well
            await copy_file(self.cache.path(entry.sha256), target, entry.size)
            target.chmod(wanted & 0o7777 | 0o200)


async def copy_file(source: Path, target: Path, size: int) -> None:
    """Copy content; shares blocks where the file system can. In a thread unless small.

    Raises:
        FileExistsError: two inputs have the same path.
    """
    if size <= _INLINE_COPY_BYTES:
        _copy(source, target)
    else:
        await asyncio.get_running_loop().run_in_executor(None, _copy, source, target)


def _copy(source: Path, target: Path) -> None:
    read_end = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write_end = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            left = os.fstat(read_end).st_size
            try:
                while left > 0:
                    copied = os.copy_file_range(read_end, write_end, left)
                    if not copied:
                        break
                    left -= copied
            except OSError:
                while chunk := os.read(read_end, 1 << 20):
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(write_end, view) :]
        finally:
            os.close(write_end)
    finally:
        os.close(read_end)
