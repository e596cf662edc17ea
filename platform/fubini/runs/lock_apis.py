"""Locks, sizes of semaphores and memoization caches of a project over REST."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.common.errors import NotFound
from fubini.common.saying import told
from fubini.projects.authorize import allows, project_get
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.runs import memos, sizes
from fubini.runs.locks import lock_break
from fubini.runs.lockviews import board_of, lock_view, lock_words, locks_of
from fubini.runs.selectors import run_get

BOARD_LOCKS: Final = 100
BOARD_PARTIES: Final = 20
MAY: Final = {"break": "lock.break", "size": "config.write"}


class LockFilter(QuerySerializer):
    used = serializers.BooleanField(required=False, help_text="Only locks that somebody holds or waits for.")


class LockOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.SerializerMethodField(help_text="As people say it: mutex beam, semaphore limits/licences.")
    kind = serializers.ChoiceField(choices=["Mutex", "ConfigMap", "Database"])
    semaphore = serializers.BooleanField()
    resource = serializers.CharField(help_text="The mutex, the ConfigMap, or the database semaphore's key.")
    key = serializers.CharField(help_text="The key in the ConfigMap.")
    size = serializers.SerializerMethodField(help_text="How many may hold it; null where that was never to be read.")
    held = serializers.IntegerField()
    waiting = serializers.IntegerField()

    def get_name(self, row: Any) -> str:
        return told(lock_words(row))

    def get_size(self, row: Any) -> int | None:
        return row.size if row.semaphore else 1


class PartyOut(ReplySerializer):
    run_id = serializers.CharField()
    run_name = serializers.CharField()
    node_id = serializers.CharField(help_text="Empty: the run itself.")
    node_name = serializers.CharField()
    priority = serializers.IntegerField()
    asked_at_ms = serializers.IntegerField()
    held_at_ms = serializers.IntegerField(allow_null=True)


class LockDetail(LockOut):
    holders = PartyOut(many=True, help_text="At most 100, the first to have it first.")
    waiters = PartyOut(many=True, help_text="At most 100, the next to have it first.")


class LockBreak(BodySerializer):
    run = serializers.CharField(max_length=32, help_text="The run that holds it, by id.")
    node = serializers.CharField(
        max_length=200, allow_blank=True, help_text="Its step, by node id; empty: the run itself."
    )


class SharedOut(ReplySerializer):
    """What the page of a project's locks shows."""

    may_break = serializers.BooleanField()
    may_size = serializers.BooleanField(help_text="May sizes of database semaphores be set?")
    locks = LockDetail(many=True, help_text="In use, or with a size of their own; most waited for first; at most 100.")
    more = serializers.BooleanField(help_text="There are more than those shown.")


class SizeSet(BodySerializer):
    size = serializers.IntegerField(min_value=1, max_value=sizes.SIZE_MAX)


class CacheOut(ReplySerializer):
    name = serializers.CharField()
    entries = serializers.IntegerField()
    hits = serializers.IntegerField()
    oldest_at_ms = serializers.IntegerField()
    hit_at_ms = serializers.IntegerField(help_text="When an entry was last found or made.")


class EntryOut(ReplySerializer):
    id = serializers.CharField()
    key = serializers.CharField()
    outputs = serializers.JSONField()
    run_id = serializers.CharField()
    node_id = serializers.CharField()
    created_at_ms = serializers.IntegerField()
    hit_at_ms = serializers.IntegerField()
    hits = serializers.IntegerField()


class EntryFilter(QuerySerializer):
    key = serializers.CharField(required=False, max_length=memos.KEY_MAX, help_text="Only this key.")


class DroppedOut(ReplySerializer):
    name = serializers.CharField()
    entries = serializers.IntegerField(help_text="How many went.")


