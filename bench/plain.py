"""The plain pattern as a libcst codemod, as one would write it by hand: the yardstick for `ormlift diff`.

It rewrites every `s = <expr>.get_session()` that is followed by `try: .. finally: s.close()`, and asks for no effects.
"""

from __future__ import annotations

import libcst as cst
from libcst import matchers as m
from libcst.codemod import VisitorBasedCodemodCommand


class SessionScopeCommand(VisitorBasedCodemodCommand):
    """Turn the pattern into `with session_scope() as s:`."""

    DESCRIPTION = "try/finally sessions to session_scope()"

    def leave_IndentedBlock(  # noqa: N802 - libcst's name
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """Rewrite each pair of statements of one suite."""
        del original_node
        body: list[cst.BaseStatement] = []
        statements = list(updated_node.body)
        while statements:
            first = statements.pop(0)
            name = _opened(first)
            if name is not None and statements and _closes(statements[0], name):
                body.append(_scope(first, cst.ensure_type(statements.pop(0), cst.Try), name))
            else:
                body.append(first)
        return updated_node.with_changes(body=body)


def _opened(statement: cst.BaseStatement) -> str | None:
    """The name that a session is opened as."""
    call = m.Call(func=m.Attribute(attr=m.Name("get_session")))
    name = m.SaveMatchedNode(m.Name(), "name")
    pattern = m.SimpleStatementLine(body=[m.Assign(targets=[m.AssignTarget(name)], value=call)])
    found = m.extract(statement, pattern)
    return cst.ensure_type(found["name"], cst.Name).value if found else None


def _closes(statement: cst.BaseStatement, name: str) -> bool:
    close = m.Expr(m.Call(func=m.Attribute(value=m.Name(name), attr=m.Name("close"))))
    last = m.Finally(body=m.IndentedBlock(body=[m.SimpleStatementLine(body=[close])]))
    return m.matches(statement, m.Try(orelse=None, finalbody=last))


def _scope(first: cst.BaseStatement, block: cst.Try, name: str) -> cst.With:
    kept: cst.BaseSuite = block.body
    if block.handlers:
        kept = cst.IndentedBlock(body=[block.with_changes(finalbody=None)])
    item = cst.WithItem(cst.Call(cst.Name("session_scope")), cst.AsName(cst.Name(name)))
    return cst.With(
        items=[item], body=kept, leading_lines=cst.ensure_type(first, cst.SimpleStatementLine).leading_lines
    )
