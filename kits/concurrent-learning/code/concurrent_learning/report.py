"""Judging the finished run on the reporting half of the held-out frames, and showing it.

`judge` decides the figures; `write_table` and `draw` only show them. The reporting half is read here and nowhere else,
so no step could have been steered by it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from concurrent_learning.frames import Array, Frames
from concurrent_learning.history import Entry
from concurrent_learning.model import rmse


def formula(symbols: tuple[str, ...]) -> str:
    """The molecule's formula in Hill's order: carbon, hydrogen, then by the alphabet."""
    order = sorted(set(symbols), key=lambda symbol: (symbol != "C", symbol != "H", symbol))
    return "".join(symbol + (str(count) if (count := symbols.count(symbol)) > 1 else "") for symbol in order)


@dataclass(frozen=True)
class Row:
    """One iteration's figures. Forces in eV/angstrom, energies in meV per atom."""

    iteration: int
    labels: int
    rmse_stopping: float
    rmse_reporting: float
    energy_rmse_mev_atom: float
    deviation_mean: float


def judge(history: list[Entry], reporting: Frames, threshold: float) -> dict[str, Any]:
    """The run's result: `rmse_first` and `rmse_last` on the reporting half, labels, iterations and one row each."""
    wanted = reporting.labelled_forces()
    rows = []
    for entry in history:
        energies, forces = entry.committee.predict(reporting.positions)
        per_atom = 1000.0 / len(reporting.symbols)
        rows.append(
            Row(
                iteration=entry.iteration,
                labels=entry.labels,
                rmse_stopping=entry.rmse_stopping,
                rmse_reporting=rmse(forces.mean(axis=0), wanted),
                energy_rmse_mev_atom=rmse(energies.mean(axis=0), reporting.energies) * per_atom,
                deviation_mean=entry.deviation_mean,
            )
        )
    first, last = rows[0], rows[-1]
    return {
        "molecule": formula(reporting.symbols),
        "rmse_first": first.rmse_reporting,
        "rmse_last": last.rmse_reporting,
        "ratio": last.rmse_reporting / first.rmse_reporting,
        "labels": last.labels,
        "iterations": len(rows),
        "reporting_frames": len(reporting),
        "threshold": threshold,
        "stopped_by": "threshold" if last.rmse_stopping <= threshold else "iterations",
        "force_scale": float(np.sqrt(np.mean(wanted**2))),
        "rows": [asdict(row) for row in rows],
    }


def parity(history: list[Entry], reporting: Frames) -> dict[str, Array]:
    """Force components of the reporting half: DFT's, the first committee's and the last's, each flat."""
    return {
        "wanted": reporting.labelled_forces().ravel(),
        "first": history[0].committee.mean_forces(reporting.positions).ravel(),
        "last": history[-1].committee.mean_forces(reporting.positions).ravel(),
    }


def write_table(path: Path, result: dict[str, Any]) -> None:
    """The result as a Markdown page."""
    lines = [
        f"# Concurrent learning of {result['molecule']}",
        "",
        f"Force error on {result['reporting_frames']} held-out DFT frames that took no part in any decision: "
        f"{result['rmse_first']:.4f} eV/Å after the first training, {result['rmse_last']:.4f} eV/Å at the end "
        f"({result['ratio']:.2f} of it), with {result['labels']} labels. "
        f"Stopped by the {'error threshold' if result['stopped_by'] == 'threshold' else 'cap on iterations'}; "
        f"a typical force in these frames is {result['force_scale']:.2f} eV/Å.",
        "",
        "| iteration | labels | force RMSE, reporting half (eV/Å) | force RMSE, stopping half (eV/Å) "
        "| energy RMSE (meV/atom) | mean deviation (eV/Å) |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['iteration']} | {row['labels']} | {row['rmse_reporting']:.4f} | {row['rmse_stopping']:.4f} "
        f"| {row['energy_rmse_mev_atom']:.2f} | {row['deviation_mean']:.4f} |"
        for row in result["rows"]
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(path: Path, result: dict[str, Any], pairs: dict[str, Array]) -> None:
    """The plot: errors against labels, and predicted against DFT forces, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = [row["labels"] for row in result["rows"]]
    left.plot(labels, [row["rmse_reporting"] for row in result["rows"]], "o-", label="reporting half")
    left.plot(labels, [row["rmse_stopping"] for row in result["rows"]], "s--", label="stopping half")
    left.axhline(result["threshold"], color="0.5", linewidth=1, linestyle=":", label="stop below")
    left.set_xlabel("DFT labels in the training set")
    left.set_ylabel("force RMSE, held-out frames (eV/Å)")
    left.set_xticks(labels)
    left.set_ylim(bottom=0.0)
    left.legend(frameon=False)
    limit = 1.05 * float(np.abs(pairs["wanted"]).max())
    right.plot([-limit, limit], [-limit, limit], color="0.7", linewidth=1)
    right.plot(pairs["wanted"], pairs["first"], ".", color="C1", markersize=5, label=f"{labels[0]} labels")
    right.plot(pairs["wanted"], pairs["last"], ".", color="C0", markersize=5, label=f"{labels[-1]} labels")
    right.set_xlabel("DFT force component (eV/Å)")
    right.set_ylabel("predicted force component (eV/Å)")
    right.set_aspect("equal")
    right.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(str(path))
