"""Statements that no op touches are kept from libcst: the text is the same as if it had seen them."""

from __future__ import annotations

import ast

import pytest
from ormlift.edit import LayoutError
from ormlift.edit.fold import fold
from ormlift.edit.tree import edit_chunk
from ormlift.model import DropFinally, DropHandlers, Op, ReplaceExpr, ReplaceStatement, Source, Wrap
from ormlift.source import split_lines
from ormlift.syntax import FunctionNode, Module

BODIES = {
    "calls": """
        first()

        # about the second
        second()  # behind it
        third(
            one,  # an argument

            # another
            two,
        )
    """,
    "blocks": """
        if ready:
            # before the first
            first()

            # at the end of the block
        elif other:
            second()
        # between the clauses
        else:
            third()
        # before the loop
        for item in items:
            with item as held:
                held.use()
            # of the loop
        # behind the loop
        while more():
            step()
        else:
            last()
    """,
    "tries": """
        try:
            first()
        except ValueError as error:
            # why
            second(error)

        # before the other
        except (KeyError,
                TypeError):
            raise
        else:
            third()
        finally:
            last()
    """,
    "functions": """
        @decorated(
            option=1,
        )
        def inner(one,
                  two=2):
            # of the inner one
            return one + two

        class Held:
            value = 1

            def get(self):
                return self.value

        lambda: (
            inner(1)
        )
    """,
    "matches": """
        match first():
            case {"one": 1}:
                second()
            # before the other case
            case _ if ready:
                third()
    """,
    "several on a line": """
        first(); second()
        if ready: third()
        else: last()
        x = (1,
          2); y = 3; z = [
        4]
    """,
}
STRINGS = {
    "long strings": '''
        text = """one
        two
            three
        """
        first(text)
        second(
            \'\'\'one
        two\'\'\',
        )
    ''',
    "backslashes": """
        assert first() and \\
            second()
        x = 'one \\
        two'
        third()
    """,
    "joined strings": """
        first(
            "one"
            f"{two}"
            "three"
        )
    """,
    "to the left": """
        first(
    one,
        # a comment
  two,
        )
        if ready:
            second()
      # to the left of its block
            third()
        last()
    """,
    "stairs of comments": """
        if one:
            if two:
                first()
            # of the middle
                # of the inner one
          # between
        second()
    """,
    "spaces on empty lines": """
        if one:
            first()
                  \n
            second()
      \n
        third()
    """,
}
FRAMES = {
    "wrapped": ("s = get()\ntry:\n    BODY\nfinally:\n    # closed\n    s.close()\n", "wrap"),
    "handled": ("try:\n    BODY\nexcept Exception:\n    # undone\n    s.rollback()\n    raise\n", "handlers"),
    "behind": ("s = get()\nBODY\ns.close()\n", "around"),
    "swapped": ("with get() as s:\n    BODY\n", "swap"),
}


def outdented(body: str) -> list[str]:
    """The lines of a body of the table above; those to the left of it as far to the left as they can be."""
    depth = len(body.lstrip("\n")) - len(body.lstrip())
    return [
        x[min(depth, len(x) - len(x.lstrip(" \t"))) :] for x in body.strip("\n").rstrip(" ").splitlines(keepends=True)
    ]


def module_of(frame: str, body: str, step: str, newline: str) -> Module:
    lines = [f"{step}{line}" for line in frame.splitlines()]
    text = "def f():\n"
    for line in lines:
        space = line[: len(line) - len(line.lstrip())]
        inner = [f"{space}{x}" if x.strip("\n") else x for x in outdented(body)]
        text += "".join(inner) + "\n" if line.strip() == "BODY" else f"{line}\n"
    return Module.parse(Source("app.py", text.replace("\n", newline)))


def ops_of(module: Module, function: FunctionNode, kind: str) -> list[Op]:
    span, body = module.span, function.body
    match kind:
        case "wrap":
            wrap = Wrap(span(body[0]), span(body[1]), "with scope() as s")
            return [ReplaceStatement(span(body[0])), wrap, DropFinally(span(body[1]))]
        case "handlers":
            return [DropHandlers(span(body[0]), 0)]
        case "around":
            wrap = Wrap(span(body[1]), span(body[-2]), "with scope() as s")
            return [ReplaceStatement(span(body[0])), wrap, ReplaceStatement(span(body[-1]))]
        case _:
            assert isinstance(body[0], ast.With)
            return [ReplaceExpr(span(body[0].items[0].context_expr), "scope()")]


def both(module: Module, kind: str) -> tuple[str | None, str]:
    """The text of an edit with what is folded, and of one without."""
    function = module.tree.body[0]
    assert isinstance(function, FunctionNode)
    ops = ops_of(module, function, kind)
    lines = split_lines(module.source.text)
    newline = "\r\n" if "\r\n" in lines[0] else "\n"
    try:
        whole = edit_chunk("".join(lines), 1, ops, newline)
    except LayoutError:
        return None, ""  # what is folded is not asked then
    folded = fold(lines, 1, function, ops)
    return folded.unfold(edit_chunk(folded.text, 1, ops, newline)) if folded else None, whole


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("step", ["    ", "\t", "  "])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("body", [*BODIES, *STRINGS])
def test_folded_is_as_whole(body: str, frame: str, step: str, newline: str) -> None:
    text, kind = FRAMES[frame]
    indented = text if step == "    " else text.replace("    ", step)
    inner = {**BODIES, **STRINGS}[body]
    inner = inner if step == "    " else inner.replace("    ", step)
    folded, whole = both(module_of(indented, inner, step, newline), kind)
    assert folded is None or folded == whole


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("body", ["calls", "blocks", "tries", "functions"])
def test_what_is_plain_is_folded(body: str, frame: str) -> None:
    text, kind = FRAMES[frame]
    folded, _ = both(module_of(text, BODIES[body], "    ", "\n"), kind)
    assert folded is not None
