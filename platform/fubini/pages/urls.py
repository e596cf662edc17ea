"""Routes of the pages: what each opens with, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.pages.data_apis import DatasetPageViews, ProjectDataViews
from fubini.pages.estate_apis import EstateViews
from fubini.pages.gallery_apis import GalleryViews
from fubini.pages.launch_apis import LaunchViews
from fubini.pages.money_apis import MoneyViews
from fubini.pages.overview_apis import OverviewViews
from fubini.pages.place_apis import PlacementViews, PlacesViews
from fubini.pages.price_apis import PriceBookViews
from fubini.pages.settings_apis import SettingsViews
from fubini.pages.step_apis import StepViews
from fubini.pages.vault_apis import VaultViews

urlpatterns = [
    path("projects/<str:ref>/gallery", GalleryViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/launch", LaunchViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/launch/check", LaunchViews.as_view({"post": "check"})),
    path("projects/<str:ref>/data", ProjectDataViews.as_view({"get": "retrieve"})),
    path("datasets/<str:id>/overview", DatasetPageViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/places", PlacesViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/overview", OverviewViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/money", MoneyViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/money/spend", MoneyViews.as_view({"get": "spend"})),
    path("projects/<str:ref>/prices", MoneyViews.as_view({"get": "prices"})),
    path("projects/<str:ref>/money/forecast", MoneyViews.as_view({"get": "forecast"})),
    path("projects/<str:ref>/money/months", MoneyViews.as_view({"post": "close"})),
    path("projects/<str:ref>/money/corrections", MoneyViews.as_view({"post": "correct"})),
    path("projects/<str:ref>/money/<str:month>.csv", MoneyViews.as_view({"get": "statement"})),
    path("projects/<str:ref>/settings", SettingsViews.as_view({"get": "retrieve"})),
    path("admin/sites", EstateViews.as_view({"get": "list"})),
    path("admin/sites/<str:ref>", EstateViews.as_view({"delete": "destroy"})),
    path("admin/prices", PriceBookViews.as_view({"get": "list"})),
    path("admin/prices.csv", PriceBookViews.as_view({"get": "csv"})),
    path("admin/prices/csv", PriceBookViews.as_view({"post": "load"})),
    path("pools/<str:id>/prices/preview", PriceBookViews.as_view({"post": "preview"})),
    path("projects/<str:ref>/vault", VaultViews.as_view({"get": "retrieve"})),
    path("runs/<str:id>/placement", PlacementViews.as_view({"get": "retrieve"})),
    path("runs/<str:id>/nodes/<str:node>/overview", StepViews.as_view({"get": "overview"})),
]
