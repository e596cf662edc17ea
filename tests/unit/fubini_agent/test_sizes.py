"""Which volumes have outgrown their sizes."""

from __future__ import annotations

from pathlib import Path

from fubini_agent.staging.sizes import Limited, Sizes


def fill(folder: Path, name: str, count: int) -> None:
    (folder / name).write_bytes(b"x" * count)


def test_scratch_is_over_at_once_and_a_disk_only_for_who_made_it_grow(tmp_path: Path) -> None:
    scratch, disk = tmp_path / "scratch", tmp_path / "disk"
    for folder in (scratch, disk):
        folder.mkdir()
        fill(folder, "old", 200_000)
    sizes = Sizes()
    reader = Limited("reader", "data", disk, 100_000, True)
    small, large = (Limited("a", "w", scratch, size, False) for size in (100_000, 400_000))
    assert sizes.look([large, reader]) == {}
    assert set(sizes.look([small, reader])) == {"a"}
    fill(disk, "new", 200_000)
    late = Limited("late", "data", disk, 100_000, True)
    over = sizes.look([reader, late])
    assert set(over) == {"reader"}
    assert over["reader"].startswith('Usage of the run\'s disk "data" exceeds the limit: 4')


def test_what_an_ended_attempt_was_measured_at_is_forgotten(tmp_path: Path) -> None:
    sizes = Sizes()
    sizes.look([Limited("a", "w", tmp_path, 1, True)])
    assert sizes.first
    sizes.look([])
    assert not sizes.first
