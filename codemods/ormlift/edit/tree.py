"""The ops of rewrites, as swaps of libcst nodes, in one piece of text.

The piece is parsed under an `if 1:` where it is indented, so that no string inside it needs to be dedented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, TypeVar, cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from ormlift.edit.errors import LayoutError
from ormlift.model import (
    AddAbove,
    AddBehind,
    AddParameter,
    CommentOut,
    DropArgument,
    DropFinally,
    DropHandlers,
    DropWithItem,
    Op,
    ReplaceExpr,
    ReplaceStatement,
    Span,
    Wrap,
)

_Key = tuple[int, int]
_Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement  # what a suite's list holds


def edit_chunk(text: str, first_line: int, ops: Sequence[Op], newline: str) -> str:
    """Apply `ops` to `text`, whose first line is line `first_line` of the file. Raises LayoutError."""
    indented = text[:1] in " \t\f"
    head = f"if 1:{newline}" if indented else ""
    try:
        module = cst.parse_module(head + text)
    except cst.ParserSyntaxError as error:
        message = f"libcst cannot read this: {error.message}"
        raise LayoutError(message) from error
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    # What `wrapper.resolve(PositionProvider)` does, without its walk of the tree for providers that were not asked for.
    positions = cast("dict[cst.CSTNode, CodeRange]", PositionProvider()._gen(wrapper))  # noqa: SLF001
    editor = _Editor(positions, first_line - (2 if indented else 1), ops, module.default_indent)
    result = wrapper.module.visit(editor)
    editor.check()
    return result.code[len(head) :]


class _Editor(cst.CSTTransformer):
    """Swaps nodes. Expressions are found by their exact span, statements by where they start."""

    def __init__(self, positions: dict[cst.CSTNode, CodeRange], offset: int, ops: Sequence[Op], indent: str) -> None:
        super().__init__()
        self._positions = positions
        self._offset = offset
        self._indent = indent  # one step of indentation, as the suite at hand writes it
        self._default = indent
        self._exprs = {op.span: op.text for op in ops if isinstance(op, ReplaceExpr)}
        self._statements = {_start(op.span): op.text for op in ops if isinstance(op, ReplaceStatement)}
        self._behind = {_start(op.span): op for op in ops if isinstance(op, AddBehind)}
        self._above = {_start(op.span): op for op in ops if isinstance(op, AddAbove)}
        self._comments = {_start(op.span): op for op in ops if isinstance(op, CommentOut)}
        self._items = {op.span for op in ops if isinstance(op, DropWithItem)}
        self._dropped = {op.span for op in ops if isinstance(op, DropArgument)}
        self._finals = {_start(op.span) for op in ops if isinstance(op, DropFinally)}
        self._kept = {_start(op.span): op.kept for op in ops if isinstance(op, DropHandlers)}
        self._wraps = {_start(op.first): (_start(op.last), op.header) for op in ops if isinstance(op, Wrap)}
        self._parameters = {_start(op.span): op for op in ops if isinstance(op, AddParameter)}
        spans = [op.first if isinstance(op, Wrap) else op.span for op in ops]
        self._lines = sorted({span.line for span in spans})
        self._edited = {
            *self._statements,
            *self._comments,
            *self._finals,
            *self._kept,
            *self._wraps,
            *self._parameters,
            *self._behind,
            *self._above,
        }
        self._emptied: set[_Key] = set()  # with statements that have lost all their items
        self._left: set[Any] = {op for op in ops if not isinstance(op, Wrap)} | {("wrap", key) for key in self._wraps}
        self._ops = ops

    def check(self) -> None:
        """Raise LayoutError if an op found no place."""
        if self._left:
            message = "a statement shares its line with another, or stands in an unusual place"
            raise LayoutError(message)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Go only where an op may be: below statements on whose lines one stands."""
        if isinstance(node, cst.SimpleStatementLine) and not self._exprs and not self._dropped:
            return False
        if isinstance(node, cst.BaseStatement):
            where = self._positions[node]
            first, last = where.start.line + self._offset, where.end.line + self._offset
            return any(first <= line <= last for line in self._lines)
        return True

    # Expressions

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:  # noqa: ANN401 - libcst's signature
        """Swap an expression, then let the suites do theirs."""
        updated = super().on_leave(original_node, updated_node)
        if self._exprs and isinstance(original_node, cst.BaseExpression):
            span = self._span(original_node)
            if span in self._exprs and isinstance(updated, cst.BaseExpression):
                return self._swap_expression(span, updated)
        return self._shortened(original_node, updated) if self._dropped else updated

    def _shortened(self, original: cst.CSTNode, updated: Any) -> Any:  # noqa: ANN401 - of the same class
        """A call, or the parameters of a def, after the loss of some."""
        if isinstance(original, cst.Call):
            return updated.with_changes(args=self._without_arguments(original.args, updated.args))
        if isinstance(original, cst.Parameters):
            kinds = ("posonly_params", "params", "kwonly_params")
            pairs = {k: (getattr(original, k), getattr(updated, k)) for k in kinds}
            return updated.with_changes(**{k: self._without_arguments(*pair) for k, pair in pairs.items()})
        return updated

    def _without_arguments(self, original: Sequence[Any], updated: Sequence[Any]) -> Sequence[Any]:
        """The arguments, or parameters, that stay; the last of them ends as the last one did."""
        spans = [self._span(held.value if isinstance(held, cst.Arg) else held.name) for held in original]
        gone = self._dropped.intersection(spans)
        self._left -= {DropArgument(span) for span in gone}
        kept = [node for node, span in zip(updated, spans, strict=True) if span not in gone]
        if kept and spans[-1] in gone:
            kept[-1] = kept[-1].with_changes(comma=updated[-1].comma)
        return kept

    def _swap_expression(self, span: Span, old: cst.BaseExpression) -> cst.BaseExpression:
        text = self._exprs.pop(span)
        self._left.discard(ReplaceExpr(span, text))
        new = _expression(text, bracketed=bool(old.lpar))
        return new.with_changes(lpar=[*old.lpar, *new.lpar], rpar=[*new.rpar, *old.rpar])

    # Suites

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:  # noqa: N802 - libcst
        """Edit the top-level statements."""
        self._indent = self._default
        body, rest = self._suite(_statements(original_node), _statements(updated_node))
        return updated_node.with_changes(body=body, footer=[*rest, *updated_node.footer])

    def leave_IndentedBlock(  # noqa: N802 - libcst's name
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """Edit the statements of a block."""
        self._indent = self._default if original_node.indent is None else original_node.indent
        body, rest = self._suite(_statements(original_node), _statements(updated_node))
        if self._is_gone(self._key(original_node.body[0])):
            body[0] = _with_leading(body[0], _without_blank_start(_leading(body[0])))
        return updated_node.with_changes(body=body, footer=[*rest, *updated_node.footer])

    def _suite(
        self, original: Sequence[_Statement], updated: Sequence[_Statement]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """The new statements of a suite, and the comments left over for its end."""
        keys = [self._key(node) for node in original]
        if not self._items and self._edited.isdisjoint(keys):
            return list(updated), []
        updated = [self._without_items(old, new) for old, new in zip(original, updated, strict=True)]
        out: list[_Statement] = []
        pending: list[cst.EmptyLine] = []
        index = 0
        while index < len(keys):
            stop = self._wrap_end(keys, index)
            if stop is None:
                statements, pending = self._edit(keys[index], updated[index], pending)
                out += [*statements, *self._added(keys[index])]
                index += 1
            else:
                out.append(self._wrapped(keys[index:stop], updated[index:stop], pending))
                pending, index = [], stop
        if not out:
            out, pending = [_pass(pending)], []
        return out, _without_blank_end(pending)

    def _added(self, key: _Key) -> list[_Statement]:
        """What comes behind a statement."""
        op = self._behind.get(key)
        if op is None:
            return []
        self._left.discard(op)
        new = list(cst.parse_module(op.text).body)
        apart = [] if isinstance(new[0], cst.SimpleStatementLine) else [cst.EmptyLine(indent=False)]
        return [_with_leading(new[0], [*apart, *_leading(new[0])]), *new[1:]]

    def _is_gone(self, key: _Key) -> bool:
        return key in self._statements and not self._statements[key].strip() and key not in self._wraps

    def _wrap_end(self, keys: list[_Key], index: int) -> int | None:
        if keys[index] not in self._wraps:
            return None
        last, _ = self._wraps[keys[index]]
        if last not in keys[index:]:
            message = "the statements to wrap are not siblings"
            raise LayoutError(message)
        return keys.index(last, index) + 1

    def _wrapped(self, keys: list[_Key], updated: Sequence[_Statement], pending: list[cst.EmptyLine]) -> _Statement:
        _, header = self._wraps[keys[0]]
        self._left.discard(("wrap", keys[0]))
        lead = _joined(pending, _leading(updated[0]))
        body: list[_Statement] = []
        first, pending = self._edit(keys[0], _with_leading(updated[0], []), [])
        body += first
        for key, node in zip(keys[1:], updated[1:], strict=True):
            statements, pending = self._edit(key, node, pending)
            body += statements
        if not body:
            body, pending = [_pass(pending)], []
        if keys[0][1] == 0:
            body = [_flush(node) for node in body]
        body[0] = _with_leading(body[0], _without_blank_start(_leading(body[0])))
        template = cst.parse_statement(f"{header}:\n    pass\n")
        block = cst.IndentedBlock(body=body, indent=self._indent, footer=_without_blank_end(pending))
        return template.with_changes(body=block, leading_lines=lead)

    def _edit(
        self, key: _Key, node: _Statement, pending: list[cst.EmptyLine]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """One statement after its ops: the statements that stand for it, and comments for what follows."""
        if key in self._statements:
            return self._replaced(key, node, pending)
        if key in self._comments:
            return self._commented(self._comments[key], node, pending)
        if key in self._finals or key in self._kept:
            return self._without_parts(key, node, pending)
        if key in self._emptied and isinstance(node, cst.With):
            return self._body(node, _joined(pending, _leading(node)))
        if key in self._parameters and isinstance(node, cst.FunctionDef):
            node = self._with_parameter(key, node)
        if key in self._above:
            return self._with_above(self._above[key], node, pending), []
        return [_with_leading(node, _joined(pending, _leading(node)))], []

    def _with_above(self, op: AddAbove, node: _Statement, pending: list[cst.EmptyLine]) -> list[_Statement]:
        """The statement below others, which take over the comments above it."""
        if isinstance(node, cst.SimpleStatementLine) and len(node.body) > 1:
            message = "a statement shares its line with another"
            raise LayoutError(message)
        self._left.discard(op)
        first, *others = cst.parse_module(op.text).body
        return [_with_leading(first, _joined(pending, _leading(node))), *others, _with_leading(node, [])]

    def _with_parameter(self, key: _Key, node: cst.FunctionDef) -> cst.FunctionDef:
        """The function with one parameter more, set as those before it are."""
        op = self._parameters[key]
        self._left.discard(op)
        made = cst.parse_statement(f"def f({op.text}): pass\n")
        assert isinstance(made, cst.FunctionDef)
        new, before = made.params.params[0], list(node.params.params)
        if before:
            last = before[-1]
            between = _between(node, before)
            if isinstance(last.comma, cst.Comma):  # its comment stays with it
                behind = last.comma.whitespace_after
                new = new.with_changes(comma=cst.Comma(whitespace_after=_without_comment(behind)))
                if isinstance(behind, cst.ParenthesizedWhitespace) and isinstance(between, cst.ParenthesizedWhitespace):
                    between = between.with_changes(first_line=behind.first_line, empty_lines=behind.empty_lines)
            before[-1] = last.with_changes(comma=cst.Comma(whitespace_after=between))
        return node.with_changes(params=node.params.with_changes(params=[*before, new]))

    def _replaced(
        self, key: _Key, node: _Statement, pending: list[cst.EmptyLine]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        if isinstance(node, cst.SimpleStatementLine) and len(node.body) > 1:
            message = "a statement shares its line with another"
            raise LayoutError(message)
        text = self._statements[key]
        for op in self._ops:
            if isinstance(op, ReplaceStatement) and _start(op.span) == key:
                self._left.discard(op)
        lead = _joined(pending, _leading(node))
        kept = _inner_comments(node)
        if not text.strip():
            return [], [*lead, *kept]
        new = list(cst.parse_module(text).body)
        last = new[-1]
        if len(kept) == 1 and _trails(node) and isinstance(last, cst.SimpleStatementLine):
            assert isinstance(node, cst.SimpleStatementLine)
            new[-1] = last.with_changes(trailing_whitespace=node.trailing_whitespace)
        else:
            lead = [*lead, *kept]
        new[0] = _with_leading(new[0], [*lead, *_leading(new[0])])
        return new, []

    def _commented(
        self, op: CommentOut, node: _Statement, pending: list[cst.EmptyLine]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """Nothing, and the statement's own lines as comments."""
        if isinstance(node, cst.SimpleStatementLine) and len(node.body) > 1:
            message = "a statement shares its line with another"
            raise LayoutError(message)
        self._left.discard(op)
        code = cst.Module([_with_leading(node, [])]).code  # libcst keeps continuation lines relative to their block
        lines = [f"# {line}".rstrip() for line in (*op.above.splitlines(), *code.rstrip().splitlines())]
        made = [cst.EmptyLine(comment=cst.Comment(line)) for line in lines]
        return [], [*_joined(pending, _leading(node)), *made]

    def _without_parts(
        self, key: _Key, node: _Statement, pending: list[cst.EmptyLine]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """A try without its finally, or some of its handlers."""
        if not isinstance(node, cst.Try | cst.TryStar) or (key in self._finals and node.finalbody is None):
            message = "the try has no finally"
            raise LayoutError(message)
        for op in self._ops:
            if isinstance(op, DropFinally | DropHandlers) and _start(op.span) == key:
                self._left.discard(op)
        kept = self._kept.get(key, len(node.handlers))
        final = None if key in self._finals else node.finalbody
        gone: list[cst.CSTNode] = [*node.handlers[kept:]]
        gone += [node.finalbody] if node.finalbody is not None and final is None else []
        comments = [line for part in gone for line in _inner_comments(part)]
        lead = _joined(pending, _leading(node))
        if kept:
            left = node.with_changes(handlers=node.handlers[:kept], finalbody=final, leading_lines=lead)
            return [_trimmed(left) if final is None else left], comments
        if node.orelse is not None or final is not None:
            message = "the try has more than its handlers"
            raise LayoutError(message)
        body, rest = self._body(node, lead)
        return body, [*rest, *comments]

    def _without_items(self, original: _Statement, updated: _Statement) -> _Statement:
        """A with statement after the loss of items; one that has lost all of them keeps them until it is opened."""
        if not isinstance(original, cst.With) or not isinstance(updated, cst.With):
            return updated
        spans = [self._span(item.item) for item in original.items]
        dropped = self._items.intersection(spans)
        self._left -= {DropWithItem(span) for span in dropped}
        if dropped and any(_inner_comments(item) for item in original.items):
            message = "a comment stands between the items of the with"
            raise LayoutError(message)
        kept = [item for item, span in zip(updated.items, spans, strict=True) if span not in dropped]
        if not kept:
            self._emptied.add(self._key(original))
            return updated
        if not dropped:
            return updated
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated.with_changes(items=kept)

    def _body(
        self, node: cst.Try | cst.TryStar | cst.With, lead: Sequence[cst.EmptyLine]
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """The statements of a compound statement that is opened, and the comments at its end."""
        block = node.body
        if not isinstance(block, cst.IndentedBlock):
            message = "the body of a statement stands on the statement's own line"
            raise LayoutError(message)
        body = list(_statements(block))
        body[0] = _with_leading(body[0], [*lead, *_comment_of(block.header), *_leading(body[0])])
        return body, _comments(block.footer)

    # Positions

    def _key(self, node: cst.CSTNode) -> _Key:
        start = self._positions[node].start
        return start.line + self._offset, start.column

    def _span(self, node: cst.CSTNode) -> Span:
        where = self._positions[node]
        return Span(
            where.start.line + self._offset, where.start.column, where.end.line + self._offset, where.end.column
        )


def _between(node: cst.FunctionDef, parameters: Sequence[cst.Param]) -> cst.BaseParenthesizableWhitespace:
    """What stands between two parameters of a function, behind the comma."""
    opening = node.whitespace_before_params
    if isinstance(opening, cst.ParenthesizedWhitespace):
        return _without_comment(opening)
    first = parameters[0].comma
    if len(parameters) > 1 and isinstance(first, cst.Comma):
        return _without_comment(first.whitespace_after)
    return cst.SimpleWhitespace(" ")


def _without_comment(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return space
    plain = space.first_line.with_changes(whitespace=cst.SimpleWhitespace(""), comment=None)
    return space.with_changes(first_line=plain, empty_lines=[])


def _expression(text: str, *, bracketed: bool) -> cst.BaseExpression:
    """An expression; one of several lines gets the brackets that it needs, where none stand around it."""
    try:
        return cst.parse_expression(text)
    except cst.ParserSyntaxError:
        made = cst.parse_expression(f"({text})")
        return made.with_changes(lpar=made.lpar[1:], rpar=made.rpar[:-1]) if bracketed else made


def _statements(node: cst.Module | cst.IndentedBlock) -> Sequence[_Statement]:
    return cast("Sequence[_Statement]", node.body)


def _start(span: Span) -> _Key:
    return span.line, span.col


def _leading(node: _Statement) -> list[cst.EmptyLine]:
    return list(getattr(node, "leading_lines", ()))


def _with_leading(node: _Statement, lines: Sequence[cst.EmptyLine]) -> _Statement:
    return node.with_changes(leading_lines=list(lines))


def _comments(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    return [line for line in lines if line.comment is not None]


def _without_blank_start(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    index = next((i for i, line in enumerate(lines) if line.comment is not None), len(lines))
    return list(lines[index:])


def _without_blank_end(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Without the blank lines at the end; all of them, where there is no comment."""
    last = max((i for i, line in enumerate(lines) if line.comment is not None), default=-1)
    return list(lines[: last + 1])


_Clause = TypeVar("_Clause", bound=cst.CSTNode)


def _flush(node: _Clause) -> _Clause:
    """A statement of the module's own level, whose blank lines stay without indentation where it is moved in."""
    changes: dict[str, object] = {}
    if hasattr(node, "leading_lines"):
        lines = (cst.ensure_type(line, cst.EmptyLine) for line in node.leading_lines)
        changes["leading_lines"] = [x if x.comment is not None else x.with_changes(indent=False) for x in lines]
    if getattr(node, "handlers", None):
        changes["handlers"] = [_flush(handler) for handler in node.handlers]  # type: ignore[attr-defined]
    for name in ("orelse", "finalbody"):
        clause = getattr(node, name, None)
        if isinstance(clause, cst.Else | cst.Finally | cst.If):
            changes[name] = _flush(clause)
    return node.with_changes(**changes) if changes else node


def _trimmed(node: cst.Try | cst.TryStar) -> cst.Try | cst.TryStar:
    """A try without the blank lines at its end, which stood above its finally."""
    if node.orelse is not None:
        return node.with_changes(orelse=_trimmed_suite(node.orelse))
    return node.with_changes(handlers=[*node.handlers[:-1], _trimmed_suite(node.handlers[-1])])


_Suite = TypeVar("_Suite", bound=cst.Else | cst.ExceptHandler | cst.ExceptStarHandler)


def _trimmed_suite(node: _Suite) -> _Suite:
    block = node.body
    if not isinstance(block, cst.IndentedBlock):
        return node
    return cast("_Suite", node.with_changes(body=block.with_changes(footer=_without_blank_end(block.footer))))


def _joined(pending: list[cst.EmptyLine], own: list[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Lines left over from a removed statement before a statement's own: one run of blank lines, not two."""
    if own and own[0].comment is None and not _comments(pending):
        return own
    blank = _blank(reversed(pending)), _blank(own)
    kept = len(pending) - min(blank)
    return [*pending[:kept], *own]


def _blank(lines: Iterable[cst.EmptyLine]) -> int:
    """How many lines without a comment come first."""
    return sum(1 for _ in takewhile(lambda line: line.comment is None, lines))


def _comment_of(space: cst.TrailingWhitespace) -> list[cst.EmptyLine]:
    return [cst.EmptyLine(comment=space.comment)] if space.comment is not None else []


def _trails(node: _Statement) -> bool:
    return isinstance(node, cst.SimpleStatementLine) and node.trailing_whitespace.comment is not None


def _inner_comments(node: cst.CSTNode) -> list[cst.EmptyLine]:
    """All comments inside `node` (not those above it), each as a line of its own."""
    found: list[cst.EmptyLine] = []

    class Collector(cst.CSTVisitor):
        def visit_Comment(self, node: cst.Comment) -> None:  # noqa: N802 - libcst's name
            found.append(cst.EmptyLine(comment=node))

    if isinstance(node, cst.BaseStatement):
        node = cast("cst.CSTNode", node.with_changes(leading_lines=[]))
    node.visit(Collector())
    return found


def _pass(leading: Sequence[cst.EmptyLine]) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine(body=[cst.Pass()], leading_lines=list(leading))
