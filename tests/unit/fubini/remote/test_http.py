"""Exchanges over a real loopback server: what goes out, what is followed, and where each limit ends it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fubini.remote.guard import Policy, Refused, RemoteError, policy_from
from fubini.remote.http import Header, exchange
from tests.support.web import Asked, Reply, Web, web


def fetch(url: str, *served: Web, max_bytes: int = 1000, timeout_s: float = 60.0, **more: Any) -> tuple[int, bytes]:
    policy = policy_from({"allow": [w.allow for w in served]})
    with exchange(more.pop("method", "GET"), url, policy=policy, timeout_s=timeout_s, **more) as answer:
        return answer.status, answer.read(max_bytes)


def test_the_connection_goes_to_the_pinned_address_under_the_name_that_was_asked_for() -> None:
    with web(lambda asked: Reply(b"hello")) as served:
        policy = Policy(allow=frozenset({("data.example", served.port)}))
        url = f"http://Data.Example:{served.port}/a/b?q=1"
        with exchange("GET", url, policy=policy, timeout_s=60, resolver=lambda host, port: ["127.0.0.1"]) as answer:
            assert (answer.status, answer.read(100)) == (200, b"hello")
        [asked] = served.asked
        assert (asked.path, asked.headers["host"]) == ("/a/b?q=1", f"data.example:{served.port}")
        assert asked.headers["accept-encoding"] == "identity"


def test_a_name_is_asked_for_once_so_a_second_answer_changes_nothing() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    with web(lambda asked: Reply(b"x")) as served:
        policy = Policy(allow=frozenset({("rebind.example", served.port)}))
        with exchange(
            "GET",
            f"http://rebind.example:{served.port}/",
            policy=policy,
            timeout_s=60,
            resolver=lambda h, p: answers.pop(0),
        ) as answer:
            assert answer.read(10) == b"x"
    assert answers == [["127.0.0.2"]]


def test_redirects_are_followed_and_each_is_judged_like_the_first() -> None:
    with web(lambda asked: Reply(b"private")) as inner:

        def answer(asked: Asked) -> Reply:
            to = {"/one": "/two?x=1", "/out": inner.url + "/secret", "/file": "file:///etc/passwd", "/up": "//127.1/"}
            if asked.path in to:
                return Reply(status=302, headers={"Location": to[asked.path]})
            return Reply(asked.path.encode())

        with web(answer) as served:
            assert fetch(served.url + "/one", served) == (200, b"/two?x=1")
            for path in ("/out", "/file", "/up"):
                with pytest.raises(Refused):
                    fetch(served.url + path, served)
            assert inner.asked == []
            assert fetch(served.url + "/out", served, inner) == (200, b"private")


def test_an_endless_redirect_ends() -> None:
    with web(lambda asked: Reply(status=307, headers={"Location": "/again"})) as served:
        with pytest.raises(RemoteError, match="more than 5 times"):
            fetch(served.url, served)
        assert len(served.asked) == 6


def test_secret_headers_stay_with_their_origin() -> None:
    with web(lambda asked: Reply(b"x")) as other:
        with web(lambda asked: Reply(status=302, headers={"Location": other.url + "/"})) as served:
            headers = [Header("Authorization", "Bearer canary", secret=True), Header("X-Plain", "kept")]
            fetch(served.url, served, other, headers=headers)
            assert served.asked[0].headers["authorization"] == "Bearer canary"
        assert "authorization" not in other.asked[0].headers
        assert other.asked[0].headers["x-plain"] == "kept"


def test_a_post_keeps_its_body_over_307_and_becomes_a_get_over_303() -> None:
    def answer(asked: Asked) -> Reply:
        code = {"/keep": 307, "/see": 303}.get(asked.path)
        return Reply(status=code, headers={"Location": "/end"}) if code else Reply(asked.method.encode() + asked.body)

    with web(answer) as served:
        assert fetch(served.url + "/keep", served, method="POST", content=b"body") == (200, b"POSTbody")
        assert fetch(served.url + "/see", served, method="POST", content=b"body") == (200, b"GET")


def test_a_body_that_is_too_long_is_ended_whether_it_says_so_or_not() -> None:
    def endless(write: Any) -> None:
        for _ in range(10_000):
            write(b"x" * 1000)

    with web(lambda asked: Reply(stream=endless) if asked.path == "/e" else Reply(b"x" * 1001)) as served:
        with pytest.raises(RemoteError, match="1001 bytes; 1000 are allowed"):
            fetch(served.url, served)
        with pytest.raises(RemoteError, match="more than the 1000 bytes"):
            fetch(served.url + "/e", served)


def test_a_body_that_drips_is_ended_by_the_time_as_a_whole() -> None:
    def drip(write: Any) -> None:
        for _ in range(600):
            write(b"x")
            time.sleep(0.05)

    with web(lambda asked: Reply(stream=drip)) as served:
        with pytest.raises(RemoteError, match="not done in time") as raised:
            fetch(served.url, served, timeout_s=2.0)
        assert raised.value.again


def test_a_body_that_breaks_off_is_not_taken_for_whole() -> None:
    with web(lambda asked: Reply(b"half", headers={"Content-Length": "8"})) as served:
        with pytest.raises(RemoteError) as raised:
            fetch(served.url, served)
        assert raised.value.again


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "X\r\nY", "X-é", ""])
def test_headers_that_could_change_the_message_are_refused(name: str) -> None:
    with web(lambda asked: Reply()) as served:
        with pytest.raises(RemoteError):
            fetch(served.url, served, headers=[Header(name, "v")])
        assert served.asked == []


def test_a_value_with_a_line_break_is_refused_and_not_repeated() -> None:
    with web(lambda asked: Reply()) as served, pytest.raises(RemoteError) as raised:
        fetch(served.url, served, headers=[Header("X", "canary\r\nHost: y")])
    assert "canary" not in raised.value.message


def test_proxies_of_the_platforms_own_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with web(lambda asked: Reply(b"direct")) as served:
        assert fetch(served.url, served) == (200, b"direct")
