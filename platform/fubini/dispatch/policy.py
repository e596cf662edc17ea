"""The installation's placement policy: local first in the order of the sites' preference, overflow when it pays."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from fubini.common.options import option_group
from fubini.sites.models import Site
from fubini_scheduler import model as core


def policy_of(all_sites: Iterable[Site]) -> core.Policy:
    """Sites of equal `preference` form one tier; figures come from the settings."""
    sites = sorted(all_sites, key=lambda s: (s.preference, s.pk))
    tiers = tuple(tuple(core.SiteId(s.pk) for s in tier) for _, tier in groupby(sites, key=lambda s: s.preference))
    chosen = option_group("POLICY")
    local_first = None
    if len(tiers) > 1:
        local_first = core.LocalFirst(
            site_tiers=tiers,
            burst_wait_s=chosen.get("burst_wait_s", 60),
            burst_max_price_micros=chosen.get("burst_max_price_micros"),
        )
    return core.Policy(local_first=local_first, default_reserve_s=chosen.get("default_reserve_s", 900))
