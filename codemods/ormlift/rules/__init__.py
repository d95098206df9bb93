"""The codemods, in the order they run."""

from ormlift.rules import cursor_to_orm, session_scope
from ormlift.rules.base import Codemod

ALL: tuple[Codemod, ...] = (session_scope.CODEMOD, cursor_to_orm.CODEMOD)
