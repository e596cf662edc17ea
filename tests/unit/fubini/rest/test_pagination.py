"""Cursor pages neither skip nor repeat, whatever is added meanwhile."""

from __future__ import annotations

from urllib.parse import parse_qs, urlparse

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.audit.services import audit_append
from fubini.projects.models import Membership, Project
from tests.support.rest import Api, api_of, make_admin, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def _api_with_projects(count: int) -> Api:
    user = make_user()
    for number in range(count):
        project = Project.objects.create(slug=f"p-{number:03}")
        Membership.objects.create(project=project, user=user, role="viewer")
    return api_of(user)


def _slugs(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [row["slug"] for row in page["results"]]


def test_pages_forward_and_back_show_every_row_once() -> None:
    api = _api_with_projects(23)
    seen: list[str] = []
    page = api.get("projects?page_size=5").json()
    pages = [page]
    while True:
        seen += _slugs(page)
        if not page["next"]:
            break
        page = api.get(page["next"].removeprefix("http://testserver")).json()
        pages.append(page)
    assert seen == [f"p-{n:03}" for n in range(23)]
    for earlier in reversed(pages[:-1]):
        page = api.get(page["previous"].removeprefix("http://testserver")).json()
        assert _slugs(page) == _slugs(earlier)
    assert page["previous"] is None


def test_rows_added_between_pages_do_not_move_the_later_ones() -> None:
    api = _api_with_projects(10)
    first = api.get("projects?page_size=5").json()
    user = make_user()
    project = Project.objects.create(slug="p-0001")
    Membership.objects.create(project=project, user=user, role="viewer")
    second = api.get(first["next"].removeprefix("http://testserver")).json()
    assert _slugs(second) == [f"p-{n:03}" for n in range(5, 10)]


def test_links_are_in_the_header_too_and_keep_the_filters() -> None:
    response = _api_with_projects(4).get("projects?page_size=2&search=p-")
    assert 'rel="next"' in response["Link"]
    query = parse_qs(urlparse(response.json()["next"]).query)
    assert query["search"] == ["p-"] and query["page_size"] == ["2"]


def test_a_cursor_of_another_list_or_a_changed_one_is_refused() -> None:
    admin = make_admin()
    api = api_of(admin)
    for number in range(3):
        audit_append(actor="x", action="test", target=str(number))
    cursor = parse_qs(urlparse(api.get("audit?page_size=1").json()["next"]).query)["cursor"][0]
    problem_of(api.get(f"projects?cursor={cursor}"), 422, "cursor")
    problem_of(api.get(f"audit?cursor={cursor[:-2]}xx"), 422, "cursor")


def test_only_the_fields_asked_for_are_shown() -> None:
    page = _api_with_projects(1).get("projects?fields=slug,my_role").json()
    assert page["results"] == [{"slug": "p-000", "my_role": "viewer"}]


def test_lists_cost_fewer_than_ten_queries_however_long() -> None:
    api = _api_with_projects(60)
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert len(api.get("projects?page_size=50").json()["results"]) == 50
    assert len(caught) < 10
