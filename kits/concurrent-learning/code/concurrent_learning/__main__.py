"""Command line of the steps: what each reads, what it writes.

Files are named by options; numbers that other steps or people need are written one to a file into the folder given by
`--numbers`, where the manifest picks them up as output parameters. A step that cannot do its work says why on standard
error and exits 1; a wrong command line exits 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for name in ("out", "numbers", "history_out", "committee_out", "stopping", "reporting_out", "parity_out"):
        target = getattr(options, name, None)
        if isinstance(target, Path):
            (target if name == "numbers" else target.parent).mkdir(parents=True, exist_ok=True)
    try:
        options.run(options)
    except (ValueError, OSError) as problem:
        print(f"{options.command}: {problem}", file=sys.stderr)
        return 1
    return 0


def _write_numbers(folder: Path, numbers: Mapping[str, object]) -> None:
    for name, value in numbers.items():
        (folder / name).write_text(str(value), encoding="utf-8")
        print(f"{name} = {value}")


def _start(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import read_frames, write_frames
    from concurrent_learning.start import start_frames

    frames = start_frames(
        read_frames(options.molecule),
        temperature_k=options.temperature,
        warm_up=options.warm_up,
        count=options.count,
        every=options.every,
        seed=(options.seed, options.stream),
    )
    write_frames(options.out, frames)
    print(f"{len(frames)} frames at {options.temperature:g} K")


def _label(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import FramesError, read_frames, write_frames
    from concurrent_learning.label import label_frames

    everything = read_frames(options.frames)
    begin = options.part * options.size
    mine = everything.take(slice(begin, begin + options.size))
    if not len(mine):
        raise FramesError(f"part {options.part} of {options.size} frames lies behind the {len(everything)} there are")
    write_frames(options.out, label_frames(mine, options.basis))


def _merge(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import concatenate, read_frames, write_frames

    paths = list(options.parts)
    if options.previous and options.previous.exists():
        paths.insert(0, options.previous)
    merged = concatenate(read_frames(path) for path in paths)
    merged.labelled_forces()
    write_frames(options.out, merged)
    _write_numbers(options.numbers, {"labels": len(merged)})


def _split(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import concatenate, read_frames, write_frames

    merged = concatenate(read_frames(path) for path in options.parts)
    write_frames(options.stopping, merged.take(slice(0, None, 2)))
    write_frames(options.reporting_out, merged.take(slice(1, None, 2)))
    _write_numbers(options.numbers, {"held-out": len(merged)})


def _train(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import read_frames
    from concurrent_learning.model import rmse, save_committee, train_member

    training = read_frames(options.training)
    # Members of one iteration differ in their features, and so do the members of two runs with different seeds.
    member = train_member(training, 1000 * options.seed + options.member)
    save_committee(options.out, member)
    error = rmse(member.mean_forces(training.positions), training.labelled_forces())
    print(f"{len(training)} frames fitted, force RMSE on them {error:.4f} eV/angstrom")


def _evaluate(options: argparse.Namespace) -> None:
    from concurrent_learning.frames import read_frames
    from concurrent_learning.history import Entry, load_history, save_history
    from concurrent_learning.model import force_deviation, load_committee, rmse, save_committee, unite

    committee = unite([load_committee(path) for path in options.members])
    stopping = read_frames(options.held_out)
    forces = committee.predict(stopping.positions)[1]
    error = rmse(forces.mean(axis=0), stopping.labelled_forces())
    deviation = float(force_deviation(forces).mean())
    entries = load_history(options.history)
    entries.append(Entry(options.iteration, options.labels, error, deviation, committee))
    save_committee(options.committee_out, committee)
    save_history(options.history_out, entries)
    go_on = options.iteration < options.cap and (options.iteration < options.floor or error > options.threshold)
    _write_numbers(
        options.numbers,
        {"rmse-stopping": f"{error:.6f}", "go-on": str(go_on).lower(), "next-iteration": options.iteration + 1},
    )


def _explore(options: argparse.Namespace) -> None:
    from concurrent_learning.explore import explore
    from concurrent_learning.frames import read_frames, write_frames
    from concurrent_learning.model import load_committee

    frames = explore(
        load_committee(options.committee),
        read_frames(options.start),
        temperature_k=options.temperature,
        steps=options.steps,
        every=options.every,
        highest_deviation=options.highest_deviation,
        seed=(options.seed, options.iteration, round(options.temperature)),
    )
    write_frames(options.out, frames)
    largest = float(frames.info["deviation"].max())
    _write_numbers(options.numbers, {"frames": len(frames), "largest-deviation": f"{largest:.4f}"})


def _select(options: argparse.Namespace) -> None:
    from concurrent_learning.explore import select
    from concurrent_learning.frames import concatenate, read_frames, write_frames

    seen = concatenate(read_frames(path) for path in options.seen)
    chosen = select(seen, read_frames(options.known), count=options.count, low=options.low, high=options.high)
    write_frames(options.out, chosen.frames)
    _write_numbers(options.numbers, {"seen": chosen.seen, "candidates": chosen.candidates, "accurate": chosen.accurate})


def _validate(options: argparse.Namespace) -> None:
    import numpy as np

    from concurrent_learning.frames import read_frames
    from concurrent_learning.history import load_history
    from concurrent_learning.report import judge, parity

    history, reporting = load_history(options.history), read_frames(options.reporting)
    result = judge(history, reporting, options.threshold)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    with options.parity_out.open("wb") as out:
        np.savez(out, allow_pickle=False, **parity(history, reporting))
    _write_numbers(
        options.numbers,
        {
            "rmse-first": f"{result['rmse_first']:.6f}",
            "rmse-last": f"{result['rmse_last']:.6f}",
            "labels": result["labels"],
            "iterations": result["iterations"],
        },
    )


def _report(options: argparse.Namespace) -> None:
    import numpy as np

    from concurrent_learning.report import draw, write_table

    options.out.mkdir(exist_ok=True)
    result = json.loads(options.result.read_text(encoding="utf-8"))
    with np.load(options.parity, allow_pickle=False) as pairs:
        draw(options.out / "plot.png", result, {name: pairs[name] for name in pairs.files})
    write_table(options.out / "report.md", result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="concurrent_learning", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    step = commands.add_parser("start", help="frames of a GFN2-xTB trajectory")
    step.add_argument("--molecule", type=Path, required=True, help="extended XYZ, one frame")
    step.add_argument("--temperature", type=float, default=300.0, help="kelvin")
    step.add_argument("--warm-up", type=int, default=0, help="steps thrown away")
    step.add_argument("--count", type=int, required=True)
    step.add_argument("--every", type=int, required=True, help="steps of 0.5 fs between frames")
    step.add_argument("--seed", type=int, required=True)
    step.add_argument("--stream", type=int, required=True, help="tells trajectories of one seed apart")
    step.add_argument("--out", type=Path, required=True)
    step.set_defaults(run=_start)

    step = commands.add_parser("label", help="DFT energies and forces of one part of the frames")
    step.add_argument("--frames", type=Path, required=True)
    step.add_argument("--part", type=int, required=True, help="which part, from 0")
    step.add_argument("--size", type=int, default=2, help="frames in a part")
    step.add_argument("--basis", default="def2-svp")
    step.add_argument("--out", type=Path, required=True)
    step.set_defaults(run=_label)

    step = commands.add_parser("merge", help="labelled parts, behind an earlier training set if there is one")
    step.add_argument("--previous", type=Path, help="left out when there is no such file")
    step.add_argument("--parts", type=Path, nargs="+", required=True)
    step.add_argument("--out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_merge)

    step = commands.add_parser("split", help="held-out frames in a stopping and a reporting half")
    step.add_argument("--parts", type=Path, nargs="+", required=True)
    step.add_argument("--stopping", type=Path, required=True)
    step.add_argument("--reporting", dest="reporting_out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_split)

    step = commands.add_parser("train", help="one member of the committee")
    step.add_argument("--training", type=Path, required=True)
    step.add_argument("--seed", type=int, required=True)
    step.add_argument("--member", type=int, required=True)
    step.add_argument("--out", type=Path, required=True)
    step.set_defaults(run=_train)

    step = commands.add_parser("evaluate", help="the committee's error on the stopping half, and whether to go on")
    step.add_argument("--members", type=Path, nargs="+", required=True)
    step.add_argument("--held-out", type=Path, required=True)
    step.add_argument("--history", type=Path, required=True, help="of the iterations before; [] at first")
    step.add_argument("--iteration", type=int, required=True)
    step.add_argument("--labels", type=int, required=True)
    step.add_argument("--threshold", type=float, required=True, help="eV/angstrom")
    step.add_argument("--floor", type=int, default=0, help="rounds of labelling before the error may end the run")
    step.add_argument("--cap", type=int, required=True, help="rounds of labelling after the first")
    step.add_argument("--committee-out", type=Path, required=True)
    step.add_argument("--history-out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_evaluate)

    step = commands.add_parser("explore", help="dynamics under the committee")
    step.add_argument("--committee", type=Path, required=True)
    step.add_argument("--start", type=Path, required=True, help="frames to begin from")
    step.add_argument("--temperature", type=float, required=True, help="kelvin")
    step.add_argument("--steps", type=int, default=400)
    step.add_argument("--every", type=int, default=5)
    step.add_argument("--highest-deviation", type=float, required=True, help="eV/angstrom; ends a trajectory")
    step.add_argument("--seed", type=int, required=True)
    step.add_argument("--iteration", type=int, required=True)
    step.add_argument("--out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_explore)

    step = commands.add_parser("select", help="explored frames worth a label")
    step.add_argument("--seen", type=Path, nargs="+", required=True)
    step.add_argument("--known", type=Path, required=True, help="the training set")
    step.add_argument("--count", type=int, required=True)
    step.add_argument("--low", type=float, required=True, help="eV/angstrom; at or below it a frame is known well")
    step.add_argument("--high", type=float, required=True, help="eV/angstrom; from it on a frame is not physical")
    step.add_argument("--out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_select)

    step = commands.add_parser("validate", help="every iteration's error on the reporting half")
    step.add_argument("--history", type=Path, required=True)
    step.add_argument("--reporting", type=Path, required=True)
    step.add_argument("--threshold", type=float, required=True, help="eV/angstrom, for the record")
    step.add_argument("--out", type=Path, required=True)
    step.add_argument("--parity-out", type=Path, required=True)
    step.add_argument("--numbers", type=Path, required=True)
    step.set_defaults(run=_validate)

    step = commands.add_parser("report", help="plot and table")
    step.add_argument("--result", type=Path, required=True)
    step.add_argument("--parity", type=Path, required=True)
    step.add_argument("--out", type=Path, required=True, help="folder for plot.png and report.md")
    step.set_defaults(run=_report)
    return parser


if __name__ == "__main__":
    sys.exit(main())
