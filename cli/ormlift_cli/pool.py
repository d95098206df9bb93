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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing import active_children, get_context
from multiprocessing.queues import Queue
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


class Workers:
    """Worker processes for all stages of a run, since each takes half a second to start; none until there is work."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._stage = 0
        self._opened: tuple[ProcessPoolExecutor, Queue[tuple[int, bytes]]] | None = None

    def _open(self) -> tuple[ProcessPoolExecutor, Queue[tuple[int, bytes]]]:
        if self._opened is None:
            context = get_context("spawn")
            shared: Queue[tuple[int, bytes]] = context.Queue()
            pool = ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_begin, initargs=(shared,))
            self._opened = pool, shared
        return self._opened

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(at_once=kind is not None)

    def close(self, *, at_once: bool) -> None:
        """End the processes; `at_once` without what they are at."""
        if self._opened is not None:
            pool, shared = self._opened
            self._opened = None
            pool.shutdown(wait=not at_once, cancel_futures=True)
            for worker in active_children() if at_once else ():
                worker.terminate()
            shared.cancel_join_thread()  # what nobody has taken is not waited for
            shared.close()

    def start(self, prepare: Callable[[], None]) -> None:
        """Start them all, each with a function at module level, before it is known what they are to do."""
        pool, _ = self._open()
        with _interrupts_ignored():
            for _ in range(self.jobs):
                pool.submit(prepare)

    def work(self, handed: bytes, chunks: Iterable[list[Any]]) -> dict[Future[list[Any]], int]:
        """Begin a stage: the results of each chunk to come, and its number. What is handed is a task and its share."""
        pool, shared = self._open()
        self._stage += 1
        for _ in range(self.jobs):
            shared.put((self._stage, handed))
        with _interrupts_ignored():  # what a child is born with: Ctrl-C is for the parent to handle
            return {pool.submit(_work, self._stage, chunk): number for number, chunk in enumerate(chunks)}


class Spread(Generic[S, I, R]):
    """Runs `task(shared, item)` for many items. `task` and `lost` are functions at module level."""

    def __init__(self, task: Callable[[S, I], R], lost: Callable[[I], R], shared: S) -> None:
        self.task = task
        self.lost = lost  # the result for an item whose worker died
        self.shared = shared

    def run(
        self,
        items: Sequence[I],
        jobs: int,
        tick: Callable[[int], None],
        workers: Workers | None = None,
        weigh: Callable[[I], int] | None = None,
    ) -> list[R]:
        """The results, in the order of the items; with one job, or one item, in this process.

        In `workers`, where they are given. The heaviest items come first, so that no worker is left with them at the
        end.
        """
        jobs = min(jobs, (len(items) + _CHUNK - 1) // _CHUNK)
        if jobs > 1:
            order = sorted(range(len(items)), key=lambda n: -weigh(items[n])) if weigh else list(range(len(items)))
            with nullcontext(workers) if workers is not None else Workers(jobs) as at_work:
                return self._in_workers(items, order, tick, at_work)
        results = []
        with collected_by_hand():
            for item in items:
                results.append(self.task(self.shared, item))
                gc.collect(0)
                tick(1)
        return results

    def _in_workers(
        self, items: Sequence[I], order: Sequence[int], tick: Callable[[int], None], workers: Workers
    ) -> list[R]:
        handed = pickle.dumps((self.task, self.shared), pickle.HIGHEST_PROTOCOL)
        chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
        results: dict[int, R] = {}
        try:
            futures = workers.work(handed, ([items[position] for position in chunk] for chunk in chunks))
            for future in as_completed(futures):
                for position, result in zip(chunks[futures[future]], future.result(), strict=True):
                    results[position] = result
                    tick(1)
        except BrokenProcessPool:
            workers.close(at_once=True)
        for position in sorted(set(order) - set(results)):
            results[position] = self._alone(items[position], handed)
            tick(1)
        return [results[position] for position in range(len(items))]

    def _alone(self, item: I, handed: bytes) -> R:
        """One item in a worker of its own: what follows after a worker died, to find the item that kills it."""
        try:
            with Workers(1) as worker:
                (future,) = worker.work(handed, [[item]])
                result: R = future.result()[0]
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


class _Worker:
    """A worker's only state."""

    shared: Queue[tuple[int, bytes]]
    stage = 0
    task: Callable[[Any, Any], Any]
    share: Any = None


def _begin(shared: Queue[tuple[int, bytes]]) -> None:
    gc.disable()  # see `collected_by_hand`; for the life of the worker
    _Worker.shared = shared


def _work(stage: int, items: list[Any]) -> list[Any]:
    while _Worker.stage < stage:  # a copy for each worker; of an earlier stage where one had nothing to do in it
        number, handed = _Worker.shared.get()
        if number == stage:
            _Worker.stage = stage
            _Worker.task, _Worker.share = pickle.loads(handed)
    results = []
    for item in items:
        results.append(_Worker.task(_Worker.share, item))
        gc.collect(0)
    return results
