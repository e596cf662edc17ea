"""The base every REST view stands on: declared operations, strict input, pages, ETags, idempotent POSTs.

A resource is one `ApiViews` subclass; each method is an `@operation` whose query, body and reply serializers both drive
the parsing and make the OpenAPI document. Order inside a method: find the object (404 before anything about the body
is said), `authorize`, then `self.body`. Views parse, call a service or selector, and render; nothing else.

    class PipelineViews(ApiViews):
        @operation("List a project's pipelines.", query=PipelineFilter, reply=PipelineOut, many=True)
        def list(self, request: Request) -> Response:
            project = project_get(self.principal, self.params["project"])
            return self.page(pipelines_of(project, search=self.params.get("search")), ("name", "id"))

        @operation("Rename it.", body=PipelineChange, reply=PipelineOut, if_match=True)
        def update(self, request: Request, id: str) -> Response:
            row = ...
            self.match(row)                     # 412 / 428
            return self.reply(pipeline_update(row=row, **self.body), etag=row)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.pagination import BasePagination
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from fubini.common.errors import Forbidden
from fubini.common.saying import say
from fubini.rest.errors import PreconditionFailed, PreconditionRequired
from fubini.rest.idempotency import idempotent
from fubini.rest.pagination import PAGE_SIZE, CursorPages, FirstPage
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer

if TYPE_CHECKING:
    from fubini.common.principal import Principal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
View = TypeVar("View", bound=Callable[..., Any])


class NoParameters(QuerySerializer):
    """An operation without query parameters of its own."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a view method declared."""

    query: type[QuerySerializer]
    body: type[BodySerializer] | None
    reply: type[ReplySerializer] | None
    many: bool
    paged: bool
    status: int
    public: bool
    reads: bool
    secret: bool
    if_match: bool


def operation(
    summary: str,
    *,
    query: type[QuerySerializer] = NoParameters,
    body: type[BodySerializer] | None = None,
    reply: type[ReplySerializer] | None = None,
    many: bool = False,
    paged: bool | None = None,
    status: int = 200,
    public: bool = False,
    reads: bool = False,
    secret: bool = False,
    if_match: bool = False,
    raw_reply: Any = None,
    tags: Sequence[str] | None = None,
    operation_id: str | None = None,
) -> Callable[[View], View]:
    """Declare a view method.

    Args:
        many: the reply is a list; `paged` (default: same) says it comes in cursor pages.
        status: of the success; 204 has no body.
        public: needs no sign-in.
        reads: a POST that changes nothing: a token with the scope ``read`` may send it.
        secret: the reply shows a secret once, so it is not kept for a repeated Idempotency-Key.
        if_match: the operation changes a row that has an ETag and wants `If-Match` (see `ApiViews.match`).
        raw_reply: what drf-spectacular takes as a response, for replies that are not our serializers.
    """
    pages = many if paged is None else paged
    spec = Operation(query, body, reply, many, pages, status, public, reads, secret, if_match)
    answer: Any = raw_reply if raw_reply is not None else (reply(many=many) if reply is not None else None)
    if isinstance(answer, dict):
        responses = answer
    else:
        responses = {status: answer}

    def declare(method: View) -> View:
        method.operation = spec  # type: ignore[attr-defined]
        parameters: list[Any] = [query] if query is not NoParameters else []
        if if_match:
            parameters.append(
                OpenApiParameter(
                    "If-Match", str, "header", required=False, description="The `ETag` of your last read, or `*`."
                )
            )
        options: dict[str, Any] = {"operation_id": operation_id} if operation_id else {}
        if tags:
            options["tags"] = list(tags)
        if public:
            options["auth"] = []
        decorated: View = extend_schema(
            summary=summary.rstrip("."),
            description=(method.__doc__ or "").strip() or summary,
            parameters=parameters,
            request=body,
            responses=responses,
            **options,
        )(method)
        return decorated

    return declare


class HasScope(BasePermission):
    """A token needs the scope ``write`` for what changes something; roles are `authorize`'s business."""

    def has_permission(self, request: Request, view: Any) -> bool:
        spec: Operation | None = view.operation
        principal: Any = request.auth
        if principal is None or (spec is not None and spec.public):
            return True
        needed = "read" if request.method in SAFE_METHODS or (spec is not None and spec.reads) else "write"
        if needed not in principal.scopes:
            raise Forbidden(
                say(
                    "The token lacks the scope {needed!r}; it has {names}.",
                    needed=needed,
                    names=", ".join(sorted(principal.scopes)) or "none",
                ),
                next_step=say("Use a token with the scope {needed!r}.", needed=needed),
            )
        return True


