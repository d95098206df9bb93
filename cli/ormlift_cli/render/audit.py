"""An audit, told as Markdown for a pull request, as tables for a terminal, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ormlift_cli.auditing import Audit, FileRow, FunctionRow
from ormlift_cli.render.text import status_word

COLUMNS = 4  # codemods that get a column of their own; more are told in one, so that paths keep their room
_PATHS = frozenset({"directory", "file", "at", "defined at", "first named at"})
_ROOM = 0.65  # of the width, for paths that stay on one line
FUNCTIONS = 5  # of a file, in the text and in Markdown; JSON has all


@dataclass(frozen=True)
class Table:
    """A table with its heading, before it is told in one way or the other."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = ""  # what to say where there are no rows
    numbers: int = 0  # how many of the last columns are numbers


def tables(audit: Audit, *, limit: int) -> Iterator[Table]:
    """The audit as tables, in the order in which they are told; `limit` bounds the long ones."""
    yield _by_folder(audit)
    yield _by_file(audit, limit)
    yield _functions(audit, limit)
    yield _faults(audit, limit)
    yield Table(
        "Refusals by reason",
        ("codemod", "reason", "sites"),
        [(codemod, reason, str(count)) for codemod, reason, count in audit.refusals],
        "nothing is refused",
        numbers=1,
    )
    yield Table(
        "Tables without a model",
        ("table", "first named at", "statements"),
        _cut([(t.name, t.first, str(t.statements)) for t in audit.tables], limit),
        "every table that SQL in the code names has a model",
        numbers=1,
    )
    yield Table("Scopes", ("scope", "defined at", "what it does"), audit.scopes, _NO_SCOPE)
    yield Table("Session factories", ("factory", "defined at", "what it is"), audit.factories, "none was found")
    if audit.inventory:
        rows = [(c, kind, str(n)) for c, counts in audit.inventory.items() for kind, n in counts.most_common()]
        yield Table("What looks like raw access", ("list", "what it is", "places"), rows, numbers=1)
    yield _phases(audit)


_NO_SCOPE = "none was found: `ormlift init --write-scope` writes one"


def _by_folder(audit: Audit) -> Table:
    total = Counter[str]()
    for _, counts in audit.folders:
        total.update(counts)
    folders = [*audit.folders, ("all", total)] if audit.folders else []
    rows = [(folder, *_counted(audit, counts), str(sum(counts.values()))) for folder, counts in folders]
    head = ("directory", *_counted(audit), "sites")
    return Table("Sites by directory", head, rows, "no codemod finds anything", numbers=_numbers(audit))


