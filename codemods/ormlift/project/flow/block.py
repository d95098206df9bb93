"""A session's life in one function, as the statements that are to stand inside a scope."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.syntax import FunctionNode, Module


@dataclass(frozen=True)
class Block:
    """What becomes the body of a scope."""

    module: Module
    function: FunctionNode | ast.Module  # whose names the block uses
    name: str  # the session's variable
    line: int  # the site's first line
    end_line: int  # the site's last line
    body: tuple[ast.stmt, ...]  # sibling statements, in order
    dropped: tuple[ast.stmt, ...]  # statements, inside the body or not, that the rewrite removes
    session_expires: bool | None = True  # whether a commit of the session as it was expired instances; None: unknown

    def covers(self, node: ast.AST) -> bool:
        """Whether a node stands on the site's lines."""
        return self.line <= getattr(node, "lineno", 0) <= self.end_line

    def enclosing_tries(self) -> Iterator[ast.Try | ast.TryStar]:
        """The tries of the function whose body (and so whose handlers) the block stands in, innermost first."""
        node: ast.AST = self.body[0]
        for parent in self.module.ancestors(node):
            if parent is self.function:
                return
            if isinstance(parent, ast.Try | ast.TryStar) and any(node is s for s in parent.body):
                yield parent
            node = parent

    def enclosing_loops(self) -> Iterator[ast.stmt]:
        """The loops of the function that the block stands in."""
        for parent in self.module.ancestors(self.body[0]):
            if parent is self.function:
                return
            if isinstance(parent, ast.For | ast.AsyncFor | ast.While):
                yield parent
