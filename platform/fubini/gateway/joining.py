"""Joining: the wire's facts about a host become a site's agent, node group and pool."""

from __future__ import annotations

from fubini.common.options import option
from fubini.sites.services import AgentOffer, agent_join
from fubini_protocol.v1 import messages as wire


def join(message: wire.JoinRequest) -> wire.JoinReply:
    """Use the one-use token up; the reply carries the credential, this once.

    Raises:
        FubiniError: the token is not valid, or the offer makes no sense.
    """
    host, offer = message.host, message.offer
    joined = agent_join(
        token=message.token,
        offer=AgentOffer(
            agent_name=message.agent_name,
            acts_as=message.acts_as,
            agent_version=message.agent_version,
            machine_id=host.machine_id,
            boot_id=host.boot_id,
            machine_cores=host.cores,
            cpu_millis=offer.cpu_millis,
            memory_bytes=offer.memory_bytes,
            disk_bytes=offer.disk_bytes,
            devices={d.name: d.count for d in offer.devices},
            arch=host.arch,
            accelerator=offer.accelerator,
            accelerator_simulated=offer.accelerator_simulated or any(d.simulated for d in offer.devices),
            private_root=host.private_root,
            labels=dict(offer.labels),
            max_walltime_s=offer.max_walltime_s,
            hardware=host.model_dump(mode="json"),
            environments=[e.model_dump(mode="json") for e in message.environments],
        ),
    )
    lease_s = option("LEASE_S")
    return wire.JoinReply(
        agent_id=joined.agent.pk,
        credential=joined.credential,
        site=joined.agent.site.name,
        pool=joined.pool.name,
        lease_s=float(lease_s),
        renew_s=lease_s / 3,
        message=f"Joined {joined.agent.site.name} as {joined.agent.name}; steps come through pool {joined.pool.name}.",
    )