class LockViews(ApiViews):
    """``/projects/{ref}/locks``."""

    @operation("Locks of a project's runs.", query=LockFilter, reply=LockOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        rows = locks_of(project_get(self.principal, ref, "run.read").pk)
        if self.params.get("used"):
            rows = rows.filter(claims__isnull=False).distinct()
        return self.page(rows, ("resource", "key", "id"))

    @operation("Who holds a lock and who waits for it.", reply=LockDetail)
    def retrieve(self, request: Request, ref: str, lock: str) -> Response:
        row: Any = locks_of(project_get(self.principal, ref, "run.read").pk).filter(pk=lock).first()
        if row is None:
            raise NotFound("The project has no such lock.", next_step="List them: fubini lock list.")
        found = lock_view(row)
        row.holders, row.waiters = found.holders, found.waiters
        return self.reply(row)

    @operation("Take a lock from who holds it; who is next gets it.", body=LockBreak, reply=LockDetail)
    def take(self, request: Request, ref: str, lock: str) -> Response:
        """The holder is not stopped: two may be at work at what the lock was to keep apart. The trail says who did it."""
        project = project_get(self.principal, ref, "lock.break")
        row: Any = locks_of(project.pk).select_related("project").filter(pk=lock).first()
        if row is None:
            raise NotFound("The project has no such lock.", next_step="List them: fubini lock list.")
        run = run_get([project.pk], self.body["run"])
        if run is None:
            raise NotFound("The project has no such run.")
        lock_break(lock=row, run=run, node_id=self.body["node"], actor=self.principal.actor, at_ms=clock.now_ms())
        return self.retrieve(request, ref, lock)


class SharedViews(ApiViews):
    """``/projects/{ref}/shared``."""

    @operation("The page of a project's locks: who holds, who waits, since when.", reply=SharedOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project: Any = project_get(self.principal, ref, "run.read")
        board, more = board_of(project.pk, most=BOARD_LOCKS, parties=BOARD_PARTIES)
        rows: list[Any] = []
        for view in board:
            row: Any = view.lock
            row.holders, row.waiters = view.holders, view.waiters
            rows.append(row)
        may = {f"may_{name}": allows(project.my_role, what) for name, what in MAY.items()}
        return self.reply({"locks": rows, "more": more, **may})


class SemaphoreViews(ApiViews):
    """``/projects/{ref}/semaphores/{key}``: sizes of the database form; the others' stand in ConfigMaps."""

    @operation("Set how many may hold a database semaphore.", body=SizeSet, reply=LockOut)
    def put(self, request: Request, ref: str, key: str) -> Response:
        project = project_get(self.principal, ref, "config.write")
        lock = sizes.semaphore_size_set(project=project, key=key, size=self.body["size"], actor=self.principal.actor)
        return self.reply(locks_of(project.pk).get(pk=lock.pk))

    @operation("Forget a database semaphore's size.", status=204)
    def destroy(self, request: Request, ref: str, key: str) -> Response:
        """Whoever asks for it from now on is refused; who holds it or waits is not touched."""
        project = project_get(self.principal, ref, "config.write")
        sizes.semaphore_size_drop(project=project, key=key, actor=self.principal.actor)
        return self.reply()


class CacheViews(ApiViews):
    """``/projects/{ref}/caches``."""

    @operation("A project's memoization caches.", reply=CacheOut, many=True, paged=False)
    def list(self, request: Request, ref: str) -> Response:
        return self.reply(memos.caches_of(project_get(self.principal, ref, "run.read").pk))

    @operation(
        "Entries of a cache, the newest first.",
        query=EntryFilter,
        reply=EntryOut,
        many=True,
        operation_id="projects_caches_entries",
    )
    def retrieve(self, request: Request, ref: str, cache: str) -> Response:
        rows = memos.entries_of(project_get(self.principal, ref, "run.read").pk, cache)
        if "key" in self.params:
            rows = rows.filter(key=self.params["key"])
        return self.page(rows, ("-created_at_ms", "-id"))

    @operation("Drop a cache, or one key of it.", query=EntryFilter, reply=DroppedOut)
    def destroy(self, request: Request, ref: str, cache: str) -> Response:
        """Runs that found entries keep their outputs; files that nothing else names go with the next clearing."""
        project = project_get(self.principal, ref, "config.write")
        count = memos.cache_drop(project=project, cache=cache, key=self.params.get("key"), actor=self.principal.actor)
        return self.reply({"name": cache, "entries": count})
