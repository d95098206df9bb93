"""The ratchet: how many sites each file may hold, so that a check fails on new ones alone.

The file is JSON with sorted keys and a line for each count, so that it merges and reads well in a review.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ormlift.model import Outcome, Status, UserError

from ormlift_cli.tally import sites_of

if TYPE_CHECKING:
    from ormlift_cli.run import Survey

NAME = ".ormlift-baseline.json"
VERSION = 1
Counts = Mapping[tuple[str, str], int]  # (path, codemod) -> sites


@dataclass(frozen=True)
class Excess:
    """A file that holds more sites of a codemod than the baseline allows."""

    path: str
    codemod: str
    allowed: int
    found: int
    lines: tuple[int, ...]  # of all its sites: which of them are the new ones cannot be told


@dataclass
class Ratchet:
    """How the code stands to its baseline."""

    excess: list[Excess] = field(default_factory=list)
    spare: dict[tuple[str, str], int] = field(default_factory=dict)  # how much lower the baseline can be set

    @property
    def holds(self) -> bool:
        """Whether no file holds more than it may."""
        return not self.excess


def count(outcomes: Iterable[Outcome]) -> Counter[tuple[str, str]]:
    """The sites of each file and codemod; a site that a comment suppresses is accounted for by its comment."""
    sites = ((o.path, site) for o in outcomes for site in sites_of(o))
    return Counter((path, site.codemod) for path, site in sites if site.status is not Status.SUPPRESSED)


def dump(counts: Counts) -> str:
    """The text of a baseline file."""
    files: dict[str, dict[str, int]] = {}
    for (path, codemod), number in sorted(counts.items()):
        files.setdefault(path, {})[codemod] = number
    return json.dumps({"version": VERSION, "files": files}, indent=1, sort_keys=True) + "\n"


def load(path: Path) -> Counter[tuple[str, str]]:
    """Read a baseline file. Raises UserError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["version"] != VERSION:
            raise UserError(f"{path}: version {value['version']} is not known; write it again with --write-baseline")
        files = value["files"].items()
        counts = Counter({(name, codemod): int(n) for name, own in files for codemod, n in own.items()})
    except FileNotFoundError:
        raise UserError(f"{path}: no such baseline; write one with --write-baseline") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: is no baseline; write it again with --write-baseline") from None
    return counts


def compare(baseline: Counts, found: Survey) -> Ratchet:
    """How a survey stands to the baseline; of that, only the files and codemods that were looked at count.

    A file that was moved takes its allowance along: one of the same name that has none of its own.
    """
    now, lines = count(found.outcomes), _lines(found.outcomes)
    allowed = Counter({key: n for key, n in baseline.items() if key[1] in found.settings.codemods})
    _move(allowed, now, found.files)
    result = Ratchet()
    for key, number in sorted(now.items()):
        if number > allowed[key]:
            result.excess.append(Excess(*key, allowed[key], number, lines[key]))
    for key, number in sorted(allowed.items()):
        if number > now[key] and (key[0] in found.looked or key[0] not in found.files):
            result.spare[key] = number - now[key]
    return result


def _lines(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], tuple[int, ...]]:
    lines: dict[tuple[str, str], tuple[int, ...]] = {}
    for outcome in outcomes:
        for site in sites_of(outcome):
            if site.status is not Status.SUPPRESSED:
                key = outcome.path, site.codemod
                lines[key] = (*lines.get(key, ()), site.line)
    return lines


def _move(allowed: Counter[tuple[str, str]], now: Counts, files: frozenset[str]) -> None:
    """Hand the allowance of a file that is gone to the one new file of its name."""
    for path, codemod in now:
        if allowed[path, codemod]:
            continue
        name = PurePosixPath(path).name
        gone = [key for key in allowed if key[1] == codemod and key[0] not in files and key[0].endswith(f"/{name}")]
        gone += [key for key in allowed if key == (name, codemod) and name not in files]
        if len(gone) == 1:
            allowed[path, codemod] = allowed.pop(gone[0])
