"""The keeper's loop: see the package."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import time

from fubini_agent import private_root as pr
from fubini_agent.keeper.children import Child, Runner, process_start_ticks, tree_memory_bytes
from fubini_agent.keeper.markers import Markers
from fubini_agent.limits import Group, Limiter
from fubini_agent.slots import Slots

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from typing import Any

VERSION = 1
IDLE_EXIT_S = 30.0
SLOT_POLL_MS = 3  # while a command waits for a slot another process may give back
MEMORY_SAMPLE_S = 0.25
LINE_MAX_BYTES = 16 * 1024 * 1024
IDLE_RUNNERS_MAX = 64

#: Why the keeper itself ended a command; reported with the exit.
DEADLINE, MEMORY, ASKED = "deadline", "memory", "asked"
KILLED = "killed"


class Keeper:
    """The loop. One instance a process; `folder` is the keeper's part of the agent's state folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.keeper_id = f"{os.getpid()}-{process_start_ticks(os.getpid())}"
        self.children: dict[str, Child] = {}
        self.direct: dict[int, tuple[Child, int]] = {}  # pid: the command, the pipe its start would fail into
        self.runners: dict[int, Runner] = {}  # by channel descriptor
        self.idle: list[Runner] = []
        self.exits: dict[str, dict[str, Any]] = {}
        self.waiting: dict[str, tuple[dict[str, Any], bytes]] = {}  # for a slot of the machine, first come first
        self.slots: dict[str, Slots] = {}  # by folder
        self.limits = Limiter()
        self.poll = select.poll()
        self.client: socket.socket | None = None
        self.inbox = b""
        self.outbox = bytearray()
        self.stopping = False
        self.idle_since = time.monotonic()
        self.next_sample = 0.0
        self.lock = self._lock()
        self.listener = self._listen()
        self.life_read, self.life_write = os.pipe()
        self.wake_read, wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _n, _f: None)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        self.markers = Markers(os.path.join(folder, f"markers-{self.keeper_id}.log"), self._records)

    # --- set-up ---------------------------------------------------------------------------------------------------

    def _lock(self) -> int:
        fd = os.open(os.path.join(self.folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"another keeper holds {self.folder}/lock") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {process_start_ticks(os.getpid())}\n".encode(), 0)
        return fd

    def _listen(self) -> socket.socket:
        path = os.path.join(self.folder, "sock")
        try:
            os.unlink(path)  # a dead keeper's: we hold the lock
        except FileNotFoundError:
            pass
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder_fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        mask = os.umask(0o177)
        try:
            listener.bind(f"/proc/self/fd/{folder_fd}/sock")  # a socket's path may have 107 bytes, a folder's more
        finally:
            os.umask(mask)
            os.close(folder_fd)
        listener.listen(4)
        listener.setblocking(False)
        return listener

    def _records(self) -> list[dict[str, Any]]:
        started = [{"m": "started", **child.describe()} for child in self.children.values()]
        return started + [dict(event, m="exited") for event in self.exits.values()]

    def _on_term(self, _number: int, _frame: object) -> None:
        self.stopping = True

    # --- the loop -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.poll.register(self.listener, select.POLLIN)
        self.poll.register(self.wake_read, select.POLLIN)
        while True:
            ended: list[dict[str, Any]] = []
            for fd, event in self.poll.poll(self._timeout_ms()):
                if fd in self.runners:
                    self._runner_event(self.runners[fd], event, ended)
                elif self.client is not None and fd == self.client.fileno():
                    if event & select.POLLOUT:
                        self._flush()
                    if self.client is not None and event & ~select.POLLOUT:
                        self._read()
                elif fd == self.wake_read:
                    self._drain_wake()
                    self._reap(ended)
                elif fd == self.listener.fileno():
                    self._accept()
            self._finish(ended)
            self._start_waiting()
            self._timers()
            if self.stopping:
                self._stop()
                return
            self._flush()
            if self._may_go():
                return

    def _timeout_ms(self) -> int:
        if self.waiting:
            return SLOT_POLL_MS
        if not self.children:
            return 1000 if self.client is None else 5000
        now = time.monotonic()
        due = now + 5.0
        for child in self.children.values():
            if child.limit_at is not None:
                due = min(due, child.limit_at)
            if child.kill_at is not None:
                due = min(due, child.kill_at)
            if child.memory_bytes:
                due = min(due, self.next_sample)
        return max(0, int((due - now) * 1000) + 1)

    def _drain_wake(self) -> None:
        try:
            while len(os.read(self.wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def _may_go(self) -> bool:
        now = time.monotonic()
        if self.client is not None or self.children or self.waiting:
            self.idle_since = now
        return now - self.idle_since > IDLE_EXIT_S

    # --- the agent's side -----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        self._drop_client()
        client.setblocking(False)
        self.client = client
        self.poll.register(client, select.POLLIN)
        self._tell(self._hello())

    def _hello(self) -> dict[str, Any]:
        return {
            "ev": "hello",
            "version": VERSION,
            "keeper_id": self.keeper_id,
            "pid": os.getpid(),
            "groups": self.limits.groups.version,
            "running": [child.describe() for child in self.children.values()],
            "exits": list(self.exits.values()),
        }

    def _tell(self, event: dict[str, Any]) -> None:
        if self.client is not None:
            self.outbox += json.dumps(event, separators=(",", ":")).encode() + b"\n"

    def _flush(self) -> None:
        if self.client is None or not self.outbox:
            return
        try:
            sent = self.client.send(self.outbox)
            del self.outbox[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop_client()
            return
        self.poll.modify(self.client, select.POLLIN | (select.POLLOUT if self.outbox else 0))

    def _drop_client(self) -> None:
        if self.client is not None:
            self.poll.unregister(self.client)
            self.client.close()
        self.client = None
        self.inbox = b""
        self.outbox.clear()

    def _read(self) -> None:
        assert self.client is not None
        try:
            raw = self.client.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            raw = b""
        if not raw:
            self._drop_client()
            return
        self.inbox += raw
        if b"\n" not in raw:
            if len(self.inbox) > LINE_MAX_BYTES:
                self._drop_client()
            return
        *lines, self.inbox = self.inbox.split(b"\n")
        for line in lines:
            try:
                self._request(json.loads(line), line)
            except (ValueError, KeyError, TypeError) as exc:
                # One malformed request must not end the keeper: commands depend on it.
                self._tell({"ev": "malformed", "error": f"{type(exc).__name__}: {exc}"[:300]})

    def _request(self, request: dict[str, Any], line: bytes) -> None:
        op = request["op"]
        if op == "start":
            self._start(request, line)
        elif op == "end":
            self._end(request["id"], request.get("fence"), float(request.get("grace_s", 10.0)))
        elif op == "forget":
            for attempt_id in request["ids"]:
                self.exits.pop(attempt_id, None)
        elif op == "status":
            self._tell(dict(self._hello(), ev="status"))
        elif op == "shutdown":
            self.stopping = True
        else:
            self._tell({"ev": "malformed", "error": f"unknown request {op!r}"})

    # --- commands -------------------------------------------------------------------------------------------------

    def _start(self, request: dict[str, Any], line: bytes) -> None:
        attempt_id = str(request["id"])
        known = self.children.get(attempt_id)
        if known is not None:  # asked twice (an agent that restarted between asking and hearing): it runs already
            self._tell(dict(known.describe(), ev="started"))
            return
        if attempt_id in self.exits:
            self._tell(self.exits[attempt_id])
            return
        if attempt_id in self.waiting:
            return
        if request.get("slots"):
            self.waiting[attempt_id] = (request, line)
            self._start_waiting()
            return
        self._begin(request, line, None)

    def _start_waiting(self) -> None:
        """Begin what waits for slots of the machine, in order; the first that gets none holds back those behind it."""
        while self.waiting and not self.stopping:
            attempt_id = next(iter(self.waiting))
            request, line = self.waiting[attempt_id]
            wanted = request["slots"]
            try:
                slots = self.slots.get(wanted["folder"])
                if slots is None or slots.count != wanted["count"]:
                    slots = self.slots[wanted["folder"]] = Slots(wanted["folder"], int(wanted["count"]))
                taken = slots.take(int(wanted["take"]))
            except (OSError, KeyError, TypeError, ValueError) as exc:
                del self.waiting[attempt_id]
                error = f"the machine's slots cannot be used: {exc}"[:400]
                self._tell({"ev": "refused", "id": attempt_id, "fence": int(request["fence"]), "error": error})
                continue
            if taken is None:
                return
            del self.waiting[attempt_id]
            self._begin(request, line, (slots, taken))

    def _begin(self, request: dict[str, Any], line: bytes, slots: tuple[Slots, tuple[int, ...]] | None) -> None:
        attempt_id, fence = str(request["id"]), int(request["fence"])
        try:
            if request.get("root") is None:
                child = self._start_direct(attempt_id, fence, request)
            else:
                child = self._start_private(attempt_id, fence, request, line)
        except (OSError, pr.SetupError, ValueError, KeyError, TypeError) as exc:
            error = f"{type(exc).__name__}: {exc}"[:400]
            if slots is not None:
                slots[0].give(slots[1])
            self._tell({"ev": "refused", "id": attempt_id, "fence": fence, "error": error})
            return
        child.slots = slots
        child.grace_s = float(request.get("grace_s", 10.0))
        child.note = request.get("note")
        if request.get("limit_s") is not None:
            child.limit_at = child.started + float(request["limit_s"])
        self.children[attempt_id] = child
        self.markers.add({"m": "started", **child.describe()})
        self._tell(dict(child.describe(), ev="started"))

    def _hold(self, child: Child, request: dict[str, Any], group: Group | None, *, own: bool = False) -> None:
        child.memory_bytes = int(request.get("memory_bytes") or 0)
        cpu_millis = int(request.get("cpu_millis") or 0)
        child.held = self.limits.hold(child.pid, group, cpu_millis, child.memory_bytes, own=own)

    @staticmethod
    def _blame_memory(child: Child, status: int) -> None:
        """A command that failed after the kernel ended one of its processes for memory ended for memory."""
        if status and child.held.ran_out_of_memory():
            child.ended_for = child.ended_for or MEMORY

    def _start_direct(self, attempt_id: str, fence: int, request: dict[str, Any]) -> Child:
        command = pr.Command.from_request(request)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self.life_write)
            pr.run_direct(command, write_end, self.life_read)
        os.close(write_end)
        child = Child(attempt_id, fence, pid, False)
        self._hold(child, request, self.limits.group_for(pid), own=True)  # long before it has become the command
        self.direct[pid] = (child, read_end)
        return child

    def _start_private(self, attempt_id: str, fence: int, request: dict[str, Any], line: bytes) -> Child:
        root = request["root"]
        if self.idle:
            runner = self.idle.pop()
        else:
            pid, channel = pr.start_init(root["dev_dir"], root["dev_nodes"], root["proc_dir"], bool(root["userns"]))
            channel.setblocking(False)
            runner = Runner(pid, channel)
            runner.group = self.limits.group_for(pid)
            self.runners[channel.fileno()] = runner
            self.poll.register(channel, select.POLLIN)
        child = Child(attempt_id, fence, runner.pid, True)
        self._hold(child, request, runner.group)
        runner.child = child
        runner.outbox = line + b"\n"
        self._feed(runner)
        return child

    def _feed(self, runner: Runner) -> None:
        try:
            runner.outbox = runner.outbox[runner.channel.send(runner.outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            runner.outbox = b""  # it died: the hang-up tells the rest
        self.poll.modify(runner.channel, select.POLLIN | (select.POLLOUT if runner.outbox else 0))

    def _runner_event(self, runner: Runner, event: int, ended: list[dict[str, Any]]) -> None:
        if event & select.POLLOUT:
            self._feed(runner)
        if not event & ~select.POLLOUT:
            return
        try:
            raw = runner.channel.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            raw = b""
        if not raw:
            self._runner_died(runner, ended)
            return
        runner.inbox += raw
        if not runner.inbox.endswith(b"\n"):
            return
        lines, runner.inbox = runner.inbox.splitlines(), b""
        for line in lines:
            result = json.loads(line)
            if "container" in result:
                self._container(runner.child, str(result["container"]), result["code"])
            else:
                self._runner_done(runner, result, ended)

    def _container(self, child: Child | None, name: str, code: int | None) -> None:
        """One container of a step started (no code) or ended."""
        if child is None:
            return
        if child.containers is None:
            child.containers = {}
        child.containers[name] = code
        if code is not None:
            record = {"id": child.attempt_id, "fence": child.fence, "name": name, "exit_code": code}
            self.markers.add({"m": f"container:{name}", **record})

    def _runner_done(self, runner: Runner, result: dict[str, Any], ended: list[dict[str, Any]]) -> None:
        child, runner.child = runner.child, None
        if child is not None:
            if "containers" in result:
                child.containers = result["containers"]
            self._blame_memory(child, int(result["status"]))
            ended.append(
                self._exit_event(
                    child, result["kind"], result["status"], result["text"], result["cpu_ms"], result["peak_kb"]
                )
            )
        if len(self.idle) < IDLE_RUNNERS_MAX:
            self.idle.append(runner)
        else:
            runner.channel.shutdown(socket.SHUT_WR)  # it reads the end and exits

    def _runner_died(self, runner: Runner, ended: list[dict[str, Any]]) -> None:
        """Killed by us (time, memory, cancel), by the kernel (out of memory), or by a person."""
        self.poll.unregister(runner.channel)
        del self.runners[runner.channel.fileno()]
        runner.channel.close()
        if runner in self.idle:
            self.idle.remove(runner)
        try:
            _pid, status, usage = os.wait4(runner.pid, 0)
        except ChildProcessError:
            return
        if runner.child is not None:
            self._blame_memory(runner.child, status)
            cpu_ms = int((usage.ru_utime + usage.ru_stime) * 1000)
            kind = pr.EXITED if runner.child.ended_for else KILLED
            text = "" if runner.child.ended_for else f"its init was ended from outside (wait status {status})"
            ended.append(self._exit_event(runner.child, kind, status, text, cpu_ms, usage.ru_maxrss))
        if runner.group is not None:
            runner.group.drop()

    def close(self) -> None:
        """Let the idle inits go, and remove the groups that held them."""
        for runner in self.runners.values():
            runner.channel.close()
        self.limits.groups.close()

    def _end(self, attempt_id: str, fence: int | None, grace_s: float, why: str = ASKED) -> None:
        if attempt_id in self.waiting:
            request, _ = self.waiting[attempt_id]
            if fence is None or int(request["fence"]) == fence:
                del self.waiting[attempt_id]
                never = Child(attempt_id, int(request["fence"]), 0, False)
                never.ended_for, never.note = why, request.get("note")
                self._finish([self._exit_event(never, pr.EXITED, signal.SIGTERM, "", 0, 0)])
            return
        child = self.children.get(attempt_id)
        if child is None or (fence is not None and child.fence != fence):
            return
        child.ended_for = child.ended_for or why
        now = time.monotonic()
        kill_at = now + max(0.0, grace_s)
        if child.kill_at is None:
            self._signal(child, signal.SIGTERM)
            child.kill_at = kill_at
        else:
            child.kill_at = min(child.kill_at, kill_at)

    @staticmethod
    def _signal(child: Child, number: int) -> None:
        """A private command's init passes SIGTERM on and takes its namespace along when killed."""
        try:
            if child.private:
                os.kill(child.pid, number)
            else:
                os.killpg(child.pid, number)
        except ProcessLookupError:
            if not child.private:  # between fork and setsid the group does not exist yet
                try:
                    os.kill(child.pid, number)
                except ProcessLookupError:
                    pass

    def _timers(self) -> None:
        now = time.monotonic()
        sample = now >= self.next_sample
        sampled = False
        for child in list(self.children.values()):
            if child.limit_at is not None and now >= child.limit_at:
                child.limit_at = None
                self._end(child.attempt_id, None, child.grace_s, DEADLINE)
            if child.memory_bytes and sample:
                sampled = True
                used = tree_memory_bytes(child.pid)
                child.peak_bytes = max(child.peak_bytes, used)
                if used > child.memory_bytes:
                    child.ended_for = child.ended_for or MEMORY
                    child.kill_at = now
            if child.kill_at is not None and now >= child.kill_at:
                child.kill_at = now + 1.0  # again: a group may have grown between the signal and its arrival
                self._signal(child, signal.SIGKILL)
        if sampled or sample:
            self.next_sample = now + MEMORY_SAMPLE_S

    def _reap(self, ended: list[dict[str, Any]]) -> None:
        """Direct commands by pid, never by -1 alone: an init's end is read from its channel first."""
        for pid, (child, pipe) in list(self.direct.items()):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if not done:
                continue
            self._signal(child, signal.SIGKILL)  # what the command left behind in its group
            del self.direct[pid]
            kind, _, text = os.read(pipe, 4096).decode("utf-8", "replace").partition(":")
            os.close(pipe)
            self._blame_memory(child, status)
            cpu_ms = int((usage.ru_utime + usage.ru_stime) * 1000)
            ended.append(self._exit_event(child, kind or pr.EXITED, status, text, cpu_ms, usage.ru_maxrss))
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """As subreaper we inherit what direct commands left in other sessions: end it when its command is over."""
        if self.direct:
            return  # may belong to a command that still runs
        ours = {runner.pid for runner in self.runners.values()}
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
                strays = [int(pid) for pid in file.read().split() if int(pid) not in ours]
        except OSError:
            return
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                pass

    def _finish(self, ended: list[dict[str, Any]]) -> None:
        if not ended:
            return
        for event in ended:
            child = self.children.pop(event["id"], None)
            if child is not None:
                self.limits.release(child.held)
            if child is not None and child.slots is not None:
                child.slots[0].give(child.slots[1])
                child.slots = None
            self.exits[event["id"]] = event
            self._tell(event)
        self._flush()  # the agent makes the end durable itself; our markers are for when it is not there
        self.markers.add(*(dict(event, m="exited") for event in ended))
        self.markers.sync()

    @staticmethod
    def _exit_event(child: Child, kind: str, status: int, text: str, cpu_ms: int, peak_kb: int) -> dict[str, Any]:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        event = {
            "ev": "exited",
            "id": child.attempt_id,
            "fence": child.fence,
            "exit_code": 128 + number if number else os.WEXITSTATUS(status),
            "signal": number,
            "kind": kind,
            "text": text,
            "ended_for": child.ended_for,
            "cpu_ms": cpu_ms,
            "peak_bytes": max(child.peak_bytes, peak_kb * 1024),
            "wall_ms": int((time.monotonic() - child.started) * 1000),
            "started_ms": child.started_ms,
            "finished_ms": int(time.time() * 1000),
            "note": child.note,
        }
        if child.containers is not None:  # those that still ran were killed with their init
            event["containers"] = {n: 137 if code is None else code for n, code in child.containers.items()}
        return event

    def _stop(self) -> None:
        """End everything and go. The attempts are `lost` unless the agent hears of their end."""
        for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
            for child in self.children.values():
                child.ended_for = child.ended_for or ASKED
                self._signal(child, number)
            until = time.monotonic() + seconds
            while self.children and time.monotonic() < until:
                ended: list[dict[str, Any]] = []
                for fd, event in self.poll.poll(20):
                    if fd in self.runners:
                        self._runner_event(self.runners[fd], event, ended)
                self._drain_wake()
                self._reap(ended)
                self._finish(ended)
        self._flush()
        try:
            os.unlink(os.path.join(self.folder, "sock"))
        except OSError:
            pass


def main(folder: str) -> None:
    """Run until idle or told to stop. `folder` exists with mode 0700."""
    gc.disable()
    keeper = Keeper(folder)
    pr.set_subreaper()
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, shared pages in every child
    keeper.run()
    keeper.close()
