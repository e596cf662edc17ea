"""Users, the browsers they are signed in with, and the tokens programs use. A token's text is shown once and stored as a hash."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from fubini.common.ids import IdField


class User(AbstractUser):
    """A person. `is_staff` makes an administrator of the installation."""

    id = IdField()
    language = models.CharField(max_length=8, default="en")
    version = models.PositiveIntegerField(default=1)


class Token(models.Model):
    """A bearer token of a user, or of a project (a machine token: no person behind it).

    `scopes` is a list of ``read``, ``write``, ``admin``; a token can do no more than its owner. `prefix` finds the row,
    `digest` is sha256 of the whole text (256 random bits, so no slow hash is needed).
    """

    id = IdField()
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    user = models.ForeignKey("fubini_accounts.User", null=True, on_delete=models.CASCADE, related_name="tokens")
    project_id = models.CharField(max_length=32, null=True, db_index=True)
    role = models.CharField(max_length=12, blank=True, default="")  # of a project's machine token
    actor = models.CharField(max_length=80, blank=True, default="")  # what a machine token's deeds are recorded under
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)


class UserSession(models.Model):
    """A browser somebody is signed in with: what its owner sees of it. The session itself is Django's, by `session_key`."""

    id = IdField()
    user = models.ForeignKey("fubini_accounts.User", on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    user_agent = models.CharField(max_length=300, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
