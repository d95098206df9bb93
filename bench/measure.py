"""Wall time and peak memory of a command with all the processes it starts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_INTERVAL = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    seconds: float
    largest: int  # bytes: peak resident memory of the largest process
    together: int | None  # bytes: peak of all its processes, shared pages counted once; None without /proc
    returncode: int
    output: str  # its standard output
    errors: str


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command and measure it."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = _Watch(process.pid)
    watch.start()
    texts = _read_both(process)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.end()
    return Cost(seconds, usage.ru_maxrss * 1024, watch.peak or None, process.returncode, *texts)


def _read_both(process: subprocess.Popen[str]) -> tuple[str, str]:
    """All of stdout and stderr, read side by side so that neither pipe fills up."""
    errors: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    stream = process.stderr
    reader = threading.Thread(target=lambda: errors.append(stream.read()))
    reader.start()
    with process.stdout, process.stderr:
        output = process.stdout.read()
        reader.join()
    return output, errors[0]


class _Watch(threading.Thread):
    """Looks at a process and its descendants now and then, and keeps the highest sum of their memory."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until `end` is called."""
        while not self._ended.wait(_INTERVAL):
            self.peak = max(self.peak, sum(_memory(pid) for pid in _family(self.pid)))

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    try:
        children = [c for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _memory(pid: int) -> int:
    """Proportional memory of a process in bytes; 0 where it has ended or the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
