"""What can be wrong with a secret; none of these texts has a value in it."""

from __future__ import annotations

from typing import ClassVar

from fubini.common.errors import Invalid, NotFound


class SecretInvalid(Invalid):
    code: ClassVar[str] = "secret_invalid"
    title: ClassVar[str] = "The secret is not usable"


class SecretNotFound(NotFound):
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "No such secret"
