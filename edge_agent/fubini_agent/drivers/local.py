"""The local driver: attempts as processes of this machine, parented by the keeper.

Decides where an attempt's files lie, what its command may see and which variables it gets; performs the machine's
instructions and posts what came of them as events. After a restart it tells, for each journalled lease, what the keeper
and its markers know (`recover`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import fubini_agent
from fubini_agent import private_root
from fubini_agent.config import DeviceSetting, SiteFile, StateFolder
from fubini_agent.drivers.keeper_link import KeeperLink
from fubini_agent.drivers.requests import Requests, bindable, env_binds, images_of
from fubini_agent.drivers.secrets_desk import SecretsDesk
from fubini_agent.environments import Environments
from fubini_agent.errors import AgentError, StepFault
from fubini_agent.journal import Journalled
from fubini_agent.masking import Masker
from fubini_agent.room import free_and_reserve, tree_bytes
from fubini_agent.staging import inputs
from fubini_agent.staging.cache import Cache
from fubini_agent.staging.disks import Disks
from fubini_agent.staging.kept import Kept
from fubini_agent.staging.layout import Layout, Overlay, Share
from fubini_agent.staging.looking import look
from fubini_agent.staging.outputs import Collector
from fubini_agent.staging.sizes import EVERY_S, REST, Limited, Sizes
from fubini_agent.state import (
    CommandEnded,
    CommandExit,
    CommandLost,
    CommandRefused,
    CommandStarted,
    Event,
    InputsFailed,
    InputsReady,
    OutputsCollected,
    Restored,
)
from fubini_agent.transport import Transport
from fubini_protocol.v1.messages import (
    Cause,
    ExecSpec,
    FilesAnswer,
    FilesAsk,
    LeaseOffer,
    LookProblem,
    OutcomeKind,
    WorkMode,
)

_log = logging.getLogger("fubini_agent.local")
#: A step that asked for no disk and wrote more than this is to blame for a full disk itself.
OWN_FILES_BYTES = 256 << 20
TEND_S = 30.0  # kept directories are held to their bounds this often
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_PROBE = "import sys, json; sys.path.insert(0, sys.argv[1]); from fubini_agent.private_root import probe; print(json.dumps(probe(sys.argv[2])))"


class RootSupport:
    """What the kernel lets us do, tried once at start."""

    def __init__(self, ok: bool, why: str, overlay: bool, userns: bool) -> None:
        self.ok = ok
        self.why = why
        self.overlay = overlay
        self.userns = userns


def probe_private_root(scratch: Path) -> RootSupport:
    """Try it in a small process of its own (namespaces want one without threads)."""
    root = str(Path(fubini_agent.__file__).resolve().parent.parent)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROBE, root, str(scratch)],
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        return RootSupport(False, f"the probe failed: {exc}", False, False)
    return RootSupport(bool(found["ok"]), str(found["why"]), bool(found["overlay"]), bool(found["userns"]))


class LocalDriver:
    """All attempts of one agent on this machine."""

    def __init__(
        self,
        folder: StateFolder,
        site: SiteFile,
        support: RootSupport,
        environments: Environments,
        devices: list[DeviceSetting],
        cache: Cache,
        transport: Transport,
        post: Callable[[Event], None],
    ) -> None:
        self.folder = folder
        self.site = site
        self.support = support
        self.environments = environments
        self.devices = {device.name: device for device in devices}
        self.cache = cache
        self.post = post
        self.disks = Disks(Path(site.disks_dir) if site.disks_dir else folder.path / "disks")
        self.stager = inputs.Stager(cache, transport, site.cache.copy_max_bytes, self.disks, site.shared_disks)
        self.collector = Collector(cache, transport)
        self.link = KeeperLink(folder.keeper, self._on_keeper, self._on_keeper_lost)
        self.work = Path(site.work_dir) if site.work_dir else folder.path / "attempts"
        self.layouts: dict[str, Layout] = {}
        self.secrets = SecretsDesk(transport)
        self.kept = Kept(site.kept)
        self._tend_at = 0.0
        self.problem = ""
        self._offers: dict[str, LeaseOffer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._launched: dict[str, dict[str, Any]] = {}  # asked of the keeper, end not heard yet
        self._outgrown: dict[str, str] = {}  # being ended because a volume holds too much, with the sentence
        self._sizes = Sizes()
        self._measuring: Optional[asyncio.Task[None]] = None
        self._measure_at = 0.0
        self._trash: list[Path] = []
        self._forgets: list[str] = []  # ends the keeper need not remember any more
        self._reconnecting: Optional[asyncio.Task[None]] = None
        self._closing = False
        self._base_binds: list[tuple[str, str]] = []
        self._links: list[tuple[str, str]] = []
        self._prepare()
        self.requests = Requests(
            folder.keeper,
            site,
            userns=support.userns,
            overlay=support.overlay,
            devices=self.devices,
            binds=self._base_binds,
            links=self._links,
        )

    def _prepare(self) -> None:
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        keeper = self.folder.keeper
        extra = [(path, path) for path in self.environments.all_binds() if bindable(path)]
        self._base_binds, self._links = private_root.host_binds([])
        private_root.prepare_dev_dir(str(keeper / "dev"))
        for device in self.devices.values():
            for node in device.nodes:
                (keeper / node[1:]).touch(exist_ok=True)  # a place in the shared /dev to show it at
        (keeper / "proc").mkdir(exist_ok=True)
        private_root.prepare_skeleton(str(keeper / "root"), self._base_binds + extra, self._links)
        (keeper / "root").chmod(0o755)

    # --- instructions ---------------------------------------------------------------------------------------------

    def stage(self, offer: LeaseOffer) -> None:
        self._offers[offer.attempt_id] = offer
        self._run(offer.attempt_id, self._stage(offer))

    def launch(self, attempt_id: str, devices: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
        layout, offer = self.layouts.get(attempt_id), self._offers[attempt_id]
        if layout is None:
            self.post(CommandRefused(attempt_id, "its work directory is gone"))
            return
        try:
            request = self.requests.start(offer, layout, devices, self.environments, self.secrets)
        except StepFault as fault:
            self.post(InputsFailed(attempt_id, fault.kind, fault.cause, str(fault)))
            return
        self._launched[attempt_id] = request
        self.link.send(request)  # without a connection it is sent once there is one

    def end(self, attempt_id: str, grace_s: float) -> None:
        offer = self._offers.get(attempt_id)
        fence = offer.fence if offer else None
        self.link.send({"op": "end", "id": attempt_id, "fence": fence, "grace_s": grace_s})

    def collect(self, offer: LeaseOffer, exit_: CommandExit) -> None:
        self._run(offer.attempt_id, self._collect(offer, exit_))

    def discard(self, attempt_id: str, *, keep: bool = False) -> None:
        """Forget it everywhere; the work directory goes in the background, or with `keep` stays a while for people."""
        task = self._tasks.pop(attempt_id, None)
        if task is not None:
            task.cancel()
        if attempt_id in self._launched:
            self.end(attempt_id, 0.0)
            del self._launched[attempt_id]
        self._forgets.append(attempt_id)
        self._outgrown.pop(attempt_id, None)
        masker = self.secrets.maskers.get(attempt_id)
        self.secrets.forget(attempt_id)
        offer = self._offers.pop(attempt_id, None)
        if offer is not None:
            self.cache.unpin(entry.sha256 for entry in inputs.blobs(offer.spec))
        layout = self.layouts.pop(attempt_id, None)
        if layout is not None:
            self.secrets.over(attempt_id, layout)
            if keep and offer is not None and self.kept.wanted:
                if offer.spec.needs_secrets and masker is None:
                    masker = Masker(everything=True)
                self._tend_at = 0.0
                if self.kept.keep(attempt_id, offer.fence, layout, masker, int(time.time() * 1000)):
                    return
            self._trash.append(layout.top)

    def _run(self, attempt_id: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[attempt_id] = task
        task.add_done_callback(
            lambda done: self._tasks.pop(attempt_id, None) if self._tasks.get(attempt_id) is done else None
        )

    # --- staging --------------------------------------------------------------------------------------------------

    async def _stage(self, offer: LeaseOffer) -> None:
        attempt_id, spec = offer.attempt_id, offer.spec
        began = time.monotonic()
        self.cache.pin(entry.sha256 for entry in inputs.blobs(spec))
        try:
            self._check(spec)
            layout = self._new_layout(offer)
            self.layouts[attempt_id] = layout
            inputs.plan_paths(layout, spec)
            moved = await self.stager.stage(layout, spec)
            if spec.needs_secrets:
                await self.secrets.prepare(offer, layout)
        except StepFault as fault:
            self.post(InputsFailed(attempt_id, fault.kind, fault.cause, str(fault)))
            return
        except OSError as exc:
            text = f"its work directory could not be made: {exc.strerror or exc}"
            self.post(InputsFailed(attempt_id, OutcomeKind.PLATFORM, Cause.NODE, text))
            return
        except asyncio.CancelledError:
            raise
        except Exception as exc:  # one poisoned lease must not stop the others
            _log.exception("staging of %s failed", attempt_id)
            self.post(InputsFailed(attempt_id, OutcomeKind.PLATFORM, Cause.NODE, f"{type(exc).__name__}: {exc}"[:400]))
            return
        self.post(InputsReady(attempt_id, moved, int((time.monotonic() - began) * 1000)))

    def _check(self, spec: ExecSpec) -> None:
        for part in spec.containers or (spec,):
            if not part.argv and part.source is None:
                raise StepFault(OutcomeKind.INPUT_ERROR, Cause.USER, "the step has neither a command nor a script")
        if spec.containers and not self.support.ok:
            text = f"has several containers, and this host cannot give a step its own root ({self.support.why})"
            raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, text)
        if spec.run_as not in ("", "service", self.site.acts_as):
            text = f"asks to run as {spec.run_as!r}, this agent acts as {self.site.acts_as!r}"
            raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, text)
        if spec.work_mode is WorkMode.UNKNOWN:
            raise StepFault(
                OutcomeKind.PLATFORM, Cause.SITE, "its work mode is newer than this agent: update the agent"
            )
        for image in images_of(spec):
            self.environments.for_image(image)
        if spec.work_mode is WorkMode.PRIVATE and not self.support.ok:
            absolute = [path for path in _paths(spec) if path.startswith("/")]
            if absolute:
                text = f"{absolute[0]} is absolute, and this host cannot give a step its own root ({self.support.why})"
                raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, text)

    def _new_layout(self, offer: LeaseOffer) -> Layout:
        spec = offer.spec
        safe = offer.attempt_id
        if not _SAFE_ID.match(safe):
            safe = hashlib.sha256(safe.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        number = 0
        while True:
            top = self.work / f"{safe}.{offer.fence}.{number}"
            layout = self._layout(top, spec)
            try:
                layout.make()
                return layout
            except FileExistsError:
                number += 1

    def _layout(self, top: Path, spec: ExecSpec) -> Layout:
        private = spec.work_mode is WorkMode.PRIVATE and self.support.ok
        if not private:
            return Layout(top, private=False, cwd=spec.working_dir or str(top / "upper"))
        shown = [pair for image in images_of(spec) for pair in env_binds(self.environments.for_image(image))]
        binds = self._base_binds + list(dict.fromkeys(shown))
        return Layout(
            top,
            private=True,
            cwd=spec.working_dir or "/",
            bound=tuple(inside for _host, inside in binds),
            links=dict(self._links),
            overlay_supported=self.support.overlay,
        )

    # --- starting -------------------------------------------------------------------------------------------------

    # --- collecting -----------------------------------------------------------------------------------------------

    async def _collect(self, offer: LeaseOffer, exit_: CommandExit) -> None:
        layout = self.layouts.get(offer.attempt_id)
        try:
            if layout is None:
                raise FileNotFoundError("its work directory is gone")
            collected = await self.collector.collect(layout, offer.spec, exit_)
            if offer.spec.needs_secrets:
                collected = _masked(collected, await self.secrets.masker(offer), offer.spec)
        except asyncio.CancelledError:
            raise
        except Exception as exc:  # one poisoned step must not stop the others
            _log.exception("collecting the outputs of %s failed", offer.attempt_id)
            text = f"its outputs could not be read: {type(exc).__name__}: {exc}"[:400]
            collected = OutputsCollected(attempt_id="", error=text, error_kind=OutcomeKind.PLATFORM, cause=Cause.NODE)
        host_fault = self._host_fault(offer, layout) if exit_.exit_code and layout is not None else ""
        self.post(
            OutputsCollected(
                offer.attempt_id,
                collected.result,
                collected.parameters,
                collected.artifacts,
                collected.error,
                collected.error_kind,
                collected.cause,
                collected.uploaded_bytes,
                collected.finishing_ms,
                host_fault,
            )
        )

    def _host_fault(self, offer: LeaseOffer, layout: Layout) -> str:
        """A command that failed on a full disk failed for it, unless its own files are what fills it."""
        free, reserve = free_and_reserve(self.work)
        if free >= reserve:
            return ""
        own = tree_bytes(layout.top)
        if own > max(offer.spec.disk_bytes, OWN_FILES_BYTES):
            return ""
        return f"the disk of {self.work} was full when it failed ({free} bytes left, its own files take {own})"

    # --- the keeper -----------------------------------------------------------------------------------------------

    def _on_keeper(self, event: dict[str, Any]) -> None:
        kind = event.get("ev")
        attempt_id = str(event.get("id", ""))
        if kind == "exited":
            self._over(attempt_id)
            exit_ = exit_of(event)
            outgrown = self._outgrown.pop(attempt_id, "")
            if outgrown and exit_.ended_for:
                exit_ = dataclasses.replace(exit_, ended_for="volume", text=outgrown)
            self.post(CommandEnded(attempt_id, exit_))
        elif kind == "started":
            self.post(CommandStarted(attempt_id, int(event["pid"]), int(event["started_ms"])))
        elif kind == "refused":
            self._over(attempt_id)
            self.post(CommandRefused(attempt_id, str(event["error"])))
        elif kind == "malformed":
            _log.error("the keeper did not understand: %s", event.get("error"))

    def _over(self, attempt_id: str) -> None:
        """Its command runs no more: nothing needs its secrets but the masker."""
        self._launched.pop(attempt_id, None)
        self.secrets.over(attempt_id, self.layouts.get(attempt_id))

    def _on_keeper_lost(self) -> None:
        if not self._closing and self._reconnecting is None:
            self._reconnecting = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """The keeper is gone or restarted: what ended is read from markers, what cannot be known is lost."""
        while not self._closing:
            try:
                hello = await self.link.connect()
                break
            except AgentError as exc:
                self.problem = str(exc)
                _log.error("%s", exc)
                await asyncio.sleep(1.0)
        else:
            return
        self.problem = ""
        self._reconnecting = None
        running = {str(record["id"]) for record in hello["running"]}
        exits = {str(record["id"]): record for record in hello["exits"]}
        markers = self.link.read_markers()
        for attempt_id, request in list(self._launched.items()):
            record = exits.get(attempt_id) or markers.get(attempt_id, {}).get("exited")
            if record is not None and record["fence"] == request["fence"]:
                self._over(attempt_id)
                self.post(CommandEnded(attempt_id, exit_of(record)))
            elif attempt_id in running:
                continue
            elif "started" in markers.get(attempt_id, {}) or "op" not in request:
                self._over(attempt_id)
                self.post(CommandLost(attempt_id, "its keeper ended, and all its processes with it"))
            else:
                self.link.send(request)  # it never heard of it
        for record in hello["running"]:
            if str(record["id"]) not in self._launched:
                self.link.send({"op": "end", "id": record["id"], "grace_s": 0.0})

    async def recover(self, journalled: list[Journalled], boot_id: str) -> list[Restored]:
        """Connect, and say of each journalled lease what is known; orphans are ended, stale folders cleared.

        Raises:
            AgentError: no keeper can be had.
        """
        hello = await self.link.connect()
        running = {str(record["id"]): record for record in hello["running"]}
        exits = {str(record["id"]): record for record in hello["exits"]}
        markers = self.link.read_markers()
        restored = []
        for row in journalled:
            offer = row.offer
            self._offers[offer.attempt_id] = offer
            known = markers.get(offer.attempt_id, {})
            record = exits.get(offer.attempt_id) or known.get("exited")
            if record is not None and record.get("fence") != offer.fence:
                record = None
            alive = running.get(offer.attempt_id)
            started = known.get("started")
            self.cache.pin(entry.sha256 for entry in inputs.blobs(offer.spec))
            if row.report is not None:
                if record is not None:
                    self._restore_layout(offer, record.get("note"))  # its logs may still be on their way
                restored.append(Restored(offer, report=row.report))
            elif record is not None:
                self._restore_layout(offer, record.get("note"))
                restored.append(Restored(offer, exit=exit_of(record)))
            elif alive is not None and alive["fence"] == offer.fence:
                self._restore_layout(offer, alive.get("note"))
                self._launched[offer.attempt_id] = {"fence": offer.fence}
                devices = tuple(
                    (name, tuple(indices)) for name, indices in (alive.get("note") or {}).get("devices", ())
                )
                restored.append(
                    Restored(offer, pid=int(alive["pid"]), started_ms=int(alive["started_ms"]), devices=devices)
                )
            elif row.boot_id != boot_id:
                restored.append(Restored(offer, lost="the machine was restarted"))
            elif started is not None and started.get("fence") == offer.fence:
                restored.append(Restored(offer, lost="its keeper ended, and all its processes with it"))
            else:
                restored.append(Restored(offer))
        for attempt_id in running.keys() - {row.offer.attempt_id for row in journalled}:
            _log.warning("a command runs for %s, which no lease names: it is ended", attempt_id)
            self.link.send({"op": "end", "id": attempt_id, "grace_s": 0.0})
        self.link.send({"op": "forget", "ids": sorted(exits.keys() - self._offers.keys())})
        self.link.clean_markers(set(self._offers))
        for attempt_id, layout in self.layouts.items():
            if attempt_id not in self._launched:
                self.secrets.over(attempt_id, layout)
        self.kept.load(self.work)
        keep = {layout.top.name for layout in self.layouts.values()} | self.kept.folders()
        self._trash += [path for path in self.work.iterdir() if path.name not in keep]
        self._trash += self.disks.leftovers()
        return restored

    def _restore_layout(self, offer: LeaseOffer, note: Optional[dict[str, Any]]) -> None:
        if not note:
            return
        try:
            layout = self._layout(Path(note["top"]), offer.spec)
        except StepFault:  # the site file changed: outputs can be read without the environment
            layout = Layout(Path(note["top"]), private=True, links=dict(self._links))
        layout.private = bool(note["private"])
        layout.overlays = [Overlay(inside, Path(upper), Path(work)) for inside, upper, work in note["overlays"]]
        layout.shares = [
            Share(Path(host), below, inside, bool(read_only), bool(foreign))
            for host, below, inside, read_only, foreign in note.get("shares", ())
        ]
        self.layouts[offer.attempt_id] = layout
        self.secrets.take_up(offer)

    # --- housekeeping ---------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Delete the work directories of discarded attempts, and of kept ones what is beyond the bounds."""
        if self._forgets and self.link.send({"op": "forget", "ids": self._forgets}):
            self._forgets = []
        if time.monotonic() >= self._tend_at:
            self._tend_at = time.monotonic() + TEND_S
            free, reserve = free_and_reserve(self.work)
            tend = functools.partial(self.kept.tend, int(time.time() * 1000), no_room=free < 2 * reserve)
            self._trash += await asyncio.get_running_loop().run_in_executor(None, tend)
        trash, self._trash = self._trash, []
        if trash:
            await asyncio.get_running_loop().run_in_executor(None, _remove, trash)

    def measure(self) -> None:
        """Have volumes with a size looked at, when it is time, beside everything else; see `sizes`."""
        if self._measuring is not None and not self._measuring.done():
            return
        limited = [volume for attempt_id in self._launched for volume in self._limited(attempt_id)]
        if limited and time.monotonic() >= self._measure_at:
            self._measuring = asyncio.get_running_loop().create_task(self._measure(limited))

    async def _measure(self, limited: list[Limited]) -> None:
        began = time.monotonic()
        over = await asyncio.get_running_loop().run_in_executor(None, self._sizes.look, limited)
        now = time.monotonic()
        self._measure_at = began + max(EVERY_S, (now - began) * REST)
        for attempt_id, text in over.items():
            if attempt_id in self._launched and attempt_id not in self._outgrown:
                _log.warning("%s: %s: it is ended", attempt_id, text)
                self._outgrown[attempt_id] = text
                self.end(attempt_id, 0.0)

    def _limited(self, attempt_id: str) -> list[Limited]:
        """The volumes of a running attempt that have a size."""
        offer, layout = self._offers.get(attempt_id), self.layouts.get(attempt_id)
        if offer is None or layout is None or not layout.private:
            return []
        found = {}
        for volume in offer.spec.volumes:
            if volume.size_bytes and volume.entries is None and not volume.shared:
                folder = self.disks.path(volume.disk) if volume.disk else inputs.scratch_folder(layout, volume)
                found[folder] = Limited(attempt_id, volume.name, folder, volume.size_bytes, bool(volume.disk))
        return list(found.values())

    async def look(self, ask: FilesAsk) -> FilesAnswer:
        """What somebody wants to see of an attempt's directory: of one that is here, or is kept."""
        offer, layout = self._offers.get(ask.attempt_id), self.layouts.get(ask.attempt_id)
        until_ms, masker, hidden = None, None, []
        if offer is not None and layout is not None and offer.fence == ask.fence:
            live = ask.attempt_id in self._launched
            hidden = [volume.mount_path for volume in offer.spec.volumes if volume.shared]
            if offer.spec.needs_secrets:
                masker = self.secrets.maskers.get(ask.attempt_id) or Masker(everything=True)
        else:
            step = self.kept.find(ask.attempt_id, ask.fence)
            if step is None:
                gone = "its working directory is not at the site (any more)"
                return FilesAnswer(ask_id=ask.ask_id, attempt_id=ask.attempt_id, problem=LookProblem.GONE, text=gone)
            layout, live, masker, until_ms = step.layout, False, step.masker, step.until_ms
        work = functools.partial(look, layout, ask, live=live, masker=masker, hidden=hidden)
        answer = await asyncio.get_running_loop().run_in_executor(None, work)
        return answer.model_copy(update={"kept_until_ms": until_ms})

    def _disks_used(self) -> set[str]:
        return {volume.disk for offer in self._offers.values() for volume in offer.spec.volumes}

    def idle_disks(self) -> tuple[str, ...]:
        """The disks of no attempt that is here; only those can be dropped, so only they are spoken of."""
        kept = self.disks.ids()
        return tuple(sorted(set(kept) - self._disks_used())) if kept else ()

    def drop_disks(self, disk_ids: tuple[str, ...]) -> None:
        """Remove disks that nobody needs any more, except those of attempts that are still here."""
        self._trash += self.disks.drop(disk_ids, self._disks_used())

    async def stop_steps(self) -> None:
        """End every command and the keeper itself."""
        if not self.link.connected:
            return
        self._closing = True
        self.link.send({"op": "shutdown"})
        for _ in range(400):
            if not self.link.is_alive():
                return
            await asyncio.sleep(0.02)
        self.link.kill()

    async def close(self) -> None:
        """Leave the steps running; forget nothing."""
        self._closing = True
        for task in [*self._tasks.values(), *filter(None, [self._measuring])]:
            task.cancel()
        self.secrets.close()
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        await self.link.close()
        with contextlib.suppress(OSError):
            await self.sweep()