class ApiViews(GenericViewSet):  # type: ignore[type-arg]
    """Base of all resources; see the module's example."""

    pagination_class: ClassVar[type[BasePagination]] = CursorPages  # type: ignore[misc]
    filter_backends: ClassVar[Sequence[Any]] = ()  # type: ignore[misc]
    serializer_class: ClassVar[Any] = None  # type: ignore[misc]
    queryset: ClassVar[Any] = None  # type: ignore[misc]

    @property
    def operation(self) -> Operation | None:
        """What the method in charge declared."""
        method = getattr(self, self.action or "", None)
        return getattr(method, "operation", None)

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return cast("Principal", self.request.auth)

    @property
    def params(self) -> dict[str, Any]:
        """The validated query parameters."""
        return self._params

    @property
    def body(self) -> dict[str, Any]:
        """The validated body; validated at first use, so that a 404 comes before any word about the body."""
        if not hasattr(self, "_body"):
            spec = self.operation
            assert spec is not None and spec.body is not None, "the operation declares no body"
            self._body = spec.body.read(self.request.data, partial=self.request.method == "PATCH")
        return self._body

    def get_permissions(self) -> list[Any]:
        spec = self.operation
        return [AllowAny()] if spec is not None and spec.public else [IsAuthenticated(), HasScope()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        spec = self.operation
        if spec is None:
            return
        extra = {"fields"} if spec.reply is not None else set()
        if spec.paged:
            extra |= {"cursor", "page_size"}
        self._params = spec.query.read(request.query_params, frozenset(extra))
        wanted = request.query_params.get("fields") if spec.reply is not None else None
        self._only = spec.reply.only(wanted) if spec.reply is not None and wanted is not None else None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """DRF's dispatch, with the handler of a POST run under its Idempotency-Key."""
        self.args, self.kwargs = args, kwargs
        drf_request = self.initialize_request(request, *args, **kwargs)
        self.request = drf_request
        self.headers = self.default_response_headers
        try:
            self.initial(drf_request, *args, **kwargs)
            name = (drf_request.method or "").lower()
            # An action may itself be called `put`: on a route that does not map the method it is no handler.
            mapped = name == "options" or name in (getattr(self, "action_map", None) or self.http_method_names)
            handler = getattr(self, name, None) if mapped and name in self.http_method_names else None
            if handler is None:
                handler = self.http_method_not_allowed
            spec = self.operation
            if name == "post" and spec is not None and drf_request.auth is not None:
                prepare = getattr(self, f"prepare_{self.action}", None)
                if prepare is not None:
                    prepare(drf_request, *args, **kwargs)
                # What changes nothing may be done twice, and may wait: it must hold no transaction open.
                response = (
                    handler(drf_request, *args, **kwargs)
                    if spec.reads
                    else idempotent(
                        drf_request,
                        self.principal.actor,
                        lambda: handler(drf_request, *args, **kwargs),
                        secret=spec.secret,
                    )
                )
            else:
                response = handler(drf_request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(drf_request, response, *args, **kwargs)
        return self.response

    def reply(
        self, value: Any = None, *, status: int | None = None, etag: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        """Render `value` with the operation's reply serializer.

        Args:
            etag: the row whose version the reply shows; a GET whose `If-None-Match` names it is answered 304.
        """
        spec = self.operation
        assert spec is not None
        more = dict(headers or {})
        if etag is not None:
            more["ETag"] = etag_of(etag)
            wanted = self.request.headers.get("If-None-Match", "")
            if self.request.method in SAFE_METHODS and more["ETag"] in [w.strip() for w in wanted.split(",")]:
                return Response(status=304, headers=more)
        if spec.reply is None or (status or spec.status) == 204:
            return Response(
                status=status or (204 if spec.reply is None and spec.status == 200 else spec.status), headers=more
            )
        data = spec.reply(value, many=spec.many, context=self.get_serializer_context()).data
        return Response(data, status=status or spec.status, headers=more)

    def page(self, queryset: QuerySet[Any], ordering: Sequence[str]) -> Response:
        """One cursor page of a queryset; `ordering` ends in a unique column (see `CursorPages`)."""
        spec = self.operation
        assert spec is not None and spec.reply is not None
        pages = CursorPages()
        rows = pages.paginate(queryset, self.request, ordering)
        return pages.reply(spec.reply(rows, many=True, context=self.get_serializer_context()).data)

    def first(
        self, queryset: QuerySet[Any], ordering: Sequence[str], *, path: str, size: int = PAGE_SIZE, **given: str
    ) -> FirstPage:
        """The first page of a list, as a part of a page's one answer.

        Args:
            path: the list's own route below ``/api/v1/``, where `next` goes on; `ordering` is that route's.
            given: the query parameters the list is asked with there.
        """
        return CursorPages().first(queryset, self.request, ordering, path=f"/api/v1/{path}", given=given, size=size)

    def match(self, row: Any, *, required: bool = True) -> int | None:
        """Check `If-Match` against the row's ETag; the version the caller has seen (None for ``*``), for the
        service's compare-and-set.

        Raises:
            PreconditionRequired: no `If-Match`, and it is required.
            PreconditionFailed: the row is another version by now.
        """
        given = self.request.headers.get("If-Match")
        if given is None:
            if required:
                raise PreconditionRequired("This change needs `If-Match`, so that it cannot undo somebody else's.")
            return None
        if given.strip() == "*":
            return None
        tags = [tag.strip() for tag in given.split(",")]
        if etag_of(row) not in tags:
            raise PreconditionFailed("The `ETag` you sent is not the object's present one.", found=given[:120])
        return version_of(row)

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if getattr(self, "_only", None) is not None:
            context["only"] = self._only
        return context


def etag_of(row: Any) -> str:
    """A row's ETag: its key and version."""
    return f'"{row.pk}.{version_of(row)}"'


def version_of(row: Any) -> int:
    """The number a row's compare-and-set goes by (an agent's `version` is its software's)."""
    return int(getattr(row, "row_version", None) or row.version)
