"""Ops on text: what stays, what moves, and what cannot be followed."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from ormlift.edit import LayoutError, apply
from ormlift.model import (
    AddBehind,
    AddParameter,
    CommentOut,
    DropFinally,
    DropWithItem,
    ImportNeed,
    Op,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Source,
    Wrap,
)
from ormlift.syntax import Module, indented
from ormlift.verify import verify_edit


def parse(text: str) -> Module:
    return Module.parse(Source("app.py", text))


def edit(module: Module, *ops: Op, imports: tuple[ImportNeed, ...] = (), unused: tuple[str, ...] = ()) -> str:
    lines = [line for op in ops for line in _lines(op)]
    if any(isinstance(op, DropWithItem) for op in ops):
        lines.append(len(module.lines))  # its whole body moves
    rewrite = Rewrite("test", min(lines), max(lines), ops, imports=imports, unused=unused)
    edited = apply(module, [rewrite])
    assert len(edited.origin) == len(edited.text.splitlines())
    verify_edit(module, Source("app.py", edited.text), edited.origin, [(rewrite.line, rewrite.end_line)])
    return edited.text


def _lines(op: Op) -> tuple[int, int]:
    if isinstance(op, Wrap):
        return op.first.line, op.last.end_line
    return op.span.line, op.span.end_line


def scope_ops(module: Module) -> list[Op]:
    """The session-scope edit of the only `s = get()` + try/finally in the module."""
    assign = next(
        n for n in ast.walk(module.tree) if isinstance(n, ast.Assign) and ast.unparse(n.value).endswith("get()")
    )
    suite = module.suite(assign)
    after = suite[suite.index(assign) + 1 :]
    guarded = next(n for n in after if isinstance(n, ast.Try))
    return [
        ReplaceStatement(module.span(assign)),
        Wrap(module.span(assign), module.span(guarded), "with scope() as s"),
        DropFinally(module.span(guarded)),
    ]


def check(before: str, after: str) -> None:
    module = parse(dedent(before))
    assert edit(module, *scope_ops(module)) == dedent(after)


def test_try_without_handlers_is_opened() -> None:
    check(
        """
        def f():
            # why
            s = get()  # one
            try:  # two
                # three
                x = s.q()

                return x  # four
                # five
            finally:  # six
                # seven
                s.close()  # eight
            # nine
        """,
        """
        def f():
            # why
            with scope() as s:
                # one
                # two
                # three
                x = s.q()

                return x  # four
                # five
                # six
                # seven
                # eight
            # nine
        """,
    )


def test_try_with_handlers_moves_whole() -> None:
    check(
        '''
        class A:
            def f(self):
                s = get()
                log("""a
          b
                """)

                try:
                    x = call(1,
                             2)
                except E as e:  # bad
                    s.rollback()
                    raise
                else:
                    y()
                finally:
                    s.close()

                return x

            def g(self): pass
        ''',
        '''
        class A:
            def f(self):
                with scope() as s:
                    log("""a
          b
                """)

                    try:
                        x = call(1,
                                 2)
                    except E as e:  # bad
                        s.rollback()
                        raise
                    else:
                        y()

                return x

            def g(self): pass
        ''',
    )


def test_indentation_follows_the_file() -> None:
    check(
        "def f():\n\ts = get()\n\ttry:\n\t\tx()\n\texcept E:\n\t\ty()\n\tfinally:\n\t\ts.close()\n",
        "def f():\n\twith scope() as s:\n\t\ttry:\n\t\t\tx()\n\t\texcept E:\n\t\t\ty()\n",
    )
    check(
        "class A:\n  def f(a,\n        b):\n    s = get()\n    try:\n      x()\n    finally:\n      s.close()\n",
        "class A:\n  def f(a,\n        b):\n    with scope() as s:\n      x()\n",
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_newlines_and_the_last_line_stay(newline: str, end: str) -> None:
    before = "x = 1\ndef f():\n    s = get()\n    try:\n        return x\n    finally:\n        s.close()" + end
    after = "x = 1\ndef f():\n    with scope() as s:\n        return x" + end
    module = parse(before.replace("\n", newline))
    assert edit(module, *scope_ops(module)) == after.replace("\n", newline)


def test_module_level_and_inside_if() -> None:
    check(
        "import a\n\ns = get()\ntry:\n    x()\nfinally:\n    s.close()\n\nprint(1)\n",
        "import a\n\nwith scope() as s:\n    x()\n\nprint(1)\n",
    )
    check(
        "class A:\n    s = get()\n    try:\n        x()\n    finally:\n        s.close()\n    y = 1\n",
        "class A:\n    with scope() as s:\n        x()\n    y = 1\n",
    )


def test_removed_statement_leaves_its_comments_and_one_blank_line() -> None:
    module = parse("def f():\n    a()\n\n    # keep me\n    b()  # me too\n\n    return 1\n")
    target = module.tree.body[0].body[1]  # type: ignore[attr-defined]
    assert edit(module, ReplaceStatement(module.span(target))) == (
        "def f():\n    a()\n\n    # keep me\n    # me too\n\n    return 1\n"
    )
    module = parse("def f():\n    a()\n\n    b()\n    return 1\n")
    target = module.tree.body[0].body[1]  # type: ignore[attr-defined]
    assert edit(module, ReplaceStatement(module.span(target))) == "def f():\n    a()\n\n    return 1\n"
    module = parse("def f():\n    a()\n\n    b()\n\n    return 1\n")
    target = module.tree.body[0].body[1]  # type: ignore[attr-defined]
    assert edit(module, ReplaceStatement(module.span(target))) == "def f():\n    a()\n\n    return 1\n"
    module = parse("def f():\n    b()  # only\n")
    target = module.tree.body[0].body[0]  # type: ignore[attr-defined]
    assert edit(module, ReplaceStatement(module.span(target))) == "def f():\n    # only\n    pass\n"


def test_replaced_statement_keeps_comments_of_the_old() -> None:
    module = parse("def f():\n    # above\n    a(\n        1,  # inside\n    )\n    c()  # end\n")
    first, second = module.tree.body[0].body  # type: ignore[attr-defined]
    assert edit(
        module,
        ReplaceStatement(module.span(first), "b(\n    2,\n)\n"),
        ReplaceStatement(module.span(second), "d()"),
    ) == ("def f():\n    # above\n    # inside\n    b(\n        2,\n    )\n    d()  # end\n")


def drop_items(before: str, *names: str) -> str:
    module = parse(dedent(before))
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) in names]
    return edit(module, *(DropWithItem(module.span(call)) for call in calls))


def test_with_items_are_dropped_and_an_empty_with_is_opened() -> None:
    before = """
    def f():
        # why
        with conn() as c, cursor() as cur:  # end
            # first
            go()
            # last
        return 1
    """
    assert drop_items(before, "cursor") == dedent(before).replace(", cursor() as cur", "")
    assert drop_items(before, "conn") == dedent(before).replace("conn() as c, ", "")
    assert drop_items(before, "conn", "cursor") == dedent(
        """
    def f():
        # why
        # end
        # first
        go()
        # last
        return 1
    """
    )
    with pytest.raises(LayoutError, match="comment"):
        drop_items("def f():\n    with (\n        conn(),  # c\n        cursor(),\n    ):\n        go()\n", "cursor")


def test_an_opened_with_inside_a_wrap() -> None:
    module = parse("def f():\n    c = get()\n    with cursor() as cur:\n        go()\n    c.close()\n")
    function = module.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    first, inner, last = function.body
    assert isinstance(inner, ast.With)
    assert edit(
        module,
        ReplaceStatement(module.span(first)),
        DropWithItem(module.span(inner.items[0].context_expr)),
        ReplaceStatement(module.span(last)),
        Wrap(module.span(first), module.span(last), "with scope() as s"),
    ) == ("def f():\n    with scope() as s:\n        go()\n")


def test_expressions_are_swapped_in_place() -> None:
    module = parse('def f(row, ä):\n    ü = "ü"; x = json.loads(row[3]) if (row[3]) else ä\n')
    spans = [module.span(n) for n in ast.walk(module.tree) if isinstance(n, ast.Subscript)]
    assert edit(module, *(ReplaceExpr(span, "row.results") for span in spans)) == (
        'def f(row, ä):\n    ü = "ü"; x = json.loads(row.results) if (row.results) else ä\n'
    )


def test_edits_that_would_swallow_one_another_are_refused() -> None:
    module = parse("def f():\n    return cur.fetchone()[0]\n")
    outer = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Subscript))
    inner = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Name) and n.id == "cur")
    with pytest.raises(LayoutError, match="collide"):
        edit(module, ReplaceExpr(module.span(outer), "cur.fetchone().name"), ReplaceExpr(module.span(inner), "result"))


def test_expression_over_several_lines_is_indented_with_its_block() -> None:
    module = parse("def f():\n    if x:\n        r = cur.fetchone()\n")
    call = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Call))
    assert edit(module, ReplaceExpr(module.span(call), "s.execute(\n    select(A)\n).first()")) == (
        "def f():\n    if x:\n        r = s.execute(\n            select(A)\n        ).first()\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("r = (\n    cur.all()\n)\n", "r = (\n    select(A)\n    .all()\n)\n"),
        ("r = cur.all()\n", "r = (select(A)\n    .all())\n"),
    ],
)
def test_an_expression_over_several_lines_has_brackets(before: str, after: str) -> None:
    module = parse(before)
    call = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Call))
    assert edit(module, ReplaceExpr(module.span(call), "select(A)\n    .all()")) == after


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("def f():\n    go(\n        1,\n    )\n", "go(\n    1,\n)"),
        ('def f():\n    go(\n        """a\n    b""",\n    )\n', 'go(\n    """a\n    b""",\n)'),
        ("def f():\n    go(\n        1,  # one\n    )\n", "go(1)"),
        ("def f():\n\tgo(\n\t\t1,\n\t)\n", "go(\n\t1,\n)"),
    ],
)
def test_a_statement_is_written_as_it_stands_at_column_0(text: str, written: str) -> None:
    module = parse(text)
    function = module.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert module.written(function.body[0]) == written


def test_a_text_in_quotes_keeps_its_lines_one_block_deeper() -> None:
    assert indented('go(\n    """a\nb""",\n)') == '    go(\n        """a\nb""",\n    )'


def test_blank_lines_at_the_ends_of_a_suite_go_with_their_statement() -> None:
    before = "def f():\n    a()\n\n    b()\n    \n    c()"
    for end in ("", "\n", "\nx = 1\n"):
        module = parse(before + end)
        function = module.tree.body[0]
        assert isinstance(function, ast.FunctionDef)
        first, second, last = (module.span(s) for s in function.body)
        assert edit(module, ReplaceStatement(first), ReplaceStatement(last)) == "def f():\n    b()" + end
        assert edit(
            module, ReplaceStatement(first), ReplaceStatement(last), Wrap(second, second, "with scope() as s")
        ) == ("def f():\n    with scope() as s:\n        b()" + end)


def test_blank_lines_above_a_finally_go_with_it() -> None:
    check(
        "def f():\n    s = get()\n\n    try:\n        x()\n\n    except E:\n        y()\n        \n\n"
        "    finally:\n        s.close()\n\n    z()\n",
        "def f():\n    with scope() as s:\n        try:\n            x()\n\n        except E:\n            y()\n\n"
        "    z()\n",
    )


def test_statements_on_one_line_are_not_followed() -> None:
    module = parse("def f():\n    a(); b()\n")
    target = module.tree.body[0].body[1]  # type: ignore[attr-defined]
    with pytest.raises(LayoutError):
        edit(module, ReplaceStatement(module.span(target)))
    module = parse("def f(): b()\n")
    target = module.tree.body[0].body[0]  # type: ignore[attr-defined]
    with pytest.raises(LayoutError):
        edit(module, ReplaceStatement(module.span(target)))


def imports(before: str, needs: tuple[ImportNeed, ...] = (), unused: tuple[str, ...] = ()) -> str:
    text = dedent(before)
    module = parse(text + "def f():\n    b()\n")
    target = module.tree.body[-1].body[0]  # type: ignore[attr-defined]
    return edit(module, ReplaceStatement(module.span(target), "c()"), imports=needs, unused=unused).split("def f")[0]


def test_imports_are_added_where_they_belong() -> None:
    assert imports("import os\n", (ImportNeed("app.db", "scope"),)) == "import os\nfrom app.db import scope\n"
    assert imports("from app.db import x\n", (ImportNeed("app.db", "scope"),)) == "from app.db import x, scope\n"
    assert imports("from app.db import scope\n", (ImportNeed("app.db", "scope"),)) == "from app.db import scope\n"
    assert imports('"""Doc."""\n', (ImportNeed("os"),)) == '"""Doc."""\nimport os\n'
    assert imports("# note\n\n", (ImportNeed("os"),)) == "# note\n\nimport os\n"
    assert imports("from app.db import (\n    x,\n)\nimport os\n", (ImportNeed("app.db", "y"),)) == (
        "from app.db import (\n    x,\n)\nfrom app.db import y\nimport os\n"
    )
    assert imports("from __future__ import annotations\n", (ImportNeed("os"),)) == (
        "from __future__ import annotations\nimport os\n"
    )


def test_imports_keep_groups_and_order() -> None:
    before = "import os\n\nimport flask\n\nfrom app.models import Job\n"
    assert imports(before, (ImportNeed("sqlalchemy", "select"), ImportNeed("app.db", "scope"))) == (
        "import os\n\nimport flask\nfrom sqlalchemy import select\n\n"
        "from app.models import Job\nfrom app.db import scope\n"
    )
    assert imports("import os\n\nfrom app import x\n", (ImportNeed("sqlalchemy", "select"),)) == (
        "import os\n\nfrom app import x\nfrom sqlalchemy import select\n"
    )
    needs = (ImportNeed("sqlalchemy", "func"), ImportNeed("sqlalchemy", "update"))
    assert imports("from sqlalchemy import delete, select\n", needs) == (
        "from sqlalchemy import delete, func, select, update\n"
    )
    assert imports("from sqlalchemy import Text, Column\n", needs) == (
        "from sqlalchemy import Text, Column, func, update\n"
    )


def test_an_import_stands_behind_what_changes_the_path() -> None:
    before = "import sys\n\nsys.path.insert(0, 'src')\n\n"
    assert imports(before, (ImportNeed("app.db", "scope"),)) == (
        "import sys\n\nsys.path.insert(0, 'src')\nfrom app.db import scope\n\n"
    )
    above = "import sys\nfrom sqlalchemy import select\n"
    assert imports(before, (ImportNeed("sqlalchemy", "select"),)).startswith(above)


def test_a_name_that_only_type_checkers_import_is_imported() -> None:
    before = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from app.db import scope\n"
    assert imports(before, (ImportNeed("app.db", "scope"),)) == (
        "from typing import TYPE_CHECKING\nfrom app.db import scope\n\n"
        "if TYPE_CHECKING:\n    from app.db import scope\n"
    )


def test_a_name_that_the_file_defines_is_not_imported_over() -> None:
    for line in ("scope = 1\n", "def scope(): ...\n", "class scope: ...\n"):
        with pytest.raises(LayoutError, match="scope"):
            imports(line, (ImportNeed("app.db", "scope"),))


def test_a_name_bound_to_something_else_is_not_imported_over() -> None:
    with pytest.raises(LayoutError, match="scope"):
        imports("from other import scope\n", (ImportNeed("app.db", "scope"),))


LOCAL = "def g():\n    from db import get\n    get()\n\n\ndef f():\n    from db import get, put\n    b()\n    put()\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LOCAL, LOCAL.replace("import get, put", "import put").replace("b()", "c()")),  # used in another function
        ("def f():\n    from db import get\n    b()\n", "def f():\n    c()\n"),
        (
            "def f():\n    from db import get\n    b()\n    get()\n",
            "def f():\n    from db import get\n    c()\n    get()\n",
        ),
        ("def f():\n    from db import get  # why\n    b()\n", "def f():\n    from db import get  # why\n    c()\n"),
        (
            "def f():\n    try:\n        from db import get\n    except E:\n        pass\n    b()\n",
            "def f():\n    try:\n        from db import get\n    except E:\n        pass\n    c()\n",
        ),
    ],
)
def test_imports_inside_the_edited_function(before: str, after: str) -> None:
    module = parse(before)
    call = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Expr) and ast.unparse(n) == "b()")
    assert edit(module, ReplaceStatement(module.span(call), "c()"), unused=("get",)) == after


def test_unused_imports_are_removed_and_used_ones_stay() -> None:
    assert imports("import sqlite3\nimport os\n", unused=("sqlite3",)) == "import os\n"
    assert imports("from a import b, c as d\n", unused=("d",)) == "from a import b\n"
    assert imports("import sqlite3\nx = sqlite3.Row\n", unused=("sqlite3",)) == "import sqlite3\nx = sqlite3.Row\n"
    assert imports("import sqlite3  # keep\n", unused=("sqlite3",)) == "import sqlite3  # keep\n"
    assert imports("from a import b\n__all__ = ['b']\n", unused=("b",)) == "from a import b\n__all__ = ['b']\n"


def test_one_blank_line_stays_where_a_statement_between_two_is_gone() -> None:
    module = parse("def f():\n    a()\n\n    s = get()\n\n    try:\n        x()\n    finally:\n        s.close()\n")
    function = module.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    _, assign, guarded = (module.span(s) for s in function.body)
    assert edit(
        module, ReplaceStatement(assign), Wrap(guarded, guarded, "with scope() as s"), DropFinally(guarded)
    ) == ("def f():\n    a()\n\n    with scope() as s:\n        x()\n")


COMMENTED = {
    "in the middle, with comments of its own": (
        """\
        class A:
            x = 1

            # why
            y = make(
                "b",  # inside
                c={
                    1: 2,
                },
            )  # behind

            z = 3
        """,
        """\
        class A:
            x = 1

            # why
            # TODO: later
            # y = make(
            #     "b",  # inside
            #     c={
            #         1: 2,
            #     },
            # )  # behind

            z = 3
        """,
    ),
    "at the end": (
        """\
        class A:
            x = 1
            y = make()


        class B:
            pass
        """,
        """\
        class A:
            x = 1
            # TODO: later
            # y = make()


        class B:
            pass
        """,
    ),
    "alone, and indented by tabs": (
        "class A:\n\ty = make(\n\t\t1,\n\t)\n",
        "class A:\n\t# TODO: later\n\t# y = make(\n\t# \t1,\n\t# )\n\tpass\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), COMMENTED.values(), ids=COMMENTED.keys())
def test_a_statement_becomes_a_comment(before: str, after: str) -> None:
    module = parse(dedent(before))
    target = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "y")
    assert edit(module, CommentOut(module.span(target), "TODO: later")) == dedent(after)


def test_two_statements_become_comments_at_once() -> None:
    module = parse("class A:\n    y = 1\n    x = 2\n    z = 3\n")
    ops = [CommentOut(module.span(s)) for s in module.tree.body[0].body[::2]]  # type: ignore[attr-defined]
    assert edit(module, *ops) == "class A:\n    # y = 1\n    x = 2\n    # z = 3\n"


def test_what_shares_its_line_is_not_commented_out() -> None:
    module = parse("class A:\n    y = 1; x = 2\n")
    with pytest.raises(LayoutError):
        edit(module, CommentOut(module.span(module.tree.body[0].body[0])))  # type: ignore[attr-defined]


BEHIND = {
    "a statement": (
        "y = 1",
        """
        class A:
            # first
            y = 1  # one

            # second
            z = 2
        """,
        """
        class A:
            # first
            y = 1  # one
            x = 3

            # second
            z = 2
        """,
    ),
    "a function behind a method": (
        "def y(self)",
        """
        class A:
            def y(self):
                return 1
                # the end

            # of z
            def z(self): return 2
        """,
        """
        class A:
            def y(self):
                return 1
                # the end

            def x(self):
                return 3

            # of z
            def z(self): return 2
        """,
    ),
    "a function at the end": (
        "def y(self)",
        """
        class A:
        \tdef y(self):
        \t\treturn 1
        """,
        """
        class A:
        \tdef y(self):
        \t\treturn 1

        \tdef x(self):
        \t\treturn 3
        """,
    ),
}


@pytest.mark.parametrize(("target", "before", "after"), BEHIND.values(), ids=BEHIND.keys())
def test_statements_are_added_behind_another(target: str, before: str, after: str) -> None:
    module = parse(dedent(before))
    node = next(s for s in module.tree.body[0].body if ast.unparse(s).startswith(target))  # type: ignore[attr-defined]
    text = "def x(self):\n    return 3\n" if target.startswith("def") else "x = 3"
    assert edit(module, AddBehind(module.span(node), text)) == dedent(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f():\n    pass\n", "def f(new=1):\n    pass\n"),
        ("def f(a, b=2):\n    pass\n", "def f(a, b=2, new=1):\n    pass\n"),
        ("def f(a):\n    pass\n", "def f(a, new=1):\n    pass\n"),
        ("def f(a, *rest, c=3, **more):\n    pass\n", "def f(a, new=1, *rest, c=3, **more):\n    pass\n"),
        ("def f(*, c):\n    pass\n", "def f(new=1, *, c):\n    pass\n"),
        (
            "@route\nasync def f(\n    a: int,  # the first\n    b: int = 2,\n):\n    pass\n",
            "@route\nasync def f(\n    a: int,  # the first\n    b: int = 2,\n    new=1,\n):\n    pass\n",
        ),
        (
            "def f(\n    a: int,  # the first\n    b: int = 2,  # the second\n):\n    pass\n",
            "def f(\n    a: int,  # the first\n    b: int = 2,  # the second\n    new=1,\n):\n    pass\n",
        ),
        ("def f(\n    a,  # one\n):\n    pass\n", "def f(\n    a,  # one\n    new=1,\n):\n    pass\n"),
        (
            "class C:\n    def f(\n        self,\n        a,\n    ):\n        pass\n",
            "class C:\n    def f(\n        self,\n        a,\n        new=1,\n    ):\n        pass\n",
        ),
    ],
)
def test_a_function_takes_one_parameter_more(before: str, after: str) -> None:
    module = parse(before)
    function = next(n for n in ast.walk(module.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    assert edit(module, AddParameter(module.span(function), "new=1")) == after
