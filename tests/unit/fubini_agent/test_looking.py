"""Looks at a step's working directory through a real agent and step: while it runs, after it failed, and what never shows."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from fubini_agent.config import KeptSetting
from fubini_agent.masking import Masker
from fubini_agent.staging.kept import NOTE, Kept
from fubini_agent.staging.layout import Layout
from fubini_agent.staging.looking import look
from fubini_protocol.v1.messages import FileKind, FilesAsk, LookProblem, SecretsReply
from tests.support.agents import AgentProcess
from tests.support.fake_platform import FakePlatform

CANARY = "canary-of-a-secret"


def text(content: str) -> str:
    return base64.b64decode(content).decode()


def test_a_running_step_is_looked_at_and_a_failed_one_is_kept_over_a_restart(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    agent = make_agent().start()
    platform.secrets["a1"] = SecretsReply(
        env=(("TOKEN", CANARY),), values=(base64.b64encode(CANARY.encode()).decode(),)
    )
    platform.lease(
        "a1", argv=("sh",), needs_secrets=True, working_dir="/tmp/w", volumes=({"name": "d", "mount_path": "/d", "disk": "run.d"},),
        source="echo one > log; echo $TOKEN >> log; mkdir sub; ln -s /etc/passwd out; mkfifo pipe; echo x > done;"
        "while ! test -e /d/go; do sleep 0.05; done; exit 3",
    )  # fmt: skip
    platform.wait_running("a1")
    platform.wait(lambda: any(e.name == "done" for e in platform.look("a1").entries), "the files")
    listed = platform.look("a1")
    assert (listed.path, listed.live) == ("/tmp/w", True)
    kinds = {entry.name: entry.kind for entry in listed.entries}
    assert kinds == {
        "done": FileKind.FILE, "log": FileKind.FILE, "out": FileKind.LINK, "pipe": FileKind.OTHER, "sub": FileKind.DIRECTORY
    }  # fmt: skip
    assert text(platform.look("a1", "log").content) == f"one\n{'*' * len(CANARY)}\n"
    assert platform.look("a1", "out").problem is LookProblem.MISSING  # the host's own file is not the step's
    assert platform.look("a1", "pipe").problem is LookProblem.REFUSED
    assert platform.look("a1", "../../../etc/passwd").problem is not LookProblem.NONE
    assert platform.look("a1", fence=2).problem is LookProblem.GONE
    disk = next(path for path in (agent.folder / "disks").iterdir() if path.is_dir())
    (disk / "go").touch()
    platform.outcome("a1")
    platform.wait(lambda: platform.look("a1").kept_until_ms is not None, "the directory kept")
    assert text(platform.look("a1", "log").content) == f"one\n{'*' * len(CANARY)}\n"
    agent.kill()
    agent.start()
    assert {entry.name for entry in platform.look("a1").entries} == {"***"}  # its secrets are not known any more
    assert set(text(platform.look("a1", "log").content)) == {"*", "\n"}


def kept_one(work: Path, kept: Kept, name: str, size: int, now_ms: int) -> Path:
    layout = Layout(work / name, private=True)
    layout.make()
    (layout.upper / "f").write_bytes(b"x" * size)
    assert kept.keep(name, 1, layout, None, now_ms)
    return layout.top


def test_what_is_kept_goes_by_age_and_the_oldest_first_when_it_is_too_much(tmp_path: Path) -> None:
    kept = Kept(KeptSetting(hours=1, max_bytes=150_000))
    first = kept_one(tmp_path, kept, "a", 100_000, 0)
    second = kept_one(tmp_path, kept, "b", 100_000, 1000)
    assert kept.tend(2000, no_room=False) == [first]
    assert kept.tend(3_600_000 + 1000, no_room=False) == [second]
    third = kept_one(tmp_path, kept, "c", 10, 0)
    again = Kept(kept.bounds)
    (second / NOTE).write_text("not a note")
    (first / NOTE).unlink()
    again.load(tmp_path)
    assert again.folders() == {"c"}
    assert again.tend(1, no_room=True) == [third]


def test_a_secret_that_is_only_begun_at_a_growing_files_end_waits_for_its_rest(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a", private=True)
    layout.make()
    (layout.upper / "log").write_bytes(b"is canary-of")
    ask = FilesAsk(ask_id="1", attempt_id="a", fence=1, path="/log", limit=1000)
    masker = Masker([CANARY.encode()])
    assert text(look(layout, ask, live=True, masker=masker).content) == "is "
    assert text(look(layout, ask, live=False, masker=masker).content) == "is " + "*" * 9
    middle = ask.model_copy(update={"offset": 5, "limit": 3})
    (layout.upper / "log").write_bytes(b"is canary-of-a-secret.")
    assert text(look(layout, middle, live=True, masker=masker).content) == "***"


def test_without_a_root_of_its_own_only_the_steps_own_directory_is_shown(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a", private=False, cwd=str(tmp_path))
    layout.make()
    (tmp_path / "others").write_text("not to be seen")
    (layout.upper / "mine").write_text("mine")
    (layout.upper / "out").symlink_to(tmp_path / "others")
    ask = FilesAsk(ask_id="1", attempt_id="a", fence=1)
    (layout.upper / " a ").write_text("spaces")
    assert [entry.name for entry in look(layout, ask, live=True).entries] == [" a ", "mine", "out"]
    assert text(look(layout, ask.model_copy(update={"path": "/ a "}), live=True).content) == "spaces"
    for path in ("out", str(tmp_path / "others"), "/etc/passwd"):
        asked = ask.model_copy(update={"path": path})
        assert look(layout, asked, live=True).problem is LookProblem.MISSING