def exit_of(record: dict[str, Any]) -> CommandExit:
    return CommandExit(
        kind=str(record["kind"]),
        exit_code=int(record["exit_code"]),
        signal=int(record["signal"]),
        text=str(record["text"]),
        ended_for=str(record["ended_for"]),
        cpu_ms=int(record["cpu_ms"]),
        peak_bytes=int(record["peak_bytes"]),
        wall_ms=int(record["wall_ms"]),
        started_ms=int(record["started_ms"]),
        finished_ms=int(record["finished_ms"]),
        containers={str(name): int(code) for name, code in (record.get("containers") or {}).items()},
    )


def _paths(spec: ExecSpec) -> list[str]:
    found = [artifact.path for artifact in spec.artifacts_in] + [volume.mount_path for volume in spec.volumes]
    found += list(spec.secret_mounts)
    found += [artifact.path for artifact in spec.artifacts_out] + [parameter.path for parameter in spec.parameters_out]
    return [path for path in [*found, spec.working_dir] if path]


def _masked(collected: OutputsCollected, masker: Masker, spec: ExecSpec) -> OutputsCollected:
    """What goes into the platform's tables, without the secrets' values. Files the step leaves are not looked into."""
    result = collected.result
    if result is not None:
        result = masker.text(result, cut=len(result.encode("utf-8", "replace")) >= spec.result_max_bytes)
    parameters = {name: masker.text(value) for name, value in collected.parameters.items()}
    return dataclasses.replace(collected, result=result, parameters=parameters, error=masker.text(collected.error))


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            private_root.remove_tree(str(path))
            if path.exists():
                shutil.rmtree(path, ignore_errors=True)
