"""Runs on real rows with the real engine."""

from tests.unit.fubini.runs.reuse.conftest import check_only_engine, house, place

__all__ = ["check_only_engine", "house", "place"]
