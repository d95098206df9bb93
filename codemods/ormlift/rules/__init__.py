"""The codemods, in the order they run."""

from ormlift.rules.base import Codemod

ALL: tuple[Codemod, ...] = ()