def _counted(audit: Audit, counts: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """The cells of the codemods: a count each, or all in one cell; those of the head where no counts are given."""
    if len(audit.codemods) > COLUMNS:
        return (_listed(audit, counts) if counts is not None else "codemods",)
    return tuple(str(counts.get(c, 0) or "") for c in audit.codemods) if counts is not None else tuple(audit.codemods)


def _listed(audit: Audit, counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[c]} {c}" for c in audit.codemods if counts.get(c))


def _numbers(audit: Audit) -> int:
    return 1 + (len(audit.codemods) if len(audit.codemods) <= COLUMNS else 0)


def _by_file(audit: Audit, limit: int) -> Table:
    rows = [(row.path, row.priority, *_counted(audit, row.counts), str(row.sites)) for row in audit.files]
    head = ("file", "priority", *_counted(audit), "sites")
    return Table("Sites by file", head, _cut(rows, limit), "no codemod finds anything", numbers=_numbers(audit))


def _functions(audit: Audit, limit: int) -> Table:
    rows = [
        (row.path, str(f.line), f.name or "(module)", ", ".join(f.codemods), str(f.sites))
        for row in audit.files
        for f in row.functions[:FUNCTIONS]
    ]
    head = ("file", "line", "function", "codemods", "sites")
    return Table(f"Key functions (at most {FUNCTIONS} of each file)", head, _cut(rows, limit), numbers=1)


def _faults(audit: Audit, limit: int) -> Table:
    rows = [
        (str(s.fault.severity), f"{path}:{s.line}", s.fault.code, status_word(s), s.fault.message)
        for path, s in audit.faults
        if s.fault is not None
    ]
    head = ("severity", "at", "fault", "status", "what fails")
    return Table("Faults by severity", head, _cut(rows, limit), "no check finds a fault")


def _phases(audit: Audit) -> Table:
    rows = [
        (
            str(number),
            p.phase.name,
            p.priority,
            p.why,
            ", ".join(p.phase.paths[:4]) + (", ..." * (len(p.phase.paths) > 4)),
        )
        for number, p in enumerate(audit.phases, 1)
    ]
    return Table("Proposed phases", ("phase", "name", "priority", "what is in it", "paths"), rows)


def _cut(rows: Sequence[tuple[str, ...]], limit: int) -> Sequence[tuple[str, ...]]:
    if len(rows) <= limit:
        return rows
    more = f"and {len(rows) - limit} more"
    return [*rows[:limit], (more, *("" for _ in rows[0][1:]))]


def markdown(audit: Audit, read: int) -> str:
    """The audit for a pull request."""
    lines = ["# ormlift audit", "", _headline(audit, read), ""]
    for table in tables(audit, limit=200):
        lines += [f"## {table.title}", ""]
        if not table.rows:
            lines += [table.empty or "none", ""]
            continue
        first = len(table.head) - table.numbers
        lines.append(_row(table.head))
        lines.append("|" + "|".join("---" if n < first else "---:" for n in range(len(table.head))) + "|")
        lines += [*(_row(row) for row in table.rows), ""]
    lines.append(
        "`ormlift init` writes the phases into the configuration; `ormlift explain CODE` tells what a code means."
    )
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    safe = (cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in cells)
    return "| " + " | ".join(safe) + " |"


def _headline(audit: Audit, read: int) -> str:
    sites = sum(row.sites for row in audit.files)
    by = Counter(str(s.fault.severity) for _, s in audit.faults if s.fault is not None)
    serious = ", ".join(f"{by[word]} {word}" for word in ("critical", "high", "medium", "low") if by[word])
    return f"{read} files read, {sites} sites in {len(audit.files)} files" + (f"; faults: {serious}" if serious else "")


def text(audit: Audit, read: int, *, color: bool, width: int | None) -> str:
    """The audit for a terminal."""
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=StringIO(), force_terminal=color, no_color=not color, width=width or 140, highlight=False)
    console.print(Text(_headline(audit, read), style="bold"))
    for table in tables(audit, limit=40):
        console.print()
        console.print(Text(table.title, style="bold"))
        if not table.rows:
            console.print(Text(table.empty or "none"))
            continue
        grid = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, name in enumerate(table.head):
            is_number = number >= len(table.head) - table.numbers
            longest = max((len(row[number]) for row in table.rows), default=0)
            whole = name in _PATHS and longest <= console.width * _ROOM
            grid.add_column(Text(name), justify="right" if is_number else "left", overflow="fold", no_wrap=whole)
        for row in table.rows:
            grid.add_row(*(Text(cell) for cell in row))
        console.print(grid)
    file = console.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def as_json(audit: Audit) -> dict[str, object]:
    """The parts of the JSON object that only an audit has."""
    return {
        "directories": [{"path": folder, "codemods": dict(counts)} for folder, counts in audit.folders],
        "priorities": [_file(row) for row in audit.files],
        "faults": [
            {
                "path": path,
                "line": s.line,
                "codemod": s.codemod,
                "code": s.fault.code,
                "severity": str(s.fault.severity),
                "message": s.fault.message,
            }
            for path, s in audit.faults
            if s.fault is not None
        ],
        "reasons": [{"codemod": c, "code": reason, "sites": count} for c, reason, count in audit.refusals],
        "unmapped_tables": [{"table": t.name, "statements": t.statements, "first": t.first} for t in audit.tables],
        "scopes": [{"name": n, "at": at, "does": does} for n, at, does in audit.scopes],
        "factories": [{"name": n, "at": at, "is": what} for n, at, what in audit.factories],
        "inventory": {codemod: dict(counts) for codemod, counts in audit.inventory.items()},
        "phases": [
            {
                "name": p.phase.name,
                "priority": p.priority,
                "paths": list(p.phase.paths),
                "codemods": list(p.phase.codemods),
                "files": list(p.files),
                "sites": p.sites,
                "why": p.why,
            }
            for p in audit.phases
        ],
    }


def _file(row: FileRow) -> dict[str, object]:
    return {
        "path": row.path,
        "priority": row.priority,
        "codemods": row.counts,
        "functions": [_function(f) for f in row.functions],
    }


def _function(row: FunctionRow) -> dict[str, object]:
    return {
        "name": row.name,
        "line": row.line,
        "sites": row.sites,
        "codemods": list(row.codemods),
        "lines": list(row.lines),
    }
