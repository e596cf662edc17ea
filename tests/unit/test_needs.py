"""The table of needs itself."""

from __future__ import annotations

import pytest

from tests import needs


def test_every_need_says_how_to_get_it() -> None:
    assert all(need.what and need.get for need in needs.NEEDS.values())


def test_only_what_cannot_be_installed_may_be_missing_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    assert {name for name in needs.NEEDS if not needs.must_fail(name)} == {
        "gpu",
        "cluster",
        "controller",
        "argo-cli",
        "shared",
    }
    monkeypatch.delenv("CI")
    assert not any(needs.must_fail(name) for name in needs.NEEDS)


def test_an_unknown_need_is_an_error_not_a_skip() -> None:
    with pytest.raises(KeyError, match="no need 'gpus'"):
        needs.missing("gpus")
