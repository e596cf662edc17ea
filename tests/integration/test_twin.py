"""Another project's things answer 404 on every route, and every route but a few asks who one is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.fuzz import twin
from tests.support.checking import check_only_engine
from tests.support.rest import Api, make_house, problem_of
from tests.support.routes import Route, routes
from tests.support.streams import streams_here
from tests.support.twins import calls_on, make_twin

__all__ = ["check_only_engine"]


@pytest.fixture(autouse=True)
def _on_one_connection() -> Iterator[None]:
    with streams_here():
        yield


# What answers without a sign-in, and what it answers to an empty request.
PUBLIC = {
    "/healthz": 200,
    "/readyz": 503,  # no dispatch process here
    "/api/v1/login": 200,
    "/api/schema": 200,
    "/api/docs": 200,
}
# Ways in, and the question a passkey answers, which names nobody.
SIGN_IN = {"/api/v1/login": 422, "/api/v1/login/passkey": 422, "/api/v1/login/passkey/options": 200}
# Doors with credentials of their own: an agent's, an identity provider's (none is configured here: 404).
OTHER_DOORS = ("/agent/v1/", "/accounts/oidc/")


@pytest.mark.django_db
def test_somebody_elses_things_do_not_exist_on_any_route_for_any_role() -> None:
    result = twin.walk(0, 1)
    assert not result.failures, result.table()
    assert result.inputs > 400


@pytest.mark.django_db
def test_the_twin_knows_every_route() -> None:
    calls = calls_on(make_twin(), routes())
    assert {c.method for c in calls} >= {"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"}


@pytest.mark.django_db
def test_a_new_route_must_be_said_to_belong_to_somebody() -> None:
    with pytest.raises(LookupError, match="whose rows"):
        calls_on(make_twin(), [Route("/api/v1/novelties/{id}", ("GET",))])


@pytest.mark.django_db
@pytest.mark.parametrize("route", routes(), ids=lambda r: r.path)
def test_no_route_answers_without_a_sign_in_but_the_public_ones(route: Route) -> None:
    path = route.path.format_map(dict.fromkeys(_parameters(route.path), "1"))
    for method in route.methods:
        response = Api().call(method, path, {} if method in {"POST", "PUT", "PATCH"} else None)
        if route.path in PUBLIC and method == "GET":
            assert response.status_code == PUBLIC[route.path]
        elif route.path in SIGN_IN:
            assert response.status_code == SIGN_IN[route.path]
        elif route.path.startswith(OTHER_DOORS):
            assert response.status_code in {400, 401, 404, 405}, (route.path, response.status_code)
        elif method == "HEAD":
            assert response.status_code == 401
        else:
            problem_of(response, 401, "unauthenticated")


def _parameters(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_made_up_token_opens_no_route(scheme: str) -> None:
    for route in routes():
        if not route.path.startswith("/api/v1/") or route.path in SIGN_IN:
            continue
        path = route.path.format_map(dict.fromkeys(_parameters(route.path), "1"))
        response = Api().call("GET", path, Authorization=f"{scheme} fub_aaaaaaaaaa_{'x' * 43}")
        assert response.status_code == 401, route.path


@pytest.mark.django_db
def test_no_error_repeats_a_secret_that_was_sent() -> None:
    canary = "canary-3f9c"
    house = make_house()
    token = house.api["owner"].token
    secret_words = (canary.encode(), token.split("_", 2)[2].encode(), b"Traceback", b"/platform/fubini")
    for route in routes():
        if not route.path.startswith("/api/v1/"):
            continue
        path = route.path.format_map(dict.fromkeys(_parameters(route.path), "1"))
        for method in route.methods:
            body = {"password": canary, "token": canary, "secret": {"a": canary}, "current": 5, "username": 7}
            response = house.api["owner"].call(method, path, body, If_Match="*", Cookie=f"sessionid={canary}")
            if response.streaming or response.status_code < 400:
                continue
            for word in secret_words:
                assert word not in response.content, (method, route.path, response.content[:300])
