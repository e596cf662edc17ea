"""Routes of money, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.ledger import apis

urlpatterns = [
    path("ledger/check", apis.Books.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/budget", apis.Budget.as_view({"get": "retrieve", "post": "topup"})),
    path("projects/<str:ref>/ledger", apis.Budget.as_view({"get": "statement"})),
    path("projects/<str:ref>/ledger.csv", apis.Budget.as_view({"get": "statement_csv"})),
    path("projects/<str:ref>/costs", apis.Budget.as_view({"get": "by_run"})),
]
