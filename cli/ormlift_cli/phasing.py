"""Which phase a site belongs to: the first whose paths, owners and codemods fit it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ormlift_cli.globs import anchored, matcher
from ormlift_cli.owners import Owners, read_owners
from ormlift_cli.project import Project
from ormlift_cli.rollout import Phase


class Phasing:
    """The phases of a project, and what belongs to each. Paths are relative to the root."""

    def __init__(self, project: Project) -> None:
        self.phases = project.config.phases
        self._prefix = project.prefix
        self.owners = read_owners(project.top) if project.top else Owners()
        self._tests = {phase.name: _matcher(phase.paths) for phase in self.phases}
        self.phase_of = cache(self._phase_of)

    def covers(self, phase: Phase, path: str) -> bool:
        """Whether a file is of a phase, whatever the codemod."""
        mine = not phase.owners or bool(set(phase.owners) & set(self.owner_of(path)))
        return mine and self._tests[phase.name](path)

    def owner_of(self, path: str) -> tuple[str, ...]:
        """Those whom CODEOWNERS names for a file."""
        return self.owners.of(self._prefix + path)

    def _phase_of(self, path: str, codemod: str) -> str:
        """The name of the phase that a site of a file belongs to; empty: none."""
        for phase in self.phases:
            if (not phase.codemods or codemod in phase.codemods) and self.covers(phase, path):
                return phase.name
        return ""


def may_coexist(phase: Phase) -> Callable[[str], bool]:
    """Whether the plan lets old sites stay beside new ones in a file."""
    return matcher(anchored(phase.coexist)) if phase.coexist else lambda _: False


def _matcher(globs: tuple[str, ...]) -> Callable[[str], bool]:
    return matcher(anchored(globs)) if globs else lambda _: True
