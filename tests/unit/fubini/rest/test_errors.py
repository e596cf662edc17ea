"""Whatever goes wrong, a client gets one shape, and nothing it should not see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import APIException

from fubini.common.errors import FubiniError, InvalidTransition
from fubini.rest import errors
from fubini.rest.problems import headers_of, next_step_of, problem
from tests.support.rest import Api, api_of, make_house, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def test_an_address_that_does_not_exist_is_a_problem_document() -> None:
    problem_of(Api().get("/static/here"), 404, "not_found")
    problem_of(Api().get("/api/v1/projects/"), 404, "not_found")


def test_a_request_id_of_the_caller_comes_back_and_a_strange_one_is_replaced() -> None:
    assert Api().get("/nothing", X_Request_ID="abc-123")["X-Request-ID"] == "abc-123"
    strange = Api().get("/nothing", X_Request_ID="a b<script>")["X-Request-ID"]
    assert strange != "a b<script>" and len(strange) == 16


def test_no_sign_in_says_how_to_sign_in() -> None:
    response = Api().get("projects")
    problem_of(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "headers", "raw", "want_status", "want_code"),
    [
        pytest.param("PATCH", "projects", {}, b"{}", 405, "method_not_allowed", id="a method the address lacks"),
        pytest.param(
            "PUT", "projects/x/secrets", {}, b"{}", 405, "method_not_allowed", id="a method only its items have"
        ),
        pytest.param("OPTIONS", "projects", {}, b"", 405, "method_not_allowed", id="options tell nothing"),
        pytest.param(
            "POST", "projects", {"Content_Type": "text/xml"}, b"<a/>", 415, "unsupported_media_type", id="xml"
        ),
        pytest.param("GET", "projects", {"Accept": "text/html"}, b"", 406, "not_acceptable", id="html wanted"),
        pytest.param("POST", "projects", {}, b'{"slug": ', 400, "malformed", id="cut json"),
        pytest.param("POST", "projects", {}, b'{"slug": "\xff"}', 400, "malformed", id="not utf-8"),
        pytest.param("POST", "projects", {}, b'{"a": NaN}', 400, "malformed", id="nan"),
        pytest.param("POST", "projects", {}, b'{"a": 1, "a": 2}', 400, "malformed", id="a name twice"),
        pytest.param("POST", "projects", {}, b"1" * 5000, 400, "malformed", id="a number of 5000 digits"),
        pytest.param("POST", "projects", {}, b"[" * 100_000, 400, "malformed", id="100,000 brackets"),
        pytest.param("POST", "projects", {}, b"[]", 422, "invalid", id="a list for an object"),
        pytest.param("POST", "projects", {}, b"null", 422, "invalid", id="null for an object"),
        pytest.param("GET", "projects?page_size=0", {}, b"", 422, "invalid", id="page size 0"),
        pytest.param("GET", "projects?page_size=x", {}, b"", 422, "invalid", id="page size x"),
        pytest.param("GET", "projects?cursor=abc", {}, b"", 422, "cursor", id="a made-up cursor"),
        pytest.param("GET", "projects?serach=a", {}, b"", 422, "invalid", id="a misspelt parameter"),
        pytest.param("GET", "projects?search=a&search=b", {}, b"", 422, "invalid", id="a parameter twice"),
        pytest.param("GET", "projects?fields=slgu", {}, b"", 422, "invalid", id="a misspelt field"),
    ],
)
def test_every_client_error_has_its_status_code_and_next_step(
    method: str, path: str, headers: dict[str, str], raw: bytes, want_status: int, want_code: str
) -> None:
    house = make_house()
    problem_of(house.api["owner"].call(method, path, raw=raw, **headers), want_status, want_code)


def test_a_misspelt_field_names_the_nearest_and_all_errors_come_at_once() -> None:
    api = api_of(make_user())
    document = problem_of(
        api.post("projects", {"slgu": "x", "title": 7, "default_max_cost_micros": True}), 422, "invalid"
    )
    found = {e["pointer"]: e for e in document["errors"]}
    assert found["/slgu"]["nearest"] == "slug" and "title" in found["/slgu"]["allowed"]
    assert found["/title"]["found"] == 7 and found["/title"]["allowed"] == "a text"
    assert found["/default_max_cost_micros"]["found"] is True


def test_a_choice_says_what_is_allowed_and_what_was_found() -> None:
    house = make_house()
    response = house.api["owner"].post(f"projects/{house.project.slug}/members", {"username": "x", "role": "viewr"})
    entry = problem_of(response, 422)["errors"][0]
    assert entry["found"] == "viewr" and entry["nearest"] == "viewer" and "owner" in entry["allowed"]


def test_a_password_is_never_repeated_in_an_error() -> None:
    api = Api()
    token = api.get("login").json()["csrf_token"]
    response = api.post("login", {"username": "x", "password": ["hunter2-secret"]}, X_CSRFToken=token)
    problem_of(response, 422)
    assert b"hunter2" not in response.content


def test_an_unknown_exception_tells_its_request_id_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret-canary /etc/passwd")

    monkeypatch.setattr("fubini.projects.apis.projects_visible", broken)
    response = api_of(make_user()).get("projects")
    problem_of(response, 500, "internal")
    assert b"canary" not in response.content and b"Traceback" not in response.content


def test_an_exception_in_the_middleware_layers_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret-canary")

    monkeypatch.setattr("fubini.dispatch.health.platform_status", broken)
    response = Api().get("/readyz")
    problem_of(response, 500, "internal")
    assert b"canary" not in response.content


def test_a_deeper_error_uses_the_next_step_of_its_kind() -> None:
    assert "history" in next_step_of(InvalidTransition("x"))
    assert next_step_of(FubiniError("x"))


def test_an_error_lists_at_most_fifty_and_counts_the_rest() -> None:
    document = problem(FubiniError("x", errors=[{"code": str(n)} for n in range(70)]))
    assert len(document["errors"]) == 50 and document["errors_left_off"] == 20


def test_extra_data_cannot_overwrite_the_members_of_the_document() -> None:
    document = problem(FubiniError("x", status=200, code="fine", missing_micros=5))
    assert document["status"] == 400 and document["code"] == "error" and document["missing_micros"] == 5


def test_waiting_time_is_a_whole_number_of_at_least_one_second() -> None:
    assert headers_of(FubiniError("x", retry_after_s=0.2))["Retry-After"] == "1"


def test_django_own_error_handlers_answer_in_the_same_shape() -> None:
    request = RequestFactory().get("/")
    for response, status in (
        (errors.bad_request(request), 400),
        (errors.permission_denied(request), 403),
        (errors.csrf_failure(request), 403),
        (errors.server_error(request), 500),
    ):
        assert response.status_code == status
        assert json.loads(response.content)["status"] == status


def test_an_api_exception_of_a_library_is_not_repeated_to_the_client() -> None:
    assert errors.as_fubini(APIException("secret-canary")).http_status == 500
    assert "canary" not in json.dumps(problem(errors.as_fubini(APIException("secret-canary"))))


def test_spaces_count_for_the_length_of_a_query_text() -> None:
    house = make_house()
    problem_of(house.api["viewer"].get(f"runs?search=a{'%09' * 200}"), 422, "invalid")
    assert house.api["viewer"].get(f"runs?search=a{'%09' * 20}").status_code == 200


def test_spaces_count_for_the_length_of_a_text_in_a_body() -> None:
    house = make_house()
    body = {"title": "a" + "\t" * 200}
    problem_of(house.api["maintainer"].patch(f"projects/{house.project.slug}", body), 422, "invalid")
