"""Every route of the platform; the only module that sees every app's urls."""

from __future__ import annotations

from allauth.socialaccount.providers.openid_connect import views as oidc
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from fubini.dispatch.health import healthz, readyz
from fubini.projects.streams import events
from fubini.rest.pages import page

API = (
    "accounts",
    "audit",
    "projects",
    "flags",
    "sites",
    "ledger",
    "datasets",
    "secrets",
    "pipelines",
    "runs",
    "links",
    "notices",
    "crons",
    "dispatch",
    "pages",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/oidc/<str:provider_id>/login/", oidc.login, name="openid_connect_login"),
    path("accounts/oidc/<str:provider_id>/login/callback/", oidc.callback, name="openid_connect_callback"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("api/v1/events", events),
    *[path("api/v1/", include(f"fubini.{app}.urls")) for app in API],
    path("api/schema", SpectacularAPIView.as_view()),
    path("api/docs", SpectacularSwaggerView.as_view(url="/api/schema")),
    path("", include("fubini.gateway.urls")),
    path("", include("fubini.compat.argo.urls")),
    re_path(r"^(?!(?:accounts|agent|api|artifact-files|artifacts|input-artifacts|static)(?:/|$))(?P<path>.*)$", page),
]

handler400 = "fubini.rest.errors.bad_request"
handler403 = "fubini.rest.errors.permission_denied"
handler404 = "fubini.rest.errors.page_not_found"
handler500 = "fubini.rest.errors.server_error"
