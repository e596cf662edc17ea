"""How views become OpenAPI operations: what drf-spectacular cannot know from a serializer."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter


class CommaListSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "fubini.rest.serializers.CommaList"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        choices = self.target.choices
        if choices is None:
            return {"type": "string"}
        one = "|".join(re.escape(choice) for choice in choices)
        return {"type": "string", "pattern": f"^(({one})(,({one}))*)?$"}


_PROBLEM = {
    "type": "object",
    "description": "An error: clients branch on `code`, people read `detail` and `next_step`.",
    "required": ["type", "title", "status", "code", "detail", "next_step", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "next_step": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body."},
                    "path": {"type": "string", "description": "A parameter's name or a manifest's field path."},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "found": {},
                    "allowed": {},
                    "nearest": {"type": "string"},
                    "next_step": {"type": "string"},
                },
            },
        },
    },
}


# Serializers of several apps that have the same name: theirs gets the app's in front.
_AMBIGUOUS = frozenset({"VersionOut", "VersionCreate", "EntryOut"})


class Schema(AutoSchema):
    """Adds `fields`, `Idempotency-Key` and tags by the first part of the path."""

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = []
        spec = getattr(self.view, "operation", None)
        if self.method == "POST" and spec is not None and not spec.public:
            found.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    str,
                    "header",
                    description="Sent again within 24 hours with the same request, the first reply is given again.",
                )
            )
        if spec is not None and spec.reply is not None:
            found.append(
                OpenApiParameter(
                    "fields",
                    {"type": "string", "minLength": 1, "pattern": "^[a-z_]+(,[a-z_]+)*$"},
                    "query",
                    description="Only these fields of the reply, by commas.",
                )
            )
        return found

    def _get_paginator(self) -> Any:
        spec = getattr(self.view, "operation", None)
        if spec is not None and not spec.paged:
            return None
        return super()._get_paginator()  # type: ignore[no-untyped-call]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name = str(super().get_serializer_name(serializer, direction))
        if name in _AMBIGUOUS:
            app = type(serializer).__module__.split(".")[1]
            return app.removesuffix("s").capitalize() + name
        return name

    def get_tags(self) -> list[str]:
        parts = [p for p in self.path.split("/") if p and not p.startswith("{")]
        rest = parts[parts.index("v1") + 1 :] if "v1" in parts else parts
        return [rest[0] if rest else "platform"]

    def get_operation_id(self) -> str:
        """``projects_members_list``: the path's words and the view's action."""
        parts = [p for p in self.path.split("/") if p and not p.startswith("{")]
        words = parts[parts.index("v1") + 1 :] if "v1" in parts else parts
        action = getattr(self.view, "action", None) or str(self.method).lower()
        return "_".join([*words, action]).replace("-", "_").replace(".", "_")


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing: every operation may answer with a problem; request objects take no other fields."""
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    components.setdefault("responses", {})["Problem"] = {
        "description": "An error, as `application/problem+json`.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for name, schema in schemas.items():
        if name.endswith("Request") and schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    for path in result.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"]["4XX"] = {"$ref": "#/components/responses/Problem"}
                operation["responses"]["5XX"] = {"$ref": "#/components/responses/Problem"}
    return result
