"""Sites, their agents, the machines they own (node groups) and the pools steps are submitted to.

A node group owns capacity and is counted once however many pools share it; node groups on one physical machine
(`machine_id`) also share that machine's cores.
"""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class Site(models.Model):
    """One administrative domain."""

    id = IdField()
    name = models.SlugField(max_length=48, unique=True)
    title = models.CharField(max_length=120, blank=True, default="")
    region = models.CharField(max_length=48, blank=True, default="")
    preference = models.IntegerField(default=100)  # local-first order, smaller first
    owners = models.ManyToManyField("fubini_accounts.User", blank=True, related_name="owned_sites")
    created_at = models.DateTimeField(auto_now_add=True)
    version = models.PositiveIntegerField(default=1)
    link_bytes_per_s = models.BigIntegerField(null=True)  # into the site, as its agents measured it; None: not yet
    link_measured_bytes = models.BigIntegerField(default=0)  # what the estimate stands on


class Agent(models.Model):
    """One `fubini-agent` process's identity: own credential, host, and whom it acts as."""

    id = IdField()
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="agents")
    name = models.SlugField(max_length=48)
    acts_as = models.CharField(max_length=64, default="service")
    credential_prefix = models.CharField(max_length=16, unique=True)
    credential_digest = models.CharField(max_length=64)
    machine_id = models.CharField(max_length=64, blank=True, default="")
    boot_id = models.CharField(max_length=64, blank=True, default="")
    session_id = models.CharField(max_length=64, blank=True, default="")
    version = models.CharField(max_length=32, blank=True, default="")
    hardware = models.JSONField(default=dict)
    environments = models.JSONField(default=list)
    private_root = models.BooleanField(default=False)
    draining = models.BooleanField(default=False)
    joined_at = models.DateTimeField(auto_now_add=True)
    last_sync_at = models.DateTimeField(null=True)
    last_report = models.JSONField(default=dict)  # load, free disk, as of last_sync_at
    revoked_at = models.DateTimeField(null=True)
    row_version = models.PositiveIntegerField(default=1)  # of what administrators change; `version` is the agent's own

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="agent_name_once_a_site")]


class JoinToken(models.Model):
    """A one-use, short-lived right to become an agent of a site."""

    id = IdField()
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="join_tokens")
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL, related_name="+")


class NodeGroup(models.Model):
    """Identical machines; the owner of capacity. Amounts are per node."""

    id = IdField()
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="node_groups")
    name = models.SlugField(max_length=48)
    machine_id = models.CharField(max_length=64, blank=True, default="")
    machine_cpu_millis = models.BigIntegerField(default=0)  # real cores of that machine, 0 = not shared
    nodes = models.PositiveIntegerField(default=1)
    cpu_millis = models.BigIntegerField()
    memory_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField(default=0)
    devices = models.JSONField(default=dict)  # vendor's resource name -> count
    arch = models.CharField(max_length=16, default="amd64")
    accelerator = models.CharField(max_length=48, blank=True, default="")
    simulated = models.BooleanField(default=False)  # the accelerator class is declared, not real
    speed_permille = models.PositiveIntegerField(default=1000)
    cordons = models.JSONField(
        default=dict
    )  # node index as text -> {reason, by, at_ms, drain_at_ms (None: runs go on)}
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="node_group_name_once_a_site")]


class Pool(models.Model):
    """A submit target over node groups. Owned: we fill its slots; queued: the site queues."""

    class Kind(models.TextChoices):
        OWNED = "owned"
        QUEUED = "queued"

    id = IdField()
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="pools")
    name = models.SlugField(max_length=48)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.OWNED)
    node_groups = models.ManyToManyField(NodeGroup, related_name="pools")
    agents = models.ManyToManyField(Agent, related_name="pools")
    max_running = models.PositiveIntegerField(null=True)
    max_walltime_s = models.PositiveIntegerField(null=True)
    labels = models.JSONField(default=dict)
    paused_reason = models.CharField(max_length=200, blank=True, default="")
    drain_at_ms = models.BigIntegerField(null=True)  # while it is paused: when what still runs there is given back
    projects = models.ManyToManyField("fubini_projects.Project", blank=True, related_name="pools")  # empty = all
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="pool_name_once_a_site")]


class Price(models.Model):
    """One version of a pool's price book; which applies when is decided in `prices`. Integer micros."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="prices")
    version = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    core_hour_micros = models.BigIntegerField(default=0)
    memory_gib_hour_micros = models.BigIntegerField(default=0)
    device_hour_micros = models.JSONField(default=dict)
    start_micros = models.BigIntegerField(default=0)
    egress_gib_micros = models.BigIntegerField(default=0)
    created_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "version"], name="price_version_once")]


class Pause(models.Model):
    """New leases are stopped everywhere while this row (id 1) has a reason."""

    reason = models.CharField(max_length=200, blank=True, default="")
    by = models.CharField(max_length=80, blank=True, default="")
    at = models.DateTimeField(null=True)
