"""Routes of planning, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.dispatch.apis import OverviewViews, QuoteViews, RetryViews, StartViews, StatusViews, WhyViews
from fubini.dispatch.data_apis import DatasetPageViews, ProjectDataViews
from fubini.dispatch.estate_apis import EstateViews
from fubini.dispatch.gallery_apis import GalleryViews
from fubini.dispatch.launch_apis import LaunchViews
from fubini.dispatch.money_apis import MoneyViews
from fubini.dispatch.place_apis import PlacementViews, PlacesViews
from fubini.dispatch.price_apis import PriceBookViews
from fubini.dispatch.quota_apis import QuotaViews
from fubini.dispatch.settings_apis import SettingsViews
from fubini.dispatch.step_apis import StepViews
from fubini.dispatch.vault_apis import VaultViews

urlpatterns = [
    path("projects/<str:ref>/gallery", GalleryViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/launch", LaunchViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/launch/check", LaunchViews.as_view({"post": "check"})),
    path("projects/<str:ref>/data", ProjectDataViews.as_view({"get": "retrieve"})),
    path("datasets/<str:id>/overview", DatasetPageViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/places", PlacesViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/overview", OverviewViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/money", MoneyViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/money/forecast", MoneyViews.as_view({"get": "forecast"})),
    path("projects/<str:ref>/money/months", MoneyViews.as_view({"post": "close"})),
    path("projects/<str:ref>/money/corrections", MoneyViews.as_view({"post": "correct"})),
    path("projects/<str:ref>/money/<str:month>.csv", MoneyViews.as_view({"get": "statement"})),
    path("projects/<str:ref>/settings", SettingsViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/quotas/overview", QuotaViews.as_view({"get": "overview"})),
    path("projects/<str:ref>/quotas", QuotaViews.as_view({"get": "list", "patch": "update"})),
    path("admin/sites", EstateViews.as_view({"get": "list"})),
    path("admin/sites/<str:ref>", EstateViews.as_view({"delete": "destroy"})),
    path("admin/prices", PriceBookViews.as_view({"get": "list"})),
    path("admin/prices.csv", PriceBookViews.as_view({"get": "csv"})),
    path("admin/prices/csv", PriceBookViews.as_view({"post": "load"})),
    path("pools/<str:id>/prices/preview", PriceBookViews.as_view({"post": "preview"})),
    path("projects/<str:ref>/vault", VaultViews.as_view({"get": "retrieve"})),
    path("status", StatusViews.as_view({"get": "retrieve"})),
    path("quotes", QuoteViews.as_view({"post": "create"})),
    path("runs/<str:id>/retry", RetryViews.as_view({"post": "create"})),
    path("runs/<str:id>/retry/proposal", RetryViews.as_view({"post": "proposal"})),
    path("runs/<str:id>/placement", PlacementViews.as_view({"get": "retrieve"})),
    path("runs/<str:id>/nodes/<str:node>/overview", StepViews.as_view({"get": "overview"})),
    path("runs/<str:id>/why", WhyViews.as_view({"get": "run"})),
    path("tasks/<str:id>/start", StartViews.as_view({"get": "retrieve", "post": "create"})),
    path("tasks/<str:id>/start/ask", StartViews.as_view({"post": "ask"})),
    path("tasks/<str:id>/why", WhyViews.as_view({"get": "task"})),
]
