"""Who is asking: the one value every door hands to services and to `projects.authorize`.

A principal is a signed-in person (a session, every scope), a person's token (no more than its scopes) or a project's
machine token (no person: a role in one project). What it may do in a project is decided in `projects.authorize` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fubini.accounts.models import User

SCOPES = ("read", "write", "admin")
ALL_SCOPES = frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class Principal:
    """Exactly one of `user` and `project_id` is set, except for the platform itself (`SYSTEM`), which has neither.

    `actor` is what rows and events record: ``user:<username>``, ``token:<project slug or id>/<name>`` or ``system``.
    `role` is the machine token's role. `is_admin` is the person's, and counts only together with the scope ``admin``.
    """

    actor: str
    user: User | None = None
    project_id: str | None = None
    role: str = ""
    scopes: frozenset[str] = field(default=ALL_SCOPES)
    is_admin: bool = False
    token_id: str | None = None

    @property
    def administers(self) -> bool:
        """May do what the installation's administrators do."""
        return self.is_admin and "admin" in self.scopes

    @property
    def user_id(self) -> str | None:
        return str(self.user.pk) if self.user is not None else None


SYSTEM = Principal(actor="system", is_admin=True)
