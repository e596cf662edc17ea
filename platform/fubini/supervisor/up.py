"""`up` and `down`: one supervisor over the embedded set.

The order is: be alone with the folder, end what a dead supervisor left, take the port, prepare the database, start web,
dispatch and worker, let the agents join, start them, say where it is. On the way down: agents first (they report what
ended), then dispatch and worker, web last.

A supervisor that is killed takes web, dispatch and worker with it (they are told by the kernel); agents go on, and the
next `up` ends them by their records and starts new ones, which take over the steps from the keepers.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from fubini.common.home import DEFAULT_PORT, Home, alive, checkout, read_json, start_ticks, write_private
from fubini.supervisor import agents
from fubini.supervisor.children import Child, ChildSpec, end_stale
from fubini.supervisor.errors import SupervisorError
from fubini.supervisor.folder import folder_lock, folder_open, folder_stamp, log_open, log_rotate, who_holds

LOG_MAX_BYTES = 8 * 1024 * 1024
LOG_KEEP = 3
ROTATE_EVERY_S = 10.0
READY_WITHIN_S = 60.0
DOWN_WITHIN_S = 40.0
KEEP_STEPS_SIGNAL = signal.SIGUSR1
Say = Callable[[str], None]


def listen(host: str, port: int) -> socket.socket:
    """Take the port, or say who cannot have it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SupervisorError(
                f"port {port} on {host} is taken",
                why="another program listens there (perhaps Fubini from another checkout)",
                try_=f"fubini up --port {port + 1 if port < 65535 else 0}   (or --port 0 for any free one)",
                exit_code=5,
            ) from error
        raise SupervisorError(
            f"cannot listen on {host} port {port}",
            why=error.strerror or str(error),
            try_="give an address of this machine with --host, and a port above 1023 with --port",
        ) from error
    listener.set_inheritable(True)
    return listener


def child_env(home: Home, url: str) -> dict[str, str]:
    """The environment of web, dispatch and worker."""
    env = dict(os.environ)
    env["FUBINI_HOME"] = str(home.path)
    env["FUBINI_PUBLIC_URL"] = url
    env.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    env["PYTHONUNBUFFERED"] = "1"
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # without byte code each start compiles everything anew
    # These processes wait more than they compute; numerical thread pools would only cost memory.
    env["OPENBLAS_NUM_THREADS"] = env["OMP_NUM_THREADS"] = env["MKL_NUM_THREADS"] = "1"
    root = checkout()
    if root is not None:
        roots = [str(root / name) for name in ("platform", "scheduler", "edge_agent")]
        env["PYTHONPATH"] = os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])
    return env


def core_children(home: Home, env: dict[str, str], listener: socket.socket) -> list[ChildSpec]:
    python = [sys.executable, "-m"]
    return [
        ChildSpec(
            "web",
            [*python, "fubini.supervisor.web", "--fd", str(listener.fileno())],
            env,
            pass_fds=(listener.fileno(),),
        ),
        ChildSpec("dispatch", [*python, "fubini.dispatch"], env),
        ChildSpec("worker", [*python, "fubini.celery"], env),
    ]


class Supervisor:
    """The running set. `stop_asked` is set by a signal; everything happens in the main thread's loop."""

    def __init__(self, home: Home, say: Say) -> None:
        self.home = home
        self.say = say
        self.children: list[Child] = []
        self.stop_asked = False
        self.keep_steps = False
        self._rotate_at = 0.0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def catch_signals(self) -> None:
        def ask(number: int, _frame: FrameType | None) -> None:
            self.stop_asked = True
            self.keep_steps = number == KEEP_STEPS_SIGNAL

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, KEEP_STEPS_SIGNAL):
            signal.signal(number, ask)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def start(self, specs: list[ChildSpec]) -> None:
        for spec in specs:
            child = Child(spec, self.home, self.say)
            child.start()
            self.children.append(child)

    def turn(self, wait_s: float) -> None:
        """One turn of the loop: tend every child, keep logs small, sleep until something happens."""
        for child in self.children:
            child.tend()
        if time.monotonic() >= self._rotate_at:
            self._rotate_at = time.monotonic() + ROTATE_EVERY_S
            for path in self.home.log.glob("*.log"):
                log_rotate(path, max_bytes=LOG_MAX_BYTES, keep=LOG_KEEP)
        # A child waiting for its next start needs the loop sooner than a signal would wake it.
        pending = [c.next_start_at - time.monotonic() for c in self.children if c.process is None]
        select.select([self._wake_read], [], [], max(0.0, min([wait_s, *pending])))
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 512):
                pass

    def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Tend the children until `condition` holds; False when time is up or a stop was asked for."""
        deadline = time.monotonic() + within_s
        while not self.stop_asked and time.monotonic() < deadline:
            if condition():
                return True
            self.turn(0.1)
        return False

    def stop(self) -> None:
        """Stop in order: agents report what has ended, then nothing new is planned, web answers to the last."""
        rank = {"web": 2, "dispatch": 1}
        for level in (0, 1, 2):
            group = [c for c in self.children if rank.get(c.spec.name, 0) == level]
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.wait_stopped()


def get(url: str, token: str = "", timeout_s: float = 3.0) -> tuple[int, bytes]:
    """A GET on our own web process; status 0 when it does not answer. No proxy is asked."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own http URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError):
        return 0, b""


