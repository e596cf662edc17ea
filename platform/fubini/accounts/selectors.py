"""Reading people and tokens."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from fubini.accounts.models import Token, User
from fubini.common.errors import NotFound
from fubini.common.principal import Principal


def users_list(*, search: str = "") -> QuerySet[User]:
    """All users, for administrators; `search` is in the username, names or email."""
    found = User.objects.all()
    if search:
        found = found.filter(
            Q(username__icontains=search)
            | Q(first_name__icontains=search)
            | Q(last_name__icontains=search)
            | Q(email__icontains=search)
        )
    return found


def user_named(username: str) -> User:
    """The user of that name (case does not count).

    Raises:
        NotFound: there is none.
    """
    user = User.objects.filter(username__iexact=username).first() if "\x00" not in username else None
    if user is None:
        raise NotFound(f"There is no user named {username[:80]!r}.")
    return user


def tokens_own(principal: Principal) -> QuerySet[Token]:
    """The asking person's tokens."""
    return Token.objects.filter(user=principal.user) if principal.user is not None else Token.objects.none()


def tokens_of_project(project_id: str) -> QuerySet[Token]:
    """A project's machine tokens."""
    return Token.objects.filter(project_id=project_id)
