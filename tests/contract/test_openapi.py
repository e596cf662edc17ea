"""The published schema is the code's: whole, valid, without a warning, and every route is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from tests.support.routes import routes

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
NOT_REST = {"/healthz", "/readyz", "/api/schema", "/api/docs"}
NOT_OURS = ("/agent/", "/accounts/oidc/")  # the agents' door, and the way to an identity provider and back


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("openapi") / "openapi.yaml"
    call_command("spectacular", file=str(path), validate=True, fail_on_warn=True)
    return path.read_text()


def test_the_published_schema_is_current(generated: str) -> None:
    assert PUBLISHED.read_text() == generated, (
        "docs/openapi.yaml is old; run: python manage.py spectacular --file docs/openapi.yaml"
    )


def test_every_route_and_method_is_in_the_schema(generated: str) -> None:
    paths = yaml.safe_load(generated)["paths"]
    for route in routes():
        if route.path in NOT_REST or route.path.startswith(NOT_OURS):
            continue
        for method in set(route.methods) - {"HEAD"}:  # the generator knows no HEAD
            assert method.lower() in paths.get(route.path, {}), f"{method} {route.path}"


def test_every_operation_says_how_it_fails_and_has_its_own_name(generated: str) -> None:
    names = []
    for path, methods in yaml.safe_load(generated)["paths"].items():
        for method, operation in methods.items():
            assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}, (method, path)
            assert operation["summary"], (method, path)
            names.append(operation["operationId"])
    assert len(set(names)) == len(names)


def test_request_bodies_take_no_unknown_fields(generated: str) -> None:
    schemas = yaml.safe_load(generated)["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith("Request")]
    assert len(bodies) > 20
    assert all(schemas[name].get("additionalProperties") is False for name in bodies if "properties" in schemas[name])
