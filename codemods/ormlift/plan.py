"""Text and codemods to an outcome, to a fixpoint."""

from __future__ import annotations

from ormlift.model import Outcome, Settings, Source
from ormlift.project.index import ProjectIndex


def plan_file(source: Source, index: ProjectIndex, settings: Settings) -> Outcome:
    """Plan all rewrites of one file. Never raises for what the file holds: that is a `Failed`.

    The result is verified (see `verify`): what is `Planned` may be written.
    """
    raise NotImplementedError
