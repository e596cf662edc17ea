"""Manifests are checked, nothing is run."""

from tests.support.checking import check_only_engine

__all__ = ["check_only_engine"]
