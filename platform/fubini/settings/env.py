"""The only reader of the process environment, typed.

Decides where state lives and which URLs the platform uses. Everything has a default that needs no server:
one state folder, SQLite, a folder object store, a folder broker.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ

from fubini.common.home import home_path, made_once

PUBLIC_URL = "http://127.0.0.1:8642"


class SettingsError(Exception):
    """The environment asks for something that cannot work; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Oidc:
    """An OpenID Connect provider people may sign in with."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    makes_users: bool  # who is not known here yet gets an account, in no project

    @property
    def origin(self) -> str:
        url = urlsplit(self.issuer)
        return f"{url.scheme}://{url.netloc}"


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Where passkeys are good: the domain they are bound to, and the addresses whose pages may use them."""

    domain: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Env:
    """What the environment says, checked."""

    home: Path
    debug: bool
    database_url: str
    objects_url: str
    broker_url: str
    public_url: str
    allowed_hosts: tuple[str, ...]
    secret_key: str
    secrets_keys: tuple[str, ...]
    oidc: Oidc | None
    passkeys: Passkeys | None
    lease_s: int
    retention_days: dict[str, int]  # of events, logs, artifacts; 0: for ever
    blob_grace_hours: int
    project_max_bytes: int
    archive_max_bytes: int
    log_level: str
    burst_wait_s: int
    logins_per_minute: int
    remote_allow: tuple[str, ...]
    remote_schemes: tuple[str, ...]
    remote_max_bytes: int
    remote_timeout_s: int
    currency: str
    accounting_zone: str
    close_months_after_days: int
    notice_waiting_minutes: int
    notice_silent_s: int
    email_url: str
    email_from: str

    @property
    def oidc_apps(self) -> list[dict[str, Any]]:
        """The provider as allauth takes it."""
        if self.oidc is None:
            return []
        return [
            {
                "provider_id": "sso",
                "name": self.oidc.name,
                "client_id": self.oidc.client_id,
                "secret": self.oidc.client_secret,
                "settings": {"server_url": self.oidc.issuer},
            }
        ]


def oidc_of(env: environ.Env) -> Oidc | None:
    """The provider the environment names: issuer, client id and secret together, or none of them."""
    issuer, client, secret = (
        env.str(f"FUBINI_OIDC_{name}", default="") for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    )
    if not (issuer or client or secret):
        return None
    if not (issuer and client and secret):
        raise SettingsError(
            "Set FUBINI_OIDC_ISSUER, FUBINI_OIDC_CLIENT_ID and FUBINI_OIDC_CLIENT_SECRET together, or none."
        )
    url = urlsplit(issuer)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise SettingsError("FUBINI_OIDC_ISSUER must be an https address (http only on loopback).")
    name = env.str("FUBINI_OIDC_NAME", default="Single sign-on")[:40]
    return Oidc(name, issuer.rstrip("/"), client, secret, env.bool("FUBINI_OIDC_MAKES_USERS", default=True))


def passkeys_of(env: environ.Env, public_url: str) -> Passkeys | None:
    """Where passkeys are good: as the environment says, else at the public address, if browsers allow them there.

    Browsers bind them to a domain and want https; `localhost` is excepted, so an installation that is only this machine's
    has them at http://localhost. At another bare address there are none.
    """
    given = [origin.rstrip("/").lower() for origin in env.list("FUBINI_PASSKEY_ORIGINS", default=[])]
    domain = env.str("FUBINI_PASSKEY_DOMAIN", default="").lower()
    url = urlsplit(public_url)
    port = f":{url.port}" if url.port else ""
    if url.hostname in ("127.0.0.1", "::1"):
        default = f"http://localhost{port}"
    else:
        default = f"{url.scheme}://{url.hostname}{port}".lower()
    origins = given or [default]
    domain = domain or urlsplit(origins[0]).hostname or ""
    wrong = [origin for origin in origins if not _passkeys_may(origin, domain)]
    if wrong and (given or env.str("FUBINI_PASSKEY_DOMAIN", default="")):
        raise SettingsError(
            f"Passkeys of the domain {domain!r} are not possible at {wrong[0]!r}: write FUBINI_PASSKEY_ORIGINS as"
            " https://HOST[:PORT] with commas between, each HOST being FUBINI_PASSKEY_DOMAIN or below it"
            " (http only for localhost)."
        )
    return None if wrong else Passkeys(domain, tuple(origins))


def _passkeys_may(origin: str, domain: str) -> bool:
    url = urlsplit(origin)
    host = url.hostname or ""
    bare = not host or ":" in host or host.replace(".", "").isdigit()
    secure = url.scheme == "https" or (url.scheme == "http" and (host == "localhost" or host.endswith(".localhost")))
    return secure and not bare and not url.path and (host == domain or host.endswith(f".{domain}"))


