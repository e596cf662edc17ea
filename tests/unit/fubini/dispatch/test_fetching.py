"""Remote inputs from a manifest's artifact to blobs: once a run, guarded, retried, and told in sentences."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fubini.common import clock
from fubini.datasets.fetches import TAKES_MAX, TRIES_MAX, fetch_take, fetches_hold
from fubini.datasets.models import Artifact, Blob, Fetch
from fubini.datasets.selectors import memory_clear
from fubini.datasets.store import default_store
from fubini.dispatch import performer
from fubini.dispatch.fetching import scratch_sweep
from fubini.dispatch.grants import unreadable_refuse
from fubini.dispatch.inputs import inputs_of
from fubini.dispatch.performer import Performer
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.dispatch.why import task_why
from fubini.engines.embedded.remote import remote_key, remote_source
from fubini.flags.registry import REMOTE_INPUTS
from fubini.flags.services import flag_set
from fubini.runs.apply import step_apply
from fubini.runs.codec import spec_of
from fubini.runs.engine import ArtifactInput, NodeId, OpenTask, Step, TaskSpec
from fubini.runs.models import Run, Task
from fubini.secrets.services import secret_set
from tests.support.canaries import files_with, tables_with
from tests.support.rows import make_project, make_run
from tests.support.web import Asked, Reply, Web, web
from tests.unit.fubini.remote.test_git import ENV

pytestmark = pytest.mark.django_db
Allow = Callable[..., None]


@pytest.fixture
def allow(tmp_path: Path, settings: Any) -> Allow:
    """A store and state folder of the test's own; call it with the servers the platform may reach."""
    memory_clear()
    settings.FUBINI_HOME = tmp_path / "home"
    settings.FUBINI_HOME.mkdir()

    def those(*servers: Web, **more: Any) -> None:
        remote = {"allow": [s.allow for s in servers], "schemes": ["http", "https"]}
        settings.FUBINI = {**settings.FUBINI, "OBJECTS_URL": str(tmp_path / "objects"), "REMOTE": remote, **more}

    those()
    return those


def open_leaf(run: Run, artifact: dict[str, Any], node: str = "n1", generation: int = 0, **more: Any) -> Task:
    source = remote_source({"name": "data", **artifact})
    assert source is not None
    given = ArtifactInput("data", "/in", remote_key(run.pk, source), remote=source, **more)
    spec = TaskSpec(template="work", image="busybox", argv=("true",), artifacts_in=(given,))
    step_apply(run, Step(commands=(OpenTask(NodeId(node), generation, spec),)), phases={}, at_ms=clock.now_ms())
    return Task.objects.get(run=run, node_id=node, generation=generation)


def due_now() -> None:
    Fetch.objects.update(not_before_ms=0)


def ended(task: Task) -> Task:
    """What the planner makes of a task whose input is not there."""
    cache = RequestCache()
    world_of(cache)
    unreadable_refuse(cache.unreadable, at_ms=clock.now_ms())
    task.refresh_from_db()
    return task


def read(task: Task) -> dict[str, bytes]:
    inputs = inputs_of(task.project_id, spec_of(task.spec))
    assert inputs.problems == []
    return {e["path"]: default_store().read(e["sha256"]) for e in inputs.artifacts["data"].entries}


def test_a_leaf_waits_for_its_fetch_says_so_and_is_queued_when_the_bytes_are_here(
    allow: Allow, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(b"content", headers={"ETag": '"v1"'})) as served:
        allow(served)
        task = open_leaf(run, {"http": {"url": f"{served.url}/data.bin?token=canary"}})
        assert (task.state, task.waiting_for) == ("blocked", ["fetch"])
        why = task_why(task)
        assert why.code == "fetch"
        assert "waits for the artifact 'data'" in why.sentence
        assert "canary" not in why.sentence
        assert Performer().turn() == 1
    task.refresh_from_db()
    assert "canary" not in "".join(capfd.readouterr())
    assert (task.state, task.waiting_for) == ("queued", [])
    assert read(task) == {"": b"content"}
    artifact = Artifact.objects.get()
    digest = hashlib.sha256(b"content").hexdigest()
    assert artifact.provenance is not None
    assert artifact.provenance["revision"] == {"etag": '"v1"'}
    assert artifact.provenance["sha256"] == digest
    assert artifact.provenance["url"] == f"{served.url}/data.bin"
    assert Blob.objects.filter(project_id=run.project_id, digest=digest).exists()


