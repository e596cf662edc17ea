"""All sites at once: their states, who may look, and that only a site with nothing left goes."""

from __future__ import annotations

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.datasets.models import Replica
from fubini.pages.estate import site_state
from fubini.runs.models import Attempt
from fubini.sites.models import Agent, Price, Site
from tests.support.rest import Api, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db
OPEN, SHUT, DRAIN, NODES = (False, False, 0), (True, False, 0), (True, True, 0), (False, False, 2)


@pytest.fixture
def admin() -> Api:
    return api_of(make_admin())


@pytest.mark.parametrize(
    ("pools", "agents", "running", "want"),
    [
        pytest.param([], [], 0, "empty", id="nobody joined"),
        pytest.param([OPEN], [True, True], 3, "silent", id="all agents are silent"),
        pytest.param([OPEN], [True, False], 0, "open", id="one of them is heard"),
        pytest.param([SHUT], [False], 4, "cordoned", id="all pools are cordoned"),
        pytest.param([DRAIN, SHUT], [False], 4, "draining", id="steps still run"),
        pytest.param([DRAIN], [False], 0, "drained", id="none runs any more"),
        pytest.param([SHUT, OPEN], [False], 0, "partly", id="one pool of two"),
        pytest.param([NODES], [False], 0, "partly", id="some nodes"),
        pytest.param([], [False], 0, "open", id="no pool yet"),
    ],
)
def test_a_sites_state(pools: list[tuple[bool, bool, int]], agents: list[bool], running: int, want: str) -> None:
    assert site_state(pools=pools, agents=agents, running=running) == want


def test_an_administrator_sees_every_site_with_agents_and_what_runs(admin: Api) -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    make_attempt(make_task(make_run(house.project)), place)
    place.pool.projects.add(house.project)
    place.site.owners.add(house.users["member"])
    admin.post(f"sites/{place.site.name}/join-tokens", {})
    Site.objects.create(name="bare", preference=900)
    first, second = admin.get("admin/sites").json()["results"]
    (agent,), (pool,) = first["agents"], first["pools"]
    assert (first["name"], first["state"], first["running"], first["open_tokens"]) == ("lab", "open", 1, 1)
    assert (agent["running"], agent["leases"], agent["silent"], agent["revoked_ms"]) == (1, 1, False, None)
    assert (pool["projects"], pool["running"], pool["nodes"]) == ([house.project.slug], 1, 1)
    assert (first["owners"], first["kept_by"]) == ([house.users["member"].username], ["agents", "running", "history"])
    assert (second["state"], second["kept_by"]) == ("empty", [])
    Agent.objects.update(last_sync_at=clock.from_ms(clock.now_ms() - 3_600_000))
    assert admin.get("admin/sites?search=la").json()["results"][0]["state"] == "silent"
    for who in ("owner", "member"):  # of a project; of the site
        problem_of(house.api[who].get("admin/sites"), 403)
        problem_of(house.api[who].delete("admin/sites/lab"), 403)
    problem_of(make_house().api["owner"].delete("admin/sites/lab"), 404)


def test_a_whole_site_is_stopped_and_opened_by_who_runs_it(admin: Api) -> None:
    house, place = make_house(), make_place()
    problem_of(house.api["member"].post("sites/lab/cordon", {"reason": "x"}), 403)
    place.site.owners.add(house.users["member"])
    assert house.api["member"].post("sites/lab/cordon", {"reason": "cooling", "grace_s": 60}).status_code == 200
    (site,) = admin.get("admin/sites").json()["results"]
    assert (site["state"], site["pools"][0]["paused_reason"]) == ("drained", "cooling")
    assert house.api["member"].delete("sites/lab/cordon").status_code == 200
    assert admin.get("admin/sites").json()["results"][0]["state"] == "open"
    Site.objects.create(name="bare")
    problem_of(admin.post("sites/bare/cordon", {"reason": "x"}), 422)
    assert list(AuditEntry.objects.filter(target__startswith="site:").values_list("action", flat=True)) == [
        "site.drain", "site.uncordon",
    ]  # fmt: skip


def test_only_a_site_with_nothing_left_is_removed(admin: Api) -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    attempt = make_attempt(make_task(make_run(house.project)), place)
    Replica.objects.create(site_id=place.site.pk, digest="ab" * 32, size_bytes=1)

    def left() -> list[str]:
        return list(problem_of(admin.delete("admin/sites/lab"), 409)["found"])

    assert left() == ["agents", "running", "history", "data"]
    Attempt.objects.filter(pk=attempt.pk).update(state="succeeded")
    admin.delete(f"agents/{place.agent.pk}")
    assert left() == ["history", "data"]
    attempt.delete()
    Replica.objects.all().delete()
    assert admin.delete("admin/sites/lab").status_code == 204
    assert not Site.objects.exists() and not Agent.objects.exists() and not Price.objects.exists()
    entry = AuditEntry.objects.get(action="site.delete")
    assert (entry.target, entry.data) == (f"site:{place.site.pk}", {"name": "lab", "pools": ["lab"]})
