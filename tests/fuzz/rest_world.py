"""Run by `rest` against its server's database: makes a small world and prints the tokens of three roles as JSON."""

from __future__ import annotations

import json

import django

django.setup()

from fubini.accounts.models import Token  # noqa: E402
from tests.support.rest import api_of, make_admin  # noqa: E402
from tests.support.twins import make_twin  # noqa: E402

if __name__ == "__main__":
    twin = make_twin()
    make_twin()
    admin = make_admin()
    people = [*twin.house.users.values(), admin]
    print(
        json.dumps(
            {
                "viewer": twin.house.api["viewer"].token,
                "owner": twin.house.api["owner"].token,
                "admin": api_of(admin).token,
                "names": twin.names,
                # What the fuzzer must not take away from itself: its tokens and its people's rights.
                "kept": [u.username for u in people] + list(Token.objects.values_list("pk", flat=True)),
                "project": twin.house.project.slug,
            }
        )
    )
