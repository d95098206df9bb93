"""Which definition reaches which use: each case names the lines of the definitions that `use(x)` may read."""

import ast

import pytest
from ormlift.sql.life.flow import Mark, flow

_CASES: dict[str, tuple[str, set[int]]] = {
    "straight": ("x = 1\nx = 2\nuse(x)", {2}),
    "both branches": ("if a:\n    x = 1\nelse:\n    x = 2\nuse(x)", {2, 4}),
    "a branch that returns": ("x = 1\nif a:\n    x = 2\n    return\nuse(x)", {1}),
    "a loop's own later definition": ("x = 1\nfor i in a:\n    use(x)\n    x = 2", {1, 4}),
    "after a loop that may not run": ("x = 1\nfor i in a:\n    x = 2\nuse(x)", {1, 3}),
    "break from an endless loop": ("x = 1\nwhile True:\n    x = 2\n    if a:\n        break\n    x = 3\nuse(x)", {3}),
    "continue": ("x = 1\nwhile a:\n    if b:\n        x = 2\n        continue\n    use(x)\n    x = 3", {1, 4, 7}),
    "a handler sees anything of the try": ("x = 1\ntry:\n    x = 2\n    x = 3\nexcept E:\n    use(x)", {1, 3, 4}),
    "after a try": ("try:\n    x = 1\nexcept E:\n    x = 2\nuse(x)", {2, 4}),
    "else of a try": ("try:\n    x = 1\nexcept E:\n    x = 2\nelse:\n    use(x)", {2}),
    "finally sees all ways": ("x = 1\ntry:\n    x = 2\nfinally:\n    use(x)", {1, 3}),
    "after a finally": ("x = 1\ntry:\n    x = 2\nfinally:\n    y = 0\nuse(x)", {3}),
    "a handler that raises": ("try:\n    x = 1\nexcept E:\n    x = 2\n    raise\nuse(x)", {2}),
    "a with block": ("x = 1\nwith a:\n    x = 2\nuse(x)", {3}),
    "a with block that suppresses": ("x = 1\nwith suppress(E):\n    x = 2\n    x = 3\nuse(x)", {1, 3, 4}),
    "walrus": ("x = 1\nif (x := f()):\n    use(x)", {2}),
    "a walrus that may not be reached": ("x = 1\na and (x := 2)\nuse(x)", {1, 2}),
    "comprehension names are its own": ("x = 1\ny = [x for x in a]\nuse(x)", {1}),
    "unpacking": ("x, y = f()\nuse(x)", {1}),
    "match": ("x = 1\nmatch a:\n    case 1:\n        x = 2\n    case [x]:\n        pass\nuse(x)", {1, 4, 5}),
    "del and augmented": ("x = 1\nx += 1\nuse(x)", {2}),
    "loop target": ("for x in a:\n    use(x)", {1}),
    "else of a loop": ("x = 1\nfor i in a:\n    x = 2\n    break\nelse:\n    use(x)", {1}),
    "nested loops": ("x = 1\nfor i in a:\n    for j in b:\n        use(x)\n    x = 2", {1, 5}),
}


@pytest.mark.parametrize("name", list(_CASES))
def test_reaching(name: str) -> None:
    text, expected = _CASES[name]
    tree = ast.parse(f"def f():\n{_indented(text)}")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    found = flow(function.body)
    uses = [n.args[0] for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "use"]
    (use,) = uses
    assert {getattr(d, "lineno", 0) - 1 for d in found.of(use)} == expected


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def test_captured_names_are_told() -> None:
    tree = ast.parse("x = 1\ndef g(y=x):\n    return x + y\nh = lambda z: z + x\n")
    found = flow(tree.body)
    assert [n.lineno for n in found.captured["x"]] == [3, 4]
    assert "z" not in found.captured
    assert len([k for k in found.reaching if k[1] == "x"]) == 1  # the default runs where it stands


def test_marks_follow_made_up_names() -> None:
    tree = ast.parse("c.execute(1)\nif a:\n    c.execute(2)\nc.fetch()\n")

    def marks(node: ast.AST) -> list[Mark]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return [Mark("#c", defines=node.func.attr == "execute")]
        return []

    found = flow(tree.body, marks)
    (fetch,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "c.fetch"]
    assert {getattr(d, "lineno", 0) for d in found.of(fetch, "#c")} == {1, 3}


def test_exits_are_returns_and_the_end() -> None:
    tree = ast.parse("def f():\n    x = 1\n    if a:\n        return\n    x = 2\n")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    exits = flow(function.body).exits
    assert [(None if s is None else s.lineno) for s, _ in exits] == [4, None]
