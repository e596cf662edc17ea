"""Which addresses the platform may call on behalf of a manifest: the guard against server-side request forgery.

A manifest's author must not reach through the platform what only the platform can reach: its own services, the private
network, the metadata service of a cloud. So: schemes by allow-list; a host is a plain name or a plainly written address
(no decimal, octal, hexadecimal or shortened forms, no credentials); every address a name resolves to must be public, and
the connection goes to one of the very addresses that were checked (pinned), never resolved again. Redirects pass through
here hop by hop. An administrator's allow-list names ``host:port`` pairs that may be private.

Source: RFC 6890 and the IANA special-purpose registries (through `ipaddress`), OWASP's notes on SSRF, RFC 5891 (IDNA).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import idna

PORTS: Final = {"http": 80, "https": 443}
URL_MAX: Final = 8192
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_BAD_CHARACTERS = re.compile(r"[\x00-\x20\x7f\\]")
# Networks that carry an IPv4 address inside: what counts is where that one leads.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: (host, port) -> addresses as text. The one place that asks the network for names.
Resolver = Callable[[str, int], list[str]]


class RemoteError(Exception):
    """A remote side could not be read; a sentence without credentials and without a URL's query. `again`: it may pass."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.again = again


class Refused(RemoteError):
    """The guard does not let the platform go there."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an installation allows: schemes, and (host, port) pairs whose addresses may be private."""

    schemes: frozenset[str] = frozenset({"http", "https"})
    allow: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart and put in normal form; `host` is a lower-case ASCII name or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)  # path and query, as sent
    address: Address | None = None  # the host, where it is an address itself

    @property
    def netloc(self) -> str:
        """As the ``Host`` header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For people: without the query, which may hold a token."""
        return f"{self.scheme}://{self.netloc}{self.target.partition('?')[0]}"[:300]

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


@dataclass(frozen=True, slots=True)
class Pinned:
    """A place with the one checked address that the connection goes to."""

    place: Place
    address: Address

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.place.scheme}://{host}:{self.place.port}{self.place.target}"


def place_of(url: str, policy: Policy) -> Place:
    """Take a URL apart and check all that can be checked without a network.

    Raises:
        Refused: with what was found and what is allowed; the URL itself is not repeated before it is known to be clean.
    """
    if len(url) > URL_MAX or _BAD_CHARACTERS.search(url):
        raise Refused(f"the URL has white space, control characters, a backslash, or more than {URL_MAX} characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("the URL cannot be read") from None
    scheme = parts.scheme.lower()
    if scheme not in policy.schemes or scheme not in PORTS:
        allowed = ", ".join(sorted(policy.schemes & PORTS.keys())) or "none"
        raise Refused(f"the scheme {scheme[:20]!r} is not allowed here; allowed are {allowed}")
    if "@" in parts.netloc:
        raise Refused("the URL has credentials in it; name secrets instead of writing them down")
    host, address = _host(parts.hostname or "")
    if port == 0:
        raise Refused("port 0 is no port")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    return Place(scheme, host, port or PORTS[scheme], path + (f"?{query}" if query else ""), address)


def _host(text: str) -> tuple[str, Address | None]:
    """A host in its one normal form, with the address it is, if it is one.

    Raises:
        Refused: empty, not a name, or an address in a form that programs read differently.
    """
    if not text or len(text) > 253:
        raise Refused("the URL names no host")
    if ":" in text or "%" in text:
        try:
            address: Address = ipaddress.IPv6Address(text)
        except ValueError:
            raise Refused(f"{text[:80]!r} is not an IPv6 address") from None
        if "%" in text:
            raise Refused("an IPv6 address with a zone is one of this machine's own links")
        return str(address), address
    try:
        # UTS 46 first, so that full-width digits and dots cannot hide an address from the checks below.
        name = idna.uts46_remap(text, std3_rules=False, transitional=False) if not text.isascii() else text.lower()
        name = name.rstrip(".")
        if not name.isascii():
            name = idna.encode(name).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise Refused(f"{text[:80]!a} is not a host name") from None
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            address = ipaddress.IPv4Address(name)
        except ValueError:
            raise Refused(f"{name[:80]!r} is not an IPv4 address in its plain form (four decimal numbers)") from None
        return str(address), address
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise Refused(f"{name[:80]!a} is not a host name")
    return name, None


def not_public(address: Address) -> str:
    """Why an address is not one of the public internet; "" when it is."""
    inner = _inside(address)
    if inner is not None:
        why = not_public(inner)
        return f"{address} stands for {why}" if why else ""
    if address.is_loopback:
        return f"{address}, this machine itself"
    if address.is_link_local:
        return f"{address}, a link-local address (metadata services live there)"
    if address.is_multicast or address.is_unspecified:
        return f"{address}, which is nobody's address"
    if not address.is_global or address.is_private or address.is_reserved:
        return f"{address}, a private or reserved address"
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return f"{address}, a private address"
    return ""


def _inside(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address a transition form of IPv6 leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, from the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def pin(place: Place, policy: Policy, resolver: Resolver = resolve) -> Pinned:
    """Resolve a place once and check every address it has; the connection goes to one of those.

    Raises:
        Refused: an address is not public, and the place is not on the allow-list. One bad address refuses all: whoever
            answers with a mixture tries something.
        RemoteError: the name does not resolve.
    """
    if place.address is not None:
        addresses: list[Address] = [place.address]
    else:
        try:
            texts = resolver(place.host, place.port)
        except (OSError, UnicodeError):
            raise RemoteError(f"the host {place.host!r} was not found", again=True) from None
        addresses = list(_parsed(texts))
        if not addresses:
            raise RemoteError(f"the host {place.host!r} has no address", again=True)
    if (place.host, place.port) not in policy.allow:
        for address in addresses:
            why = not_public(address)
            if why:
                named = "" if place.address is not None else f"{place.host!r} is "
                raise Refused(
                    f"{named}{why}; the platform goes to public addresses only, and to those an administrator lists "
                    f"(FUBINI_REMOTE_ALLOW={place.host}:{place.port})"
                )
    return Pinned(place, addresses[0])


def _parsed(texts: Iterable[str]) -> Iterable[Address]:
    for text in texts:
        try:
            yield ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue


def policy_from(options: dict[str, Any]) -> Policy:
    """An installation's policy from its settings: `schemes` and `allow`, lists of texts.

    Raises:
        ValueError: an entry of `allow` is not ``host:port``.
    """
    return Policy(
        schemes=frozenset(str(s).lower() for s in options.get("schemes") or ("http", "https")),
        allow=frozenset(_pair(str(entry)) for entry in options.get("allow") or ()),
    )


def _pair(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    try:
        name, _address = _host(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except (Refused, ValueError):
        raise ValueError(f"FUBINI_REMOTE_ALLOW: {entry[:80]!r} is not host:port") from None
    return name, number
