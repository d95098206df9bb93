"""The codemods, in the order they run."""

from ormlift.rules import session_scope
from ormlift.rules.base import Codemod

ALL: tuple[Codemod, ...] = (session_scope.CODEMOD,)
