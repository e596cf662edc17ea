"""Builders of rows for tests: a project with money, a site with an agent, tasks in any state, through the services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from fubini.accounts.models import User
from fubini.common import clock
from fubini.common.ids import new_id
from fubini.ledger.services import HoldRequest, account_topup, holds_place
from fubini.projects.models import Membership, Project
from fubini.runs.codec import to_json
from fubini.runs.engine import TaskSpec
from fubini.runs.models import Attempt, Lease, Run, RunManifest, Task
from fubini.runs.transitions import attempts_create, tasks_create, tasks_move
from fubini.sites.models import Agent, NodeGroup, Pool, Price, Site


@dataclass
class Place:
    site: Site
    group: NodeGroup
    pool: Pool
    agent: Agent
    price: Price


def make_user(name: str = "", **more: Any) -> User:
    name = name or f"u{new_id()[-8:]}"
    return User.objects.create_user(username=name, password="a long password", **more)


def make_project(slug: str = "", *, budget_micros: int = 10_000_000, owner: User | None = None) -> Project:
    project = Project.objects.create(slug=slug or f"p{new_id()[-8:]}")
    if owner is not None:
        Membership.objects.create(project=project, user=owner, role="owner")
    if budget_micros:
        account_topup(project_id=project.pk, amount_micros=budget_micros, actor="test", key=new_id())
    return project


def make_place(
    name: str = "lab", *, cpu_millis: int = 4000, core_hour_micros: int = 3_600_000, preference: int = 10
) -> Place:
    """A site with one node group, pool and agent that synced just now; a core costs 1,000 micros a second."""
    site = Site.objects.create(name=name, preference=preference)
    group = NodeGroup.objects.create(site=site, name=name, cpu_millis=cpu_millis, memory_bytes=1 << 34)
    pool = Pool.objects.create(site=site, name=name)
    agent = Agent.objects.create(
        site=site,
        name=name,
        credential_prefix=new_id()[-10:],
        credential_digest="0" * 64,
        private_root=True,
        last_sync_at=clock.now(),
    )
    pool.node_groups.add(group)
    pool.agents.add(agent)
    price = Price.objects.create(pool=pool, version=1, valid_from=clock.now(), core_hour_micros=core_hour_micros)
    return Place(site, group, pool, agent, price)


def make_run(project: Project, **more: Any) -> Run:
    last = Run.objects.order_by("-job_number").first()
    values: dict[str, Any] = {
        "name": f"run-{new_id()[-6:]}",
        "job_number": (last.job_number if last else 0) + 1,
        "submitted_by": "user:test",
        "created_at_ms": clock.now_ms(),
        "state": "running",
        "phase": "Running",
        "engine_version": 1,
    }
    run = Run.objects.create(project=project, **(values | more))
    RunManifest.objects.create(run=run, text="", document={})
    return run


def make_task(run: Run, node_id: str = "", *, spec: TaskSpec | None = None, **more: Any) -> Task:
    spec = spec or TaskSpec(template="work", image="busybox", argv=("true",))
    task = Task(
        run=run,
        project_id=run.project_id,
        node_id=node_id or new_id()[-8:],
        template=spec.template,
        spec=to_json(spec),
        submitted_by=run.submitted_by,
        queued_at_ms=clock.now_ms(),
        **more,
    )
    tasks_create([task], at_ms=clock.now_ms())
    return task


@transaction.atomic
def make_attempt(task: Task, place: Place, *, hold_micros: int = 100_000, age_ms: int = 0) -> Attempt:
    """Lease a queued task to the place's agent, as dispatch does; `age_ms` ago."""
    at_ms = clock.now_ms() - age_ms
    attempt_id = new_id()
    granted = holds_place(
        [HoldRequest(attempt_id, task.project_id, task.run_id, place.site.pk, place.pool.pk, hold_micros)], at_ms=at_ms
    )
    assert granted, "the project's budget is too small for the test"
    task.fence += 1
    tasks_move([task], "placed", at_ms=at_ms, fields=["fence"])
    attempt = Attempt(
        id=attempt_id,
        task=task,
        run_id=task.run_id,
        project_id=task.project_id,
        number=task.fence,
        fence=task.fence,
        site=place.site,
        agent=place.agent,
        pool=place.pool,
        node_group=place.group,
        cpu_millis=1000,
        memory_bytes=0,
        walltime_s=100,
        rates={"core_hour_micros": place.price.core_hour_micros},
        leased_at_ms=at_ms,
    )
    attempt.rates = {"core_hour_micros": place.price.core_hour_micros}
    lease = Lease(
        id=attempt_id,
        run_id=task.run_id,
        agent_id=place.agent.pk,
        fence=task.fence,
        granted_at_ms=at_ms,
        expires_at_ms=at_ms + 30_000,
    )
    attempts_create([attempt], [lease], held_micros={attempt_id: hold_micros}, at_ms=at_ms)
    Run.objects.filter(pk=task.run_id).update(held_micros=hold_micros)
    return attempt
