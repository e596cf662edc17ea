"""What a new installation starts with: an administrator, a project with money, three local sites.

Runs at every `up` and changes only what is missing: what people have changed since (prices, budgets, names) stays. Two
things are made anew when they were lost: the administrator's token file, and the join of an agent whose credential is
gone.
"""

from __future__ import annotations

import secrets
from typing import Any

from fubini.common import seeded
from fubini.common.home import Home, write_private
from fubini.supervisor import agents
from fubini.supervisor.localsites import LocalSite, cores, local_sites

ADMIN = "admin"
ACTOR = "system"
PROJECT = "demo"
FIRST_BUDGET_MICROS = 20_000_000
JOIN_TTL_S = 3600


def bootstrap(home: Home, *, sites: bool) -> dict[str, Any]:
    """Make what is missing; what the supervisor has to know (agents to start, sentences to say)."""
    said: list[str] = []
    user = _administrator(home, said)
    _project(user, said)
    if not sites:
        return {"agents": [], "said": said}
    for place in local_sites():
        _site(place)
        agents.site_file_write(home, place)
        _join_token(home, place)
    return {"agents": [place.name for place in local_sites()], "said": said, "cores": cores()}


def _administrator(home: Home, said: list[str]) -> Any:
    """The first person, with a password made here, and a token for the CLI on this machine."""
    from fubini.accounts.models import Token, User
    from fubini.accounts.tokens import digest_of, token_create

    user = User.objects.filter(username=ADMIN).first()
    if user is None:
        password = secrets.token_urlsafe(12)
        user = User.objects.create_superuser(username=ADMIN, email="", password=password)
        write_private(home.password, password + "\n")
        said.append(f"made the administrator {ADMIN!r}; the password is in {home.password}")
    try:
        text = home.token.read_text(encoding="utf-8").strip()
    except OSError:
        text = ""
    if not text or not Token.objects.filter(digest=digest_of(text), revoked_at=None).exists():
        _, text = token_create(
            name=seeded.TOKEN, scopes=["read", "write", "admin"], created_by=ACTOR, user=user, actor=f"user:{ADMIN}"
        )
        write_private(home.token, text + "\n")
    return user


def _project(user: Any, said: list[str]) -> None:
    """A project to try things in, with a first budget; made once."""
    from fubini.ledger.accounting import books
    from fubini.ledger.services import account_topup, accounts_open
    from fubini.projects.models import Membership, Project, Role

    if Project.objects.exists():
        return
    project = Project.objects.create(slug=PROJECT, title=seeded.PROJECT, created_by=ACTOR)
    Membership.objects.create(project=project, user=user, role=Role.OWNER)
    accounts_open(project.pk)
    account_topup(
        project_id=project.pk,
        amount_micros=FIRST_BUDGET_MICROS,
        actor=ACTOR,
        key=f"topup:first:{project.pk}",
        note="The first budget of a new installation",
    )
    said.append(f"made the project {PROJECT!r} with a budget of {books().money(FIRST_BUDGET_MICROS)}")


def _site(place: LocalSite) -> None:
    """The site, its pool and its first price; limits and prices set by people later are left alone."""
    from fubini.sites.models import Pool, Price, Site
    from fubini.sites.prices import price_set
    from fubini.sites.services import pool_create, site_create

    site = Site.objects.filter(name=place.name).first()
    if site is None:
        site = site_create(
            name=place.name, actor=ACTOR, title=place.title, region=place.region, preference=place.preference
        )
    pool = Pool.objects.filter(site=site, name=place.pool).first()
    if pool is None:
        pool = pool_create(
            site=site,
            name=place.pool,
            actor=ACTOR,
            kind=place.kind,
            max_running=place.max_running,
            max_walltime_s=place.max_walltime_s,
            labels=place.labels,
        )
    if not Price.objects.filter(pool=pool).exists():
        price_set(
            pool=pool,
            actor=ACTOR,
            core_hour_micros=place.core_hour_micros,
            device_hour_micros=place.device_hour_micros,
            start_micros=place.start_micros,
            egress_gib_micros=place.egress_gib_micros,
        )


def _join_token(home: Home, place: LocalSite) -> None:
    """A one-use token for an agent that has no credential the platform still honours."""
    from fubini.sites.models import Agent, Site
    from fubini.sites.services import join_token_create

    known = Agent.objects.filter(site__name=place.name, name=place.name, revoked_at=None).exists()
    if known and agents.joined(home, place.name):
        return
    agents.forget_join(home, place.name)
    _, text = join_token_create(site=Site.objects.get(name=place.name), actor=ACTOR, ttl_s=JOIN_TTL_S)
    write_private(agents.join_token_file(home, place.name), text + "\n")
