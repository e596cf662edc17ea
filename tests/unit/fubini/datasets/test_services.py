"""Datasets, artifacts, replicas, transfers and the collector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fubini.common.errors import Conflict, Invalid
from fubini.datasets.errors import BlobMissing, EntriesInvalid
from fubini.datasets.models import Artifact, Blob, Replica, Transfer
from fubini.datasets.selectors import (
    DataNotFound,
    artifact_resolve,
    artifacts_resolve,
    claim_key,
    claims_known,
    replica_sites,
)
from fubini.datasets.services import (
    ArtifactDraft,
    TransferDraft,
    TransferEnd,
    artifacts_delete,
    artifacts_record,
    blobs_collect_garbage,
    dataset_create,
    dataset_delete,
    dataset_import,
    replicas_apply,
    transfers_finish,
    transfers_plan,
)
from fubini.datasets.store import Store
from fubini.projects.models import Project
from tests.support.rows import make_project

Keep = Callable[..., dict[str, Any]]


def draft(
    project: Project, entries: list[Any], name: str = "out", attempt_id: str = "a" * 32, run: str = ""
) -> ArtifactDraft:
    run_id = run or "b" * 32
    return ArtifactDraft(
        project_id=project.pk, run_id=run_id, node_id="n-1", generation=0, name=name, attempt_id=attempt_id,
        entries=entries, key=f"{run_id}/n-1/0/{name}",
    )  # fmt: skip


def test_importing_the_same_files_again_gives_the_same_version(project: Project, keep: Keep) -> None:
    one, two = keep(b"one", "a"), keep(b"two", "b")
    first, created = dataset_import(project=project, name="methanol", entries=[one, two], actor="t")
    again, created_again = dataset_import(project=project, name="methanol", entries=[two, one], actor="t")
    third, _ = dataset_import(project=project, name="methanol", entries=[one], actor="t")
    assert (created, created_again) == (True, False)
    assert (first.number, again.pk, third.number) == (1, first.pk, 2)
    assert first.size_bytes == 6 and first.files == 2


def test_files_that_were_not_uploaded_to_this_project_cannot_be_imported(project: Project, keep: Keep) -> None:
    foreign = keep(b"theirs", "x", owner=make_project(budget_micros=0))
    with pytest.raises(BlobMissing) as caught:
        dataset_import(project=project, name="stolen", entries=[foreign, keep(b"mine", "y")], actor="t")
    assert [e["path"] for e in caught.value.errors] == ["x"]


def test_a_declared_size_that_is_not_the_blobs_is_refused(project: Project, keep: Keep) -> None:
    with pytest.raises(BlobMissing, match="1 of 1"):
        dataset_import(project=project, name="d", entries=[{**keep(b"abc", "a"), "size": 4}], actor="t")


def test_an_empty_import_and_a_bad_name_say_what_to_do(project: Project, keep: Keep) -> None:
    with pytest.raises(EntriesInvalid):
        dataset_import(project=project, name="d", entries=[], actor="t")
    for name in ("Bad", "-x", "x" * 64, "", "a_b", "methanol-v2"):
        with pytest.raises(Invalid) as caught:
            dataset_create(project=project, name=name, actor="t")
        assert caught.value.next_step
    dataset_create(project=project, name="d", actor="t")
    with pytest.raises(Conflict):
        dataset_create(project=project, name="d", actor="t")


def test_a_claim_names_a_version_or_the_newest(project: Project, keep: Keep) -> None:
    for data in (b"1", b"2"):
        dataset_import(project=project, name="methanol", entries=[keep(data, "f")], actor="t")
    assert claim_key(project.pk, "methanol") == "dataset/methanol@2"
    assert claim_key(project.pk, "methanol-v1") == "dataset/methanol@1"
    assert claims_known(project.pk, ["methanol", "methanol-v9", "other"]) == {"methanol": "dataset/methanol@2"}
    with pytest.raises(DataNotFound, match="no version 3; it has"):
        claim_key(project.pk, "methanol-v3")
    with pytest.raises(DataNotFound) as caught:
        claim_key(project.pk, "metanol")
    assert caught.value.data["nearest"] == "methanol"


def test_a_key_resolves_only_in_its_own_project(project: Project, keep: Keep) -> None:
    dataset_import(project=project, name="m", entries=[keep(b"1", "d/f"), keep(b"22", "g")], actor="t")
    found = artifact_resolve(project.pk, "dataset/m")
    assert (found.key, found.size_bytes) == ("dataset/m@1", 3)
    assert artifact_resolve(project.pk, "dataset/m@1", "d").entries[0]["path"] == "f"
    assert artifact_resolve(project.pk, "dataset/m-v1", "g").entries[0]["path"] == ""
    other = make_project(budget_micros=0)
    for key in ("dataset/m", "dataset/m@1"):
        with pytest.raises(DataNotFound):
            artifact_resolve(other.pk, key)
    with pytest.raises(DataNotFound) as caught:
        artifact_resolve(project.pk, "dataset/m", "d/ff")
    assert caught.value.data["nearest"] == "d/f"
    for key in ("dataset/m@2", "dataset/m@x", "dataset/", "dataset/m@99999999999999999999", "", "x/y"):
        with pytest.raises(DataNotFound):
            artifact_resolve(project.pk, key)


def test_artifacts_are_recorded_in_a_batch_and_each_bad_one_says_why(project: Project, keep: Keep) -> None:
    good, foreign = keep(b"ok", "f"), keep(b"theirs", owner=make_project(budget_micros=0))
    answers = artifacts_record(
        [
            draft(project, [good], "good"),
            draft(project, [foreign], "foreign"),
            draft(project, [{**good, "path": "../../x"}], "escape"),
            draft(project, [], "empty-directory"),
            draft(project, [good], "a/b"),
            draft(project, [{**good, "size": 3}], "lied"),
        ],
        at_ms=1,
    )
    assert [bool(a.error) for a in answers] == [False, True, True, False, True, True]
    assert "were not uploaded" in answers[1].error and "'..'" in answers[2].error
    assert sorted(Artifact.objects.values_list("name", flat=True)) == ["empty-directory", "good"]
    assert artifact_resolve(project.pk, answers[0].key).size_bytes == 2


def test_a_replayed_result_is_fine_and_a_key_is_never_reused(project: Project, keep: Keep) -> None:
    one, two = keep(b"one"), keep(b"two")
    assert not artifacts_record([draft(project, [one])], at_ms=1)[0].error
    assert not artifacts_record([draft(project, [one])], at_ms=2)[0].error
    assert artifacts_record([draft(project, [two])], at_ms=3)[0].error
    assert artifacts_record([draft(project, [one], attempt_id="c" * 32)], at_ms=3)[0].error
    twice = artifacts_record([draft(project, [one], "twin"), draft(project, [two], "twin")], at_ms=4)
    assert [bool(a.error) for a in twice] == [False, True]
    assert Artifact.objects.count() == 2


def test_a_batch_of_any_size_costs_the_same_few_queries(
    project: Project, keep: Keep, django_assert_max_num_queries: Any
) -> None:
    entry = keep(b"x")
    with django_assert_max_num_queries(3):
        artifacts_record([draft(project, [entry], f"n{n}") for n in range(200)], at_ms=1)
    keys = list(Artifact.objects.values_list("pk", flat=True))
    with django_assert_max_num_queries(1):
        assert len(artifacts_resolve(project.pk, keys)) == 200
    with django_assert_max_num_queries(0):
        artifacts_resolve(project.pk, keys)


def test_a_sites_picture_follows_its_reports(db: None) -> None:
    a, b, c = "a" * 64, "b" * 64, "c" * 64
    replicas_apply(site_id="s1", added=[(a, 10), (b, 20)])
    replicas_apply(site_id="s1", added=[(c, 5)], removed=[a])
    replicas_apply(site_id="s2", added=[(a, 10)], full=True)
    assert replica_sites([a, b, c, "d" * 64]) == {a: {"s2"}, b: {"s1"}, c: {"s1"}}
    replicas_apply(site_id="s1", added=[(a, 10)], full=True)
    assert set(Replica.objects.filter(site_id="s1").values_list("digest", flat=True)) == {a}
    replicas_apply(site_id="s1", added=[("../x", 1), (b, -1)], removed=["nonsense"])
    assert Replica.objects.filter(site_id="s1").count() == 1


def test_a_transfer_ends_once(db: None) -> None:
    plan = [TransferDraft("p", "r", "a1", "s", "in", 2, 100), TransferDraft("p", "r", "a2", "s", "in", 0, 0)]
    assert len(transfers_plan(plan, at_ms=1)) == 1
    assert transfers_finish([TransferEnd("a1", "in", size_bytes=90), TransferEnd("a1", "out")], at_ms=2) == 1
    assert transfers_finish([TransferEnd("a1", "in", "failed")], at_ms=3) == 0
    row = Transfer.objects.get()
    assert (row.state, row.size_bytes, row.ended_at_ms) == ("verified", 90, 2)


def test_the_collector_takes_what_nothing_names_and_nothing_else(project: Project, keep: Keep, store: Store) -> None:
    named, artifact, orphan = keep(b"dataset", "f"), keep(b"artifact"), keep(b"orphan")
    other = make_project(budget_micros=0)
    shared = keep(b"shared")
    keep(b"shared", owner=other)
    version, _ = dataset_import(project=project, name="d", entries=[named], actor="t")
    artifacts_record([draft(project, [artifact])], at_ms=1)
    artifacts_record([ArtifactDraft(other.pk, "f" * 32, "n", 0, "o", "a" * 32, [shared], "f" * 32 + "/n/0/o")], at_ms=1)
    assert blobs_collect_garbage().blobs == 0  # all is within the grace
    done = blobs_collect_garbage(grace_s=-5)
    assert (done.blobs, done.objects) == (2, 1)  # the orphan, and one project's row of the shared bytes
    assert store.size(orphan["sha256"]) is None
    assert all(store.verify(e["sha256"]) for e in (named, artifact, shared))
    assert not Blob.objects.filter(project_id=project.pk, digest=shared["sha256"]).exists()
    dataset_delete(dataset=version.dataset, actor="t")
    artifacts_delete(run_ids=["b" * 32])
    assert blobs_collect_garbage(grace_s=-5).objects == 2
    assert [s.digest for s in store.listing()] == [shared["sha256"]]


def test_events_tell_of_datasets(project: Project, keep: Keep) -> None:
    from fubini.events.models import Event

    dataset_import(project=project, name="d", entries=[keep(b"x", "f")], actor="user:ada")
    assert list(Event.objects.values_list("of_kind__kind", flat=True)) == ["dataset.created", "dataset.version"]
    assert Event.objects.first().project_id == project.pk  # type: ignore[union-attr]