def test_one_source_is_fetched_once_a_run_and_stays_the_same_bytes_on_a_retry(allow: Allow) -> None:
    run, other = make_run(make_project()), make_run(make_project())
    bodies = iter([b"first", b"second"])
    with web(lambda asked: Reply(next(bodies))) as served:
        allow(served)
        artifact = {"http": {"url": served.url}}
        tasks = [open_leaf(run, artifact, "n1"), open_leaf(run, artifact, "n2")]
        Performer().turn()
        tasks.append(open_leaf(run, artifact, "n1", generation=1))
        assert tasks[2].state == "queued"
        assert [read(t) for t in tasks] == [{"": b"first"}] * 3
        again = open_leaf(other, artifact)
        Performer().turn()
        assert read(again) == {"": b"second"}
        assert len(served.asked) == 2


def test_nothing_is_fetched_for_a_project_whose_flag_is_off_and_the_step_says_which(allow: Allow) -> None:
    run, other = make_run(make_project()), make_run(make_project())
    flag_set(flag=REMOTE_INPUTS, on=False, actor="test", project=run.project)
    with web(lambda asked: Reply(b"content")) as served:
        allow(served)
        refused, fetched = open_leaf(run, {"http": {"url": served.url}}), open_leaf(other, {"http": {"url": served.url}})
        Performer().turn()
        assert len(served.asked) == 1
    refused.refresh_from_db()
    assert ended(refused).state == "failed" and "remote-inputs" in Fetch.objects.get(run_id=run.pk).error
    assert read(fetched) == {"": b"content"}


def test_what_may_pass_is_tried_again_and_in_the_end_the_step_ends_with_argos_init_error(allow: Allow) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(status=503)) as served:
        allow(served)
        task = open_leaf(run, {"http": {"url": served.url}})
        for turn in range(TRIES_MAX):
            assert Fetch.objects.get().state == "planned"
            assert Performer().turn() == 1
            fetch = Fetch.objects.get()
            if turn < TRIES_MAX - 1:
                assert fetch.not_before_ms > clock.now_ms()
                assert Performer().turn() == 0
                assert "503" in task_why(task).sentence
            due_now()
        assert (fetch.state, fetch.tries) == ("failed", TRIES_MAX)
    task.refresh_from_db()
    assert task.state == "queued"
    task = ended(task)
    assert (task.state, task.outcome["kind"]) == ("failed", "input_error")
    assert "artifact data failed to load: the artifact at" in task.outcome["error"]
    assert "503" in task.outcome["error"]


def test_a_source_whose_bytes_were_cleared_since_is_fetched_anew_by_a_retry(allow: Allow) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(b"content")) as served:
        allow(served)
        open_leaf(run, {"http": {"url": served.url}})
        Performer().turn()
        Artifact.objects.all().delete()  # as retention does
        memory_clear()
        task = open_leaf(run, {"http": {"url": served.url}}, generation=1)
        assert (task.state, task.waiting_for) == ("blocked", ["fetch"])
        Performer().turn()
    task.refresh_from_db()
    assert (task.state, read(task)) == ("queued", {"": b"content"})


def test_a_failed_fetch_is_tried_anew_by_the_next_attempt_of_the_step(allow: Allow) -> None:
    run = make_run(make_project())
    status = iter([404, 200])
    with web(lambda asked: Reply(b"late", status=next(status))) as served:
        allow(served)
        artifact = {"http": {"url": served.url}}
        first = open_leaf(run, artifact)
        Performer().turn()
        assert ended(first).state == "failed"
        second = open_leaf(run, artifact, generation=1)
        assert second.state == "blocked"
        Performer().turn()
        second.refresh_from_db()
        assert read(second) == {"": b"late"}


def test_an_optional_one_that_cannot_be_had_is_absent(allow: Allow) -> None:
    run = make_run(make_project())
    task = open_leaf(run, {"http": {"url": "http://10.0.0.1/x"}}, optional=True)
    Performer().turn()
    task.refresh_from_db()
    inputs = inputs_of(task.project_id, spec_of(task.spec))
    assert (task.state, inputs.problems, inputs.artifacts) == ("queued", [], {})


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/", "http://2130706433/", "ftp://x/"]
)
def test_the_guard_ends_it_at_once(allow: Allow, url: str) -> None:
    task = open_leaf(make_run(make_project()), {"http": {"url": url}})
    Performer().turn()
    assert Fetch.objects.get().state == "failed"
    assert Fetch.objects.get().tries == 1
    assert ended(task).state == "failed"


