"""Nothing a manifest can write makes the platform call what is not public, in whatever form it is written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.remote.guard import Policy, Refused, RemoteError, not_public, pin, place_of, policy_from

OPEN = Policy()
PUBLIC = "93.184.216.34"


def resolver(*answers: list[str]):  # type: ignore[no-untyped-def]
    """Names answer these, one list a question; the last one for ever."""
    left = list(answers)
    asked = []

    def ask(host: str, port: int) -> list[str]:
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    ask.asked = asked  # type: ignore[attr-defined]
    return ask


def refused(url: str, policy: Policy = OPEN, answers: list[str] | None = None) -> str:
    with pytest.raises(Refused) as raised:
        pin(place_of(url, policy), policy, resolver(answers or [PUBLIC]))
    return raised.value.message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "[::]", "[::1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]",
        "[2001:db8::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]",
        "[::127.0.0.1]", "[::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]",
        "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[0:0:0:0:0:0:0:1]",
        "[fe80::1%25eth0]", "[fe80::1%eth0]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    refused(f"http://{host}/")
    refused(f"https://{host}:8443/x?y=z")


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0x0", "00",
        "127.0.0.01", "127.0.0.1.", "1.2.3.4.5", "256.1.1.1", "999999999999", "0x7f.1", "3232235777", "1.2.3", "12",
        "example.0x1", "example.1",
    ],
)  # fmt: skip
def test_a_number_in_any_other_form_than_four_decimals_is_refused(host: str) -> None:
    refused(f"http://{host}/")


@pytest.mark.parametrize(
    "host",
    ["１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ", "127.0.0.1．", "[::ffff:１２７.0.0.1]"],
)
def test_unicode_that_normalises_to_an_address_or_a_private_name_is_refused(host: str) -> None:
    refused(f"http://{host}/", answers=["127.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "ssh://git@example.org/x", "data:,x", "//x/",
        "javascript:alert(1)", "http:/example.org", "http:example.org", "http://", "http:///path", "", "example.org/x",
        "http://user:pass@example.org/", "http://user@example.org/", "http://@example.org/", "http://example.org@127.0.0.1/",
        "http://127.0.0.1:80\\@example.org/", "http://example.org\\.evil/", "http://exa mple.org/", "http://example.org/a b",
        "http://example.org\t/", "http://example.org\r\nHost: x/", "http://example.org:0/", "http://example.org:99999/",
        "http://example.org:8x/", "http://[::1/", "http://[bad]/", "http://-example.org/", "http://exam..ple.org/",
        "http://" + "a" * 64 + ".org/", "http://" + "a." * 130 + "org/", "http://example.org/" + "a" * 9000, "http://exa$mple.org/",
        "http://xn--/", "http://ex%61mple.org/",
    ],
)  # fmt: skip
def test_a_url_that_is_no_plain_http_address_is_refused(url: str) -> None:
    refused(url, answers=[PUBLIC])


def test_a_refusal_never_repeats_credentials_or_a_query() -> None:
    assert "canary" not in refused("http://user:canary@10.0.0.1/?token=canary2")
    assert "canary" not in refused("http://10.0.0.1/?token=canary")
    assert "canary" not in refused("http://u:canary@example.org/")


def test_a_public_name_is_pinned_to_the_address_that_was_checked() -> None:
    ask = resolver([PUBLIC], ["127.0.0.1"])  # the second answer is the rebinding
    pinned = pin(place_of("https://Example.ORG:443/a%20b?x=1", OPEN), OPEN, ask)
    assert pinned.url == f"https://{PUBLIC}:443/a%20b?x=1"
    assert pinned.place.netloc == "example.org"
    assert ask.asked == ["example.org"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.1.1.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
@pytest.mark.parametrize("first", [True, False])
def test_one_private_address_among_public_ones_refuses_the_name(bad: str, first: bool) -> None:
    answers = [bad, PUBLIC] if first else [PUBLIC, bad]
    said = refused("http://rebind.example/", answers=answers)
    assert "'rebind.example'" in said
    assert "FUBINI_REMOTE_ALLOW=rebind.example:80" in said


def test_the_allow_list_is_for_one_host_and_port() -> None:
    policy = policy_from({"allow": ["127.0.0.1:9000", "minio.lab:9000", "[::1]:80"]})
    assert str(pin(place_of("http://127.0.0.1:9000/", policy), policy).address) == "127.0.0.1"
    assert str(pin(place_of("http://[::1]/", policy), policy).address) == "::1"
    assert str(pin(place_of("http://MINIO.lab.:9000/", policy), policy, resolver(["10.0.0.9"])).address) == "10.0.0.9"
    refused("http://127.0.0.1:9001/", policy)
    refused("http://127.0.0.2:9000/", policy)
    refused("http://other.lab:9000/", policy, ["10.0.0.9"])
    with pytest.raises(ValueError, match="host:port"):
        policy_from({"allow": ["127.0.0.1"]})


def test_the_schemes_are_the_installations() -> None:
    only_tls = policy_from({"schemes": ["https"]})
    assert "allowed are https" in refused("http://example.org/", only_tls)
    place_of("https://example.org/", only_tls)


def test_a_name_that_does_not_resolve_may_resolve_later() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(RemoteError) as raised:
        pin(place_of("http://gone.example/", OPEN), OPEN, fails)
    assert raised.value.again
    assert not isinstance(raised.value, Refused)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert not_public(ipaddress.ip_address(address)) == ""


@given(st.integers(0, 2**32 - 1))
def test_every_way_to_carry_an_ipv4_address_is_judged_by_that_address(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    private = bool(not_public(plain))
    carried = [
        f"::ffff:{plain}",
        f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ]
    for text in carried:
        if private:
            assert not_public(ipaddress.IPv6Address(text)), text


@given(st.text(max_size=40))
def test_any_text_is_refused_or_becomes_one_plain_place(text: str) -> None:
    try:
        place = place_of(f"http://{text}/", OPEN)
    except Refused:
        return
    assert place.host.isascii()
    assert "@" not in place.netloc
    assert place_of(f"http://{place.netloc}{place.target}", OPEN) == place
