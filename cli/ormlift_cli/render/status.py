"""The burn-down as a table for people, a table in Markdown, and JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

from ormlift_cli.burndown import KINDS, Burndown, Row, Step

_HEAD = ("phase", "sites", "rewritten", *KINDS, "files left", "done")
_RUNS = ("run", "when", "did", "left of it")


def as_text(found: Burndown) -> Iterator[str]:
    """Two tables, the columns in line."""
    yield from _aligned([_HEAD, *map(_row, found.rows), *_total(found.rows)], words=1)
    if found.steps:
        yield ""
        yield from _aligned([_RUNS, *map(_step, found.steps)], words=4)
    yield from _notes(found)


def as_markdown(found: Burndown) -> Iterator[str]:
    """The same, to paste."""
    yield from _piped([_HEAD, *map(_row, found.rows), *_total(found.rows)], words=1)
    if found.steps:
        yield ""
        yield from _piped([_RUNS, *map(_step, found.steps)], words=4)
    for note in _notes(found):
        yield ""
        yield note


def as_json(found: Burndown) -> str:
    """One object."""
    phases = [
        {
            "phase": row.phase,
            "sites": row.sites,
            "rewritten": row.rewritten,
            "left": {"total": row.left.total(), **{kind.replace(" ", "_"): row.left[kind] for kind in KINDS}},
            "files_left": sorted(row.files),
            "done": row.done,
        }
        for row in found.rows
    ]
    runs = [
        {
            "run": step.run,
            "time": step.time,
            "did": "rollback" if step.back else "apply",
            "files": step.files,
            "sites": dict(step.moved),
            "undone_since": step.undone,
            "left": step.left,
        }
        for step in found.steps
    ]
    return json.dumps({"version": 1, "phases": phases, "runs": runs, "shallow": found.shallow}, indent=1)


def _row(row: Row) -> tuple[str, ...]:
    counts = (row.sites, row.rewritten, *(row.left[kind] for kind in KINDS), len(row.files))
    return (row.phase, *map(str, counts), f"{row.done}%")


def _total(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    if len(rows) < 2:
        return []
    total = Row("all")
    for row in rows:
        total.rewritten += row.rewritten
        total.left += row.left
        total.files |= row.files
    return [_row(total)]


def _step(step: Step) -> tuple[str, ...]:
    sites = step.moved.total()
    did = f"{'took back' if step.back else 'rewrote'} {_count(sites, 'site')} in {_count(step.files, 'file')}"
    if step.undone:
        did += f" ({step.undone} undone since)"
    left = ", ".join(f"{phase} {count}" for phase, count in step.left.items())
    return step.run, time.strftime("%Y-%m-%d %H:%M", time.localtime(step.time)), did, left


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _notes(found: Burndown) -> Iterator[str]:
    if found.shallow:
        yield "The clone is shallow: what runs did before its first commit is not known here."


def _aligned(rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [c.ljust(w) if n < words else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()


def _piped(rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    marks = ["---" if n < words else "---:" for n in range(len(rows[0]))]
    for row in (rows[0], marks, *rows[1:]):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
