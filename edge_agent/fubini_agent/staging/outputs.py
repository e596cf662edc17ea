"""Read back what a step left: result, parameters, artifacts; hash and upload the bytes.

What a step left is hostile input. Only regular files and directories are kept; a link is kept as what it points to, if
that lies inside the same artifact or the step's own files; devices, pipes and sockets are refused; numbers and sizes
have limits that are checked before anything is read. A declared output that is missing is a fault of the step.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from fubini_agent.errors import Permanent, StepFault, Transient
from fubini_agent.staging import names
from fubini_agent.staging.cache import INLINE_HASH_BYTES, Cache, hash_descriptor
from fubini_agent.staging.layout import Found, Layout, is_whiteout, open_readable
from fubini_agent.state import CommandExit, OutputsCollected
from fubini_agent.transport import Backoff, Transport
from fubini_protocol.v1.messages import ArtifactManifest, Cause, Entry, ExecSpec, OutcomeKind, OutputArtifact

ARTIFACT_MAX_BYTES = 1 << 40
#: A file that claims this many times what it occupies would take hours to read and hold nothing.
SPARSE_RATIO_MAX = 100
SPARSE_FREE_BYTES = 64 * 1024 * 1024
_PARALLEL_UPLOADS = 4
#: Sends one blob: (digest, size, open descriptor) -> bytes moved.
Upload = Callable[[str, int, int], Awaitable[int]]


def output_fault(text: str) -> StepFault:
    return StepFault(OutcomeKind.OUTPUT_ERROR, Cause.USER, text)


def read_result(layout: Layout, max_bytes: int) -> str:
    """Standard output as ``outputs.result``: one trailing newline removed, of a longer one the last `max_bytes`."""
    try:
        with open(layout.stdout, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - max_bytes - 1))
            raw = file.read()
    except FileNotFoundError:
        return ""
    if raw.endswith(b"\n"):
        raw = raw[:-1]
    return raw[-max_bytes:].decode("utf-8", "replace")


def read_parameter(layout: Layout, path: str, max_bytes: int) -> str:
    """The text of a parameter's file, one trailing newline removed.

    Raises:
        FileNotFoundError: nothing is there. StepFault: it is a directory or too large.
    """
    found = layout.open(path)
    try:
        if found.is_dir:
            raise output_fault(f"{names.shown(path)} is a directory, a parameter needs a file")
        if found.info.st_size > max_bytes:
            raise output_fault(
                f"{names.shown(path)} has {found.info.st_size} bytes, a parameter may have {max_bytes}: use an artifact"
            )
        raw = os.read(found.descriptor, max_bytes + 1)
    finally:
        found.close()
    if raw.endswith(b"\n"):
        raw = raw[:-1]
    return raw.decode("utf-8", "replace")


def size_check(name: str, info: os.stat_result) -> None:
    """
    Raises:
        StepFault: too large, or almost nothing but holes.
    """
    size = info.st_size
    if size > ARTIFACT_MAX_BYTES:
        raise output_fault(f"{names.shown(name)} has {size} bytes, at most {ARTIFACT_MAX_BYTES} are allowed")
    occupied = info.st_blocks * 512
    if size > SPARSE_FREE_BYTES and size > SPARSE_RATIO_MAX * max(occupied, 1):
        raise output_fault(
            f"{names.shown(name)} claims {size} bytes and occupies {occupied}: write it without holes, or compress it"
        )


@dataclass
class File:
    """One file to keep; `descriptor` is open until it is uploaded."""

    path: str
    descriptor: int
    info: os.stat_result


def walk(found: Found, layout: Layout, max_entries: int = names.ENTRIES_MAX) -> Iterator[File]:
    """The files below an opened directory, in the order of their names; a consumed `File`'s descriptor is the caller's.

    Raises:
        StepFault: something that cannot be kept, or too much.
    """
    count = 0
    stack: list[tuple[int, str, str, int]] = [(os.dup(found.descriptor), "", found.inside, 0)]
    try:
        while stack:
            descriptor, relative, inside, depth = stack.pop()
            try:
                listed = sorted(os.listdir(descriptor))
                folders = []
                for name in listed:
                    count += 1
                    if count > max_entries:
                        raise output_fault(
                            f"{names.shown(found.inside)} has more than {max_entries} entries: pack it into one file"
                        )
                    path = f"{relative}/{name}" if relative else name
                    child = _child(descriptor, name, path, f"{inside}/{name}", layout)
                    if child is None:
                        continue
                    child_fd, info, child_inside = child
                    if stat.S_ISREG(info.st_mode):
                        yield File(path, child_fd, info)
                    elif depth >= names.DEPTH_MAX:
                        os.close(child_fd)
                        raise output_fault(f"{names.shown(path)} is more than {names.DEPTH_MAX} levels deep")
                    else:
                        folders.append((child_fd, path, child_inside, depth + 1))
                stack.extend(reversed(folders))
            finally:
                os.close(descriptor)
    finally:
        for descriptor, _relative, _inside, _depth in stack:
            os.close(descriptor)


def _child(folder: int, name: str, path: str, inside: str, layout: Layout) -> tuple[int, os.stat_result, str] | None:
    """Open one directory entry; None for a deleted one. Links are kept as the file they point to, never as a directory."""
    try:
        names.entry_path_check(path)
    except names.BadName as exc:
        raise output_fault(str(exc)) from exc
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if is_whiteout(info):
        return None
    if stat.S_ISLNK(info.st_mode):
        try:
            target = layout.open(inside)
        except (FileNotFoundError, names.BadName) as exc:
            text = f"{names.shown(path)} is a link to something outside the step's own files"
            raise output_fault(text) from exc
        if target.is_dir:
            target.close()
            raise output_fault(f"{names.shown(path)} is a link to a directory: only links to files can be kept")
        return target.descriptor, target.info, inside
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        raise output_fault(f"{names.shown(path)} is a device, pipe or socket: only files and directories can be kept")
    descriptor = open_readable(name, folder, info)
    return descriptor, os.fstat(descriptor), inside


class Collector:
    """Collects the outputs of attempts."""

    def __init__(self, cache: Cache, transport: Transport) -> None:
        self.cache = cache
        self.transport = transport
        self._slots = asyncio.Semaphore(_PARALLEL_UPLOADS)

    async def collect(self, layout: Layout, spec: ExecSpec, exit_: CommandExit) -> OutputsCollected:
        """Everything a declared output asks for. After a failed command, what is missing is no further fault.

        Network trouble is waited out; the lease decides for how long.
        """
        began = time.monotonic()
        lenient = exit_.exit_code != 0
        parameters: dict[str, str] = {}
        artifacts: list[ArtifactManifest] = []
        problems: list[StepFault] = []
        moved = 0
        for parameter in spec.parameters_out:
            try:
                parameters[parameter.name] = read_parameter(layout, parameter.path, spec.parameter_max_bytes)
            except FileNotFoundError:
                if parameter.default is not None:
                    parameters[parameter.name] = parameter.default
                else:
                    problems.append(_missing(parameter.path))
            except (StepFault, names.BadName, OSError) as exc:
                problems.append(_fault(f"output parameter {parameter.name!r}", exc))
        for artifact in spec.artifacts_out:
            try:
                manifest, sent = await self._artifact(layout, spec, artifact)
                artifacts.append(manifest)
                moved += sent
            except FileNotFoundError:
                if not artifact.optional:
                    problems.append(_missing(artifact.path))
            except (StepFault, names.BadName, OSError) as exc:
                problems.append(_fault(f"output artifact {artifact.name!r}", exc))
        first = problems[0] if problems else None
        return OutputsCollected(
            attempt_id="",
            result=read_result(layout, spec.result_max_bytes) if spec.capture_result else None,
            parameters=parameters,
            artifacts=tuple(artifacts),
            error="" if lenient else "; ".join(str(problem) for problem in problems[:10]),
            error_kind=first.kind if first else OutcomeKind.OUTPUT_ERROR,
            cause=first.cause if first else Cause.USER,
            uploaded_bytes=moved,
            finishing_ms=int((time.monotonic() - began) * 1000),
        )

    async def _artifact(self, layout: Layout, spec: ExecSpec, output: OutputArtifact) -> tuple[ArtifactManifest, int]:
        found = layout.open(output.path)
        try:
            if not found.is_dir:
                entry, moved = await self._keep(layout, spec, File("", found.descriptor, found.info))
                return ArtifactManifest(name=output.name, entries=(entry,)), moved
            entries: list[Entry] = []
            moved = total = 0
            for file in walk(found, layout):
                try:
                    total += file.info.st_size
                    if total > ARTIFACT_MAX_BYTES:
                        raise output_fault(f"it has more than {ARTIFACT_MAX_BYTES} bytes")
                    entry, sent = await self._keep(layout, spec, file)
                finally:
                    os.close(file.descriptor)
                entries.append(entry)
                moved += sent
            return ArtifactManifest(name=output.name, entries=tuple(entries), is_directory=True), moved
        finally:
            found.close()

    async def _keep(self, layout: Layout, spec: ExecSpec, file: File) -> tuple[Entry, int]:
        size_check(file.path, file.info)
        if file.info.st_size <= INLINE_HASH_BYTES:
            digest, size = hash_descriptor(file.descriptor)
        else:
            loop = asyncio.get_running_loop()
            digest, size = await loop.run_in_executor(None, hash_descriptor, file.descriptor)
        moved = await self._upload(spec, digest, size, file.descriptor)
        # A file that other attempts write to must not become the cache's: linking shares its content for ever.
        if layout.private and file.info.st_nlink == 1 and not any(share.foreign for share in layout.shares):
            self.cache.offer(digest, size, file.descriptor)
        mode = stat.S_IMODE(file.info.st_mode) & 0o777
        return Entry(path=file.path, size=size, sha256=digest, mode=mode), moved

    async def _upload(self, spec: ExecSpec, digest: str, size: int, descriptor: int) -> int:
        if spec.upload is None:
            raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, "the lease gives no address for outputs")
        backoff = Backoff(first_s=0.5, cap_s=15.0)
        async with self._slots:
            while True:
                try:
                    return await self.transport.upload(digest, size, descriptor, spec.upload)
                except Transient as exc:
                    await asyncio.sleep(backoff.next_s(exc.retry_after_s))
                except Permanent as exc:
                    raise StepFault(OutcomeKind.PLATFORM, Cause.DATA, f"the platform refused a blob: {exc}") from exc


def _missing(path: str) -> StepFault:
    """A declared output is not there, in the words of Argo's executor: tools and people know them."""
    return output_fault(f"open {path if path.isprintable() else names.shown(path)}: no such file or directory")


def _fault(what: str, exc: Exception) -> StepFault:
    if isinstance(exc, StepFault):
        return StepFault(exc.kind, exc.cause, f"{what}: {exc}")
    if isinstance(exc, OSError):
        return StepFault(OutcomeKind.OUTPUT_ERROR, Cause.NODE, f"{what}: {exc.strerror or exc}")
    return output_fault(f"{what}: {exc}")