def is_ready(url: str, agents_started: int, started_s: float) -> bool:
    """Green, and as many agents as were started have been heard since (`started_s` ago)."""
    status, body = get(f"{url}/readyz")
    try:
        ages = json.loads(body).get("agents_sync_age_ms", [])
        return status == 200 and sum(age < started_s * 1000 for age in ages) >= agents_started
    except (ValueError, AttributeError):
        return False


def prepare(home: Home, env: dict[str, str], options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Run `prepare` in a process of its own: Django's memory is not the supervisor's to keep."""
    say("preparing the database")
    argv = [sys.executable, "-m", "fubini.supervisor", "prepare", "--home", str(home.path)]
    argv += ["--no-migrate"] if options.no_migrate else []
    argv += ["--no-sites"] if options.no_sites else []
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    try:
        answer: dict[str, Any] = json.loads(last)
    except ValueError:
        answer = {}
    if error := answer.get("error"):
        raise SupervisorError(error["what"], why=error["why"], try_=error["try"], exit_code=error["exit_code"])
    if done.returncode != 0:
        with log_open(home.log / "prepare.log") as log:
            log.write(done.stdout + done.stderr)
        words = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise SupervisorError(
            "the database could not be prepared",
            why=words or f"exit code {done.returncode}",
            try_=f"read {home.log / 'prepare.log'}; a backup can be restored with: fubini restore FILE",
        )
    for line in answer.get("said", []):
        say(line)
    return answer


def up(options: argparse.Namespace, home: Home) -> int:
    if options.detach:
        return up_detached(options, home)

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
        if options.ready_fd is not None:
            with contextlib.suppress(OSError):
                os.write(options.ready_fd, (json.dumps({"say": text}) + "\n").encode())

    folder_open(home)
    with folder_lock(home, "fubini up"):
        supervisor = Supervisor(home, say)
        end_stale(home, say)
        port = options.port if options.port is not None else int(os.environ.get("FUBINI_PORT", DEFAULT_PORT))
        listener = listen(options.host, port)
        port = int(listener.getsockname()[1])
        shown = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host  # noqa: S104
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        env = child_env(home, url)
        answer = prepare(home, env, options, say)
        folder_stamp(home)
        supervisor.catch_signals()
        try:
            ready = run_set(supervisor, home, env, listener, url, answer)
            tell_ready(options, home, url, ready)
            while not supervisor.stop_asked:
                supervisor.turn(1.0)
            say("stopping")
        finally:
            supervisor.stop()
            if not supervisor.keep_steps:
                agents.stop_keepers(home, say)
            home.up.unlink(missing_ok=True)
        say("stopped")
    return 0


def run_set(
    supervisor: Supervisor, home: Home, env: dict[str, str], listener: socket.socket, url: str, answer: dict[str, Any]
) -> bool:
    """Start everything and wait until it answers; True when all of it is ready."""
    root = checkout()
    record = {
        "pid": os.getpid(),
        "start_ticks": start_ticks(os.getpid()),
        "url": url,
        "home": str(home.path),
        "checkout": str(root) if root else None,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "ready": False,
    }
    write_private(home.up, json.dumps(record))
    supervisor.say("starting web, dispatch and worker")
    supervisor.start(core_children(home, env, listener))
    if not supervisor.until(lambda: get(f"{url}/healthz")[0] == 200, READY_WITHIN_S):
        if supervisor.stop_asked:
            return False
        raise SupervisorError(
            "web did not come up",
            why=f"no healthy answer from {url}/healthz within {READY_WITHIN_S:.0f} s",
            try_=f"read {home.log / 'web.log'}",
        )
    names = answer.get("agents", [])
    if names:
        supervisor.say(f"starting the agents of {', '.join(names)}")
        agents.join_all(home, names, url, env)
        supervisor.start([agents.spec_of(home, name, url, env) for name in names])
    since = time.monotonic()
    ready = supervisor.until(lambda: is_ready(url, len(names), time.monotonic() - since), READY_WITHIN_S)
    write_private(home.up, json.dumps({**record, "ready": True}))
    if not ready and not supervisor.stop_asked:
        supervisor.say(f"not everything is ready yet; `fubini status` says what is missing (logs in {home.log})")
    return ready


def tell_ready(options: argparse.Namespace, home: Home, url: str, ready: bool) -> None:
    report = {
        "url": url,
        "user": "admin",
        "password_file": str(home.password),
        "token_file": str(home.token),
        "home": str(home.path),
        "ready": ready,
        "pid": os.getpid(),
    }
    if options.ready_fd is not None:
        with contextlib.suppress(OSError):
            os.write(options.ready_fd, (json.dumps({"ready": report}) + "\n").encode())
            os.close(options.ready_fd)
        options.ready_fd = None
    else:
        print_ready(report, options.json)


def print_ready(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report), flush=True)
        return
    password = Path(report["password_file"]).read_text(encoding="utf-8").strip()
    print(
        f"\nFubini is up at {report['url']}\n"
        f"  login     {report['user']} / {password}\n"
        f"  token     in {report['token_file']} (the CLI on this machine finds it by itself)\n"
        f"  API       {report['url']}/api/docs\n"
        f"  state     {report['home']}\n"
        f"  stop      fubini down   (or: make down)",
        flush=True,
    )


def up_detached(options: argparse.Namespace, home: Home) -> int:
    """Start the supervisor in a session of its own and wait for its word."""
    record = read_json(home.up)
    if alive(record) and record is not None:
        raise SupervisorError(
            f"Fubini is already up at {record['url']}",
            why=who_holds(home),
            try_="fubini status, fubini down, or another folder with --home DIR",
            exit_code=5,
        )
    folder_open(home)
    read_fd, write_fd = os.pipe()
    argv = [sys.executable, "-m", "fubini.supervisor", "up", "--home", str(home.path), "--host", options.host]
    argv += ["--port", str(options.port)] if options.port is not None else []
    argv += ["--no-migrate"] if options.no_migrate else []
    argv += ["--no-sites"] if options.no_sites else []
    argv += ["--ready-fd", str(write_fd)]
    with log_open(home.log / "supervisor.log") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(write_fd,),
            start_new_session=True,
            cwd=home.path,
            env=child_env(home, os.environ.get("FUBINI_PUBLIC_URL", "")),
        )
    os.close(write_fd)
    try:
        with os.fdopen(read_fd, encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                if "say" in message and not options.json:
                    print(f"  {message['say']}", file=sys.stderr, flush=True)
                elif "error" in message:
                    found = message["error"]
                    raise SupervisorError(
                        found["what"], why=found["why"], try_=found["try"], exit_code=found["exit_code"]
                    )
                elif "ready" in message:
                    print_ready(message["ready"], options.json)
                    return 0
    except KeyboardInterrupt:
        process.terminate()
        process.wait(DOWN_WITHIN_S)
        raise
    raise SupervisorError(
        "the supervisor ended before it was ready",
        why=f"exit code {process.wait()}",
        try_=f"read {home.log / 'supervisor.log'}",
    )


def down(options: argparse.Namespace, home: Home) -> int:
    """Stop the supervisor of a folder by its record, and what a killed one left."""
    record = read_json(home.up)
    stopped: list[str] = []
    if alive(record) and record is not None:
        pid = int(record["pid"])
        os.kill(pid, KEEP_STEPS_SIGNAL if options.keep_steps else signal.SIGTERM)
        deadline = time.monotonic() + DOWN_WITHIN_S
        while alive(record):
            if time.monotonic() > deadline:
                raise SupervisorError(
                    f"the supervisor (process {pid}) did not stop within {DOWN_WITHIN_S:.0f} s",
                    why=f"see {home.log / 'supervisor.log'}",
                    try_=f"kill -9 {pid}, then fubini down again",
                )
            time.sleep(0.05)
        stopped.append("supervisor")
    elif home.path.is_dir():
        with folder_lock(home, "fubini down"):
            stopped += end_stale(home, lambda text: print(f"  {text}", file=sys.stderr))
            if not options.keep_steps:
                agents.stop_keepers(home, lambda text: print(f"  {text}", file=sys.stderr))
    if options.json:
        print(json.dumps({"stopped": stopped, "home": str(home.path)}))
    else:
        print("Fubini is down" if stopped else f"nothing is running on {home.path}")
    return 0
