"""Who runs a site: its owners and the installation's administrators.

An owner of a site may stop and resume work there (pause, cordon, drain) and let agents join it; prices, limits and who
owns it stay with the administrators.
"""

from __future__ import annotations

from fubini.common.errors import Forbidden
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.sites.models import Site


def may_run_site(principal: Principal, site: Site) -> bool:
    """Is the asker an administrator or, with a scope to write, an owner of the site?"""
    if principal.administers:
        return True
    if principal.user is None or "write" not in principal.scopes:
        return False
    return site.owners.filter(pk=principal.user.pk).exists()


def authorize_site(principal: Principal, site: Site) -> None:
    """Let a site's owners and administrators pass.

    Raises:
        Forbidden: anybody else, or a token without the scope.
    """
    if not may_run_site(principal, site):
        raise Forbidden(
            say("Only owners of the site {name} and administrators may do this.", name=site.name),
            next_step="Ask an owner of the site, or an administrator of this installation.",
        )
