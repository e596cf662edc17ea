"""What all fuzzers share: their result, a clock and a memory meter, and the way a fuzzer is started by itself."""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MAX_SHOWN_FAILURES = 20


@dataclass(slots=True)
class FuzzResult:
    """What one fuzzer did. `failures` are sentences with all that is needed to see the failure again.

    `outcomes` counts what came of the inputs (by the fuzzer's own words); `worst` are figures worth printing.
    """

    name: str
    seed: int
    inputs: int = 0
    failures: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float | str] = field(default_factory=dict)
    seconds: float = 0.0

    def fail(self, sentence: str) -> None:
        self.failures.append(sentence)

    def table(self) -> str:
        lines = [
            f"{self.name}: {self.inputs:,} inputs, {len(self.failures)} failures, seed {self.seed}, {self.seconds:.1f} s"
        ]
        lines += [f"  {count:>9,}  {outcome}" for outcome, count in self.outcomes.most_common(25)]
        lines += [f"  {key}: {value}" for key, value in self.worst.items()]
        lines += [f"  FAILURE {sentence}" for sentence in self.failures[:MAX_SHOWN_FAILURES]]
        return "\n".join(lines)


def new_seed() -> int:
    return random.SystemRandom().randrange(1 << 31)


def _status_bytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak() -> bool:
    """Begin the peak of the resident size anew; False where the kernel cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory_bytes() -> int:
    """The largest resident size of this process since `forget_peak`, else since it began."""
    try:
        return _status_bytes("VmHWM")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


@dataclass(slots=True)
class Cost:
    """CPU seconds of a block and how far above its beginning its memory rose; other processes do not count."""

    cpu_s: float = 0.0
    memory_bytes: int = 0


@contextmanager
def measured() -> Iterator[Cost]:
    cost = Cost()
    forget_peak()
    before = peak_memory_bytes()
    started = time.process_time()
    try:
        yield cost
    finally:
        cost.cpu_s = time.process_time() - started
        cost.memory_bytes = peak_memory_bytes() - before


class TookTooLong(Exception):
    """An input did not end; it is given up so that the others still run."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give up on a block after so many seconds, where signals can be had (the main thread); elsewhere without effect."""

    def give_up(number: int, frame: object) -> None:
        raise TookTooLong(f"no end after {seconds:.0f} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(run: Callable[[int, int], FuzzResult], default_count: int) -> int:
    """``python -m tests.fuzz.NAME --count N --seed S``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=default_count)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    result = run(chosen.count, new_seed() if chosen.seed is None else chosen.seed)
    print(result.table())
    return 1 if result.failures else 0