def default_home() -> Path:
    """The state folder: `$FUBINI_HOME`, else `.fubini` in the checkout or working directory."""
    return home_path(os.environ)


def secret_key_of(home: Path) -> str:
    """The signing key made at first boot (0600); `$FUBINI_SECRET_KEY` wins. Two processes racing get one key."""
    given = os.environ.get("FUBINI_SECRET_KEY")
    if given:
        if len(given) < 32:
            raise SettingsError("FUBINI_SECRET_KEY has fewer than 32 characters; use 50 random ones or leave it unset.")
        return given
    return made_once(home / "secret.key", lambda: secrets.token_urlsafe(48))


def zone_checked(name: str) -> str:
    """The name of a time zone there is."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"FUBINI_ACCOUNTING_ZONE: {name[:64]!r} is no time zone; write a name such as Asia/Shanghai."
        ) from None


def currency_checked(word: str) -> str:
    """A currency's code, or the installation's own word: it stands behind every sum and in every table's head."""
    if re.fullmatch(r"[^\W\d_]{1,16}", word) is None:
        raise SettingsError(
            f"FUBINI_CURRENCY: {word[:64]!r} is no currency; write its ISO 4217 code such as CNY or EUR, or one word of at "
            "most 16 letters."
        )
    return word


def read_env() -> Env:
    """Read and check the environment once, at import of the settings."""
    env = environ.Env()
    home = default_home()
    days = env.int("FUBINI_RETENTION_DAYS", default=90)
    return Env(
        home=home,
        debug=env.bool("FUBINI_DEBUG", default=False),
        database_url=env.str("FUBINI_DATABASE_URL", default=f"sqlite:///{home / 'db.sqlite3'}"),
        objects_url=env.str("FUBINI_OBJECTS_URL", default=str(home / "objects")),
        broker_url=env.str("FUBINI_BROKER_URL", default="filesystem://"),
        public_url=env.str("FUBINI_PUBLIC_URL", default=PUBLIC_URL).rstrip("/"),
        allowed_hosts=tuple(env.list("FUBINI_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])),
        secret_key=secret_key_of(home),
        secrets_keys=tuple(env.list("FUBINI_SECRETS_KEYS", default=[])),
        oidc=oidc_of(env),
        passkeys=passkeys_of(env, env.str("FUBINI_PUBLIC_URL", default=PUBLIC_URL)),
        lease_s=env.int("FUBINI_LEASE_S", default=30),
        retention_days={
            "EVENTS": env.int("FUBINI_RETENTION_EVENTS_DAYS", default=days),
            "LOGS": env.int("FUBINI_RETENTION_LOGS_DAYS", default=days),
            "CACHES": env.int("FUBINI_RETENTION_CACHES_DAYS", default=days),
            "ARTIFACTS": env.int("FUBINI_RETENTION_ARTIFACTS_DAYS", default=0),
        },
        blob_grace_hours=env.int("FUBINI_BLOB_GRACE_HOURS", default=24),
        project_max_bytes=env.int("FUBINI_PROJECT_MAX_BYTES", default=0),
        archive_max_bytes=env.int("FUBINI_ARCHIVE_MAX_BYTES", default=64 * 1024**3),
        log_level=env.str("FUBINI_LOG_LEVEL", default="INFO"),
        burst_wait_s=env.int("FUBINI_BURST_WAIT_S", default=10),
        logins_per_minute=env.int("FUBINI_LOGINS_PER_MINUTE", default=10),
        remote_allow=tuple(env.list("FUBINI_REMOTE_ALLOW", default=[])),
        remote_schemes=tuple(env.list("FUBINI_REMOTE_SCHEMES", default=["https", "http"])),
        remote_max_bytes=env.int("FUBINI_REMOTE_MAX_BYTES", default=10 * 1024**3),
        remote_timeout_s=env.int("FUBINI_REMOTE_TIMEOUT_S", default=900),
        currency=currency_checked(env.str("FUBINI_CURRENCY", default="CNY")),
        accounting_zone=zone_checked(env.str("FUBINI_ACCOUNTING_ZONE", default="UTC")),
        notice_waiting_minutes=env.int("FUBINI_NOTICE_WAITING_MINUTES", default=30),
        notice_silent_s=env.int("FUBINI_NOTICE_SILENT_S", default=300),
        email_url=env.str("FUBINI_EMAIL_URL", default="filemail:"),
        email_from=env.str("FUBINI_EMAIL_FROM", default="fubini@localhost"),
        close_months_after_days=env.int("FUBINI_CLOSE_MONTHS_AFTER_DAYS", default=10),
    )