def test_a_silent_holders_fetch_is_taken_up_and_its_late_result_counts_for_nothing(allow: Allow) -> None:
    run = make_run(make_project())
    open_leaf(run, {"http": {"url": "http://10.0.0.1/x"}})
    now = clock.now_ms()
    lost = fetch_take(holder="lost", at_ms=now)
    assert lost is not None
    assert fetch_take(holder="other", at_ms=now + 1) is None
    fetches_hold(holder="lost", ids=[lost.pk], at_ms=now + 15_000)
    assert fetch_take(holder="other", at_ms=now + 21_000) is None
    again = fetch_take(holder="other", at_ms=now + 200_000)
    assert again is not None
    assert again.tries == 2
    from fubini.datasets.fetches import fetch_verified

    assert not fetch_verified(fetch=lost, entries=[], provenance={}, at_ms=now + 200_001)
    assert not Artifact.objects.exists()


def test_a_worker_killed_as_it_records_a_fetch_leaves_no_step_that_waits_for_nothing(
    allow: Allow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web(lambda asked: Reply(b"content")) as served:
        allow(served)
        task = open_leaf(make_run(make_project()), {"http": {"url": served.url}})

        def killed(*_: Any, **__: Any) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr(performer, "remote_release", killed)
        with pytest.raises(KeyboardInterrupt):
            Performer().turn()
        monkeypatch.undo()
        Fetch.objects.update(held_until_ms=0)
        Performer().turn()
    task.refresh_from_db()
    assert (task.state, read(task)) == ("queued", {"": b"content"})


def test_a_source_that_ends_whoever_fetches_it_is_given_up(allow: Allow) -> None:
    with web(lambda asked: Reply(b"content")) as served:
        allow(served)
        task = open_leaf(make_run(make_project()), {"http": {"url": served.url}})
        for n in range(TAKES_MAX):
            assert fetch_take(holder=f"killed{n}", at_ms=clock.now_ms()) is not None
            Fetch.objects.update(held_until_ms=1)
        Performer().turn()
        assert served.asked == []
    assert f"{TAKES_MAX} workers" in Fetch.objects.get().error
    task.refresh_from_db()
    assert (Fetch.objects.get().state, task.state) == ("failed", "queued")


def tar_of(files: dict[str, bytes], *, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o750
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return out.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


TAR = tar_of({"./top/a.txt": b"A", "./top/b/c": b"C"})


@pytest.mark.parametrize(
    ("body", "archive", "want"),
    [
        (TAR, {}, {"a.txt": b"A", "b/c": b"C"}),
        (TAR, {"archive": {"none": {}}}, {"": TAR}),
        (tar_of({"a": b"1", "b": b"2"}, link="c"), {"archive": {"tar": {}}}, {"a": b"1", "b": b"2"}),
        (tar_of({"only.txt": b"1"}), {}, {"": b"1"}),
        (zip_of({"d/x": b"1", "d/y": b"2"}), {"archive": {"zip": {}}}, {"x": b"1", "y": b"2"}),
        (b"\x1f\x8bnot a tar", {}, {"": b"\x1f\x8bnot a tar"}),
    ],
    ids=["a gzipped tar", "kept whole", "a link left out", "one file", "a zip", "only looks like one"],
)
def test_archives_are_unpacked_as_argo_does(
    allow: Allow, body: bytes, archive: dict[str, Any], want: dict[str, bytes]
) -> None:
    with web(lambda asked: Reply(body)) as served:
        allow(served)
        task = open_leaf(make_run(make_project()), {"http": {"url": served.url}, **archive})
        Performer().turn()
    assert read(task) == want


@pytest.mark.parametrize(
    "body", [tar_of({"../x": b"1"}), tar_of({"/etc/x": b"1", "b": b"2"}), tar_of({"a": b"0" * 3_000_000}), TAR[:60] + b"\0" * 40],
    ids=["climbing", "absolute", "a bomb", "broken"],
)  # fmt: skip
def test_an_archive_that_would_do_harm_is_an_error(allow: Allow, body: bytes) -> None:
    with web(lambda asked: Reply(body)) as served:
        allow(served, REMOTE_MAX_BYTES=1_000_000)
        open_leaf(make_run(make_project()), {"http": {"url": served.url}, "archive": {"tar": {}}})
        Performer().turn()
    assert Fetch.objects.get().state == "failed"
    assert not Artifact.objects.exists()


def test_credentials_come_from_the_projects_secrets_and_are_kept_nowhere(allow: Allow, tmp_path: Path) -> None:
    project = make_project()
    secret_set(project=project, name="web", values={"user": b"ada", "pass": b"canary-of-the-web\n"}, actor="test")
    with web(lambda asked: Reply(b"private" if asked.headers.get("authorization") else b"", status=200)) as served:
        allow(served)
        basic = {"usernameSecret": {"name": "web", "key": "user"}, "passwordSecret": {"name": "web", "key": "pass"}}
        task = open_leaf(make_run(project), {"http": {"url": served.url, "auth": {"basicAuth": basic}}})
        Performer().turn()
        assert served.asked[0].headers["authorization"] == "Basic YWRhOmNhbmFyeS1vZi10aGUtd2Vi"
    assert read(task) == {"": b"private"}
    assert list(tables_with(["canary-of-the-web"])) == []
    assert files_with(tmp_path, "canary-of-the-web") == []


def test_a_missing_secret_ends_it_with_its_name(allow: Allow) -> None:
    secret = {"name": "nix", "key": "k"}
    task = open_leaf(
        make_run(make_project()),
        {"s3": {"bucket": "b", "key": "k", "accessKeySecret": secret, "secretKeySecret": secret}},
    )
    Performer().turn()
    assert "the project has no secret 'nix'" in ended(task).outcome["error"]


def test_an_object_or_all_below_a_prefix_comes_from_s3(allow: Allow) -> None:
    def answer(asked: Asked) -> Reply:
        if "list-type=2" in asked.path:
            return Reply(b"<r><Contents><Key>run/a</Key></Contents><Contents><Key>run/b/c</Key></Contents></r>")
        there = {"/data/one": b"1", "/data/run/a": b"A", "/data/run/b/c": b"C"}
        body = there.get(asked.path)
        return Reply(status=404) if body is None else Reply(body, headers={"x-amz-version-id": "v7", "ETag": '"e"'})

    project = make_project()
    secret_set(project=project, name="s3", values={"a": b"AKIA", "s": b"canary-s3-key"}, actor="test")
    run = make_run(project)
    keys = {"accessKeySecret": {"name": "s3", "key": "a"}, "secretKeySecret": {"name": "s3", "key": "s"}}
    with web(answer) as served:
        allow(served)
        place = {"endpoint": served.allow, "bucket": "data", "insecure": True, **keys}
        one = open_leaf(run, {"s3": {**place, "key": "one"}}, "n1")
        many = open_leaf(run, {"s3": {**place, "key": "run"}}, "n2")
        Performer().turn()
        assert all("AWS4-HMAC-SHA256 Credential=AKIA/" in a.headers["authorization"] for a in served.asked)
    assert read(one) == {"": b"1"}
    assert read(many) == {"a": b"A", "b/c": b"C"}
    provenance = Artifact.objects.get(key=Fetch.objects.get(name="data", source__key="one").key).provenance
    assert provenance is not None
    assert provenance["revision"] == {"etag": '"e"', "version_id": "v7"}
    assert list(tables_with(["canary-s3-key"])) == []


def test_one_projects_slow_sources_leave_room_for_the_others(allow: Allow) -> None:
    first, second = make_run(make_project()), make_run(make_project())
    for number in range(3):
        open_leaf(first, {"http": {"url": f"http://10.0.0.1/{number}"}}, f"n{number}")
    open_leaf(second, {"http": {"url": "http://10.0.0.1/x"}})
    now = clock.now_ms()
    taken = [fetch_take(holder="me", at_ms=now) for _ in range(4)]
    assert [f.run_id if f else None for f in taken] == [first.pk, first.pk, second.pk, None]


def test_a_revision_comes_from_git_and_what_a_killed_worker_left_is_removed(
    allow: Allow, tmp_path: Path, settings: Any
) -> None:
    work = tmp_path / "repo"
    work.mkdir()
    (work / "a.txt").write_text("from git")
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *args], cwd=work, env=ENV, check=True)
    settings.FUBINI = {**settings.FUBINI, "REMOTE": {"schemes": ["https", "file"]}}
    task = open_leaf(make_run(make_project()), {"git": {"repo": f"file://{work}", "revision": "main", "depth": 1}})
    Performer().turn()
    assert read(task) == {"a.txt": b"from git"}
    provenance = Artifact.objects.get().provenance
    assert provenance is not None
    assert len(provenance["revision"]["commit"]) == 40
    scratch = settings.FUBINI_HOME / "scratch"
    assert list(scratch.iterdir()) == []
    (scratch / "git-old").mkdir()
    (scratch / "git-new").mkdir()
    os.utime(scratch / "git-old", (1, 1))
    scratch_sweep()
    assert [p.name for p in scratch.iterdir()] == ["git-new"]
