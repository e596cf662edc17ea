"""A join token becomes one agent, once; a credential is an agent's alone and can be ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fubini.common import clock
from fubini.common.errors import Conflict, Invalid, Unauthenticated
from fubini.sites import services
from fubini.sites.models import Agent, JoinToken, NodeGroup, Pool, Site
from fubini.sites.services import AgentOffer, agent_authenticate, agent_join

pytestmark = pytest.mark.django_db


def _site(name: str = "lab") -> Site:
    return services.site_create(name=name, actor="test")


def _token(site: Site) -> str:
    return services.join_token_create(site=site, actor="test")[1]


def _offer(name: str = "node-1", **more: Any) -> AgentOffer:
    values: dict[str, Any] = {
        "agent_name": name,
        "machine_id": "m1",
        "machine_cores": 8,
        "cpu_millis": 4000,
        "memory_bytes": 1 << 33,
        **more,
    }
    return AgentOffer(**values)


def test_a_join_makes_agent_node_group_and_pool() -> None:
    site = _site()
    joined = agent_join(
        token=_token(site), offer=_offer(devices={"nvidia.com/gpu": 2}, accelerator="gpu", max_walltime_s=60)
    )
    group = NodeGroup.objects.get()
    assert (group.cpu_millis, group.machine_cpu_millis, group.devices) == (4000, 8000, {"nvidia.com/gpu": 2})
    assert joined.pool.name == "node-1" and joined.pool.max_walltime_s == 60
    assert list(joined.pool.agents.all()) == [joined.agent]
    found = agent_authenticate(joined.credential)
    assert found is not None and found.pk == joined.agent.pk


def test_the_labels_name_the_pool_and_one_that_exists_keeps_its_limits() -> None:
    site = _site()
    pool = services.pool_create(site=site, name="batch", kind="queued", max_running=3, actor="test")
    joined = agent_join(token=_token(site), offer=_offer(labels={"fubini.dev/pool": "batch"}, max_walltime_s=60))
    assert joined.pool.pk == pool.pk
    pool.refresh_from_db()
    assert (pool.kind, pool.max_running, pool.max_walltime_s) == ("queued", 3, None)


@pytest.mark.parametrize("how", ["used", "expired", "revoked", "changed", "nonsense"])
def test_a_token_that_is_not_good_any_more_is_refused_with_the_same_words(how: str) -> None:
    site = _site()
    text = _token(site)
    if how == "used":
        agent_join(token=text, offer=_offer())
    elif how == "expired":
        JoinToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    elif how == "revoked":
        services.join_token_revoke(token=JoinToken.objects.get(), actor="test")
    elif how == "changed":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    else:
        text = "fub"
    with pytest.raises(Unauthenticated, match="unknown, used or expired"):
        agent_join(token=text, offer=_offer("node-2"))
    assert not Agent.objects.filter(name="node-2").exists()


def test_a_refused_join_leaves_the_token_good() -> None:
    site = _site()
    text = _token(site)
    with pytest.raises(Invalid):
        agent_join(token=text, offer=_offer(cpu_millis=0))
    assert agent_join(token=text, offer=_offer()).agent.name == "node-1"


def test_secrets_are_kept_as_hashes() -> None:
    site = _site()
    text = _token(site)
    credential = agent_join(token=text, offer=_offer()).credential
    stored = str(list(Agent.objects.values())) + str(list(JoinToken.objects.values()))
    assert text not in stored and credential not in stored


def test_joining_again_from_the_same_machine_renews_the_credential() -> None:
    site = _site()
    first = agent_join(token=_token(site), offer=_offer())
    second = agent_join(token=_token(site), offer=_offer(cpu_millis=2000))
    assert second.agent.pk == first.agent.pk
    assert agent_authenticate(first.credential) is None
    assert agent_authenticate(second.credential) is not None
    assert NodeGroup.objects.get().cpu_millis == 2000


def test_a_name_on_another_machine_is_taken_until_it_is_revoked() -> None:
    site = _site()
    first = agent_join(token=_token(site), offer=_offer())
    with pytest.raises(services.NameTaken):
        agent_join(token=_token(site), offer=_offer(machine_id="m2"))
    services.agent_revoke(agent=first.agent, actor="test")
    assert agent_authenticate(first.credential) is None
    assert agent_join(token=_token(site), offer=_offer(machine_id="m2")).agent.pk == first.agent.pk


def test_agents_share_a_pool_only_over_the_same_machines() -> None:
    site = _site()
    pool = {"fubini.dev/pool": "shared"}
    agent_join(token=_token(site), offer=_offer("a", labels=pool))
    with pytest.raises(Conflict, match="other machines"):
        agent_join(token=_token(site), offer=_offer("b", labels=pool, machine_id="m2"))
    same = {**pool, "fubini.dev/node-group": "a"}
    assert agent_join(token=_token(site), offer=_offer("b", labels=same)).pool.agents.count() == 2
    assert Pool.objects.count() == 1


@pytest.mark.parametrize("text", ["", "x", "fuba_aaaaaaaaaa_" + "x" * 43, "fuba_aaaaaaaaaa_" + "x" * 42 + "\x00"])
def test_what_is_no_credential_is_nobody(text: str) -> None:
    assert agent_authenticate(text) is None


def test_a_strange_host_name_becomes_a_usable_agent_name() -> None:
    site = _site()
    assert agent_join(token=_token(site), offer=_offer("Node_07.Lab Ü")).agent.name == "node-07-lab"
    assert agent_join(token=_token(site), offer=_offer("///", machine_id="m3")).agent.name == "agent"
