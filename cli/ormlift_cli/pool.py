"""Worker processes, where they are worth their price.

Workers are spawned on every system, since forking a process that has threads is not safe. What all items share is
handed to each worker once. An item that kills its worker (a parser that overflows its stack) costs that item, not the
run.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any, Generic, TypeVar

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
S = TypeVar("S")

_CHUNK = 8


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Spread(Generic[S, I, R]):
    """Runs `task(shared, item)` for many items. `task` and `lost` are functions at module level."""

    def __init__(self, task: Callable[[S, I], R], lost: Callable[[I], R], shared: S) -> None:
        self.task = task
        self.lost = lost  # the result for an item whose worker died
        self.shared = shared

    def run(self, items: Sequence[I], jobs: int, tick: Callable[[int], None]) -> list[R]:
        """The results, in the order of the items; with one job, or one item, in this process."""
        jobs = min(jobs, (len(items) + _CHUNK - 1) // _CHUNK)
        if jobs <= 1:
            results = []
            with collected_by_hand():
                for item in items:
                    results.append(self.task(self.shared, item))
                    gc.collect(0)
                    tick(1)
            return results
        return self._in_workers(items, jobs, tick)

    def _in_workers(self, items: Sequence[I], jobs: int, tick: Callable[[int], None]) -> list[R]:
        handed = pickle.dumps((self.task, self.shared), pickle.HIGHEST_PROTOCOL)
        results: dict[int, R] = {}
        with _executor(jobs, handed) as executor:
            futures: dict[Future[list[Any]], int] = {}
            with _interrupts_ignored():  # what a child is born with: Ctrl-C is for the parent to handle
                for start in range(0, len(items), _CHUNK):
                    futures[executor.submit(_work, list(items[start : start + _CHUNK]))] = start
            try:
                for future in as_completed(futures):
                    for offset, result in enumerate(future.result()):
                        results[futures[future] + offset] = result
                        tick(1)
            except BrokenProcessPool:
                pass
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                for worker in active_children():
                    worker.terminate()
                raise
        for position in sorted(set(range(len(items))) - set(results)):
            results[position] = self._alone(items[position], handed)
            tick(1)
        return [results[position] for position in range(len(items))]

    def _alone(self, item: I, handed: bytes) -> R:
        """One item in a worker of its own: what follows after a worker died, to find the item that kills it."""
        try:
            with _executor(1, handed) as executor:
                result: R = executor.submit(_work, [item]).result()[0]
                return result
        except BrokenProcessPool:
            return self.lost(item)


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """Python looks for no garbage by itself inside: syntax trees are many objects and no cycles, looking costs a tenth.

    `gc.collect(0)` looks through what came up since the last one.
    """
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


def _executor(jobs: int, handed: bytes) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(handed,))


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: nothing to set, and nothing to be interrupted by
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_handed: tuple[Callable[[Any, Any], Any], Any]


def _begin(handed: bytes) -> None:
    global _handed  # noqa: PLW0603, RUF100 - a worker's only state, set once before its first item
    gc.disable()  # see `collected_by_hand`; for the life of the worker
    _handed = pickle.loads(handed)


def _work(items: list[Any]) -> list[Any]:
    task, shared = _handed
    results = []
    for item in items:
        results.append(task(shared, item))
        gc.collect(0)
    return results
