"""Second factors' secrets are sealed with the installation's keyring, like the secrets of projects."""

from __future__ import annotations

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction

from fubini.secrets.keyring import keyring, reseal


class SealingAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """allauth's, with its two hooks for storing."""

    def encrypt(self, text: str) -> str:
        return keyring().encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().decrypt(encrypted_text.encode("ascii")).decode()


@transaction.atomic
def factors_reseal() -> int:
    """All of them under the newest key; how many."""
    rows = list(Authenticator.objects.select_for_update())
    for row in rows:
        row.data = {k: reseal(v) if k in ("secret", "seed") else v for k, v in row.data.items()}
        row.save(update_fields=["data"])
    return len(rows)
