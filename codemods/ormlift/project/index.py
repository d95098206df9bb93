"""The model index: what is known of the whole project, linked from the facts of its files."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ormlift.model import ScopeChoice
from ormlift.project.facts import FileFacts
from ormlift.schema import Engine, MappedClass, Scope, SessionFactory, SessionSource
from ormlift.syntax import Module


@dataclass(frozen=True)
class ProjectIndex:
    """What is known of the project. Plain data, so that worker processes can be handed it."""

    models: tuple[MappedClass, ...] = ()
    factories: tuple[SessionFactory, ...] = ()
    sources: tuple[SessionSource, ...] = ()
    scopes: tuple[Scope, ...] = ()
    engines: tuple[Engine, ...] = ()

    def model_for_table(self, table: str, schema: str = "") -> MappedClass | None:
        """The one mapped class of a table, compared without case; None where there is none or more than one."""
        raise NotImplementedError

    def source_of(self, call: ast.Call, module: Module) -> SessionSource | None:
        """What session or connection a call hands out, or None where it is no such call or nothing is known of it."""
        raise NotImplementedError

    def scope_of(self, call: ast.Call, module: Module) -> Scope | None:
        """The scope that a call opens (`with <call> as s`), or None."""
        raise NotImplementedError

    def scope_named(self, choice: ScopeChoice) -> Scope | None:
        """The definition behind a configured scope, or None where the project does not hold it."""
        raise NotImplementedError


def link(facts: Iterable[FileFacts]) -> ProjectIndex:
    """Put the facts of all files together."""
    raise NotImplementedError
