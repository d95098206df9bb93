"""Each way to use a row: what becomes of it, told by edits, effects or the obstacle."""

import ast

import pytest
from ormlift.model import Effect, ReplaceExpr, Source
from ormlift.schema import MappedColumn
from ormlift.sql.life.flow import flow
from ormlift.sql.rows.follow import Fact, Follower, Is
from ormlift.sql.rows.judge import Keep, Obstacle, judge
from ormlift.sql.statement import ResultColumn
from ormlift.syntax import Module


def _column(name: str, kind: str = "String", new: str = "") -> ResultColumn:
    mapped = MappedColumn(name, name, kind)
    return ResultColumn(name, name, mapped, "jobs", bool(new), "int" if new == "bool" else "str", new or "str")


COLUMNS = (
    _column("id"),
    _column("marks", "JSON", "dict"),
    _column("at", "DateTime", "datetime"),
    _column("rush", "Boolean", "bool"),
    _column("count"),
)
# what the function does -> edits as `old -> new`, effects as codes, an obstacle as `!code`
_TUPLES: dict[str, tuple[str, list[str]]] = {
    "index": ("row = ROW()\nreturn row[0]", ["row[0] -> row.id"]),
    "negative index": ("row = ROW()\nreturn row[-5]", ["row[-5] -> row.id"]),
    "index that a method's name has taken": ("row = ROW()\nreturn row[4]", []),
    "index out of range": ("row = ROW()\nreturn row[9]", ["!row-use"]),
    "another value may stand there": ("row = ROW()\nif a:\n    row = f()\nreturn row[0]", []),
    "None may stand there": ("row = None\nif a:\n    row = ROW()\nif row:\n    return row[0]", ["row[0] -> row.id"]),
    "through another name": ("row = ROW()\nother = row\nreturn other[0]", ["other[0] -> other.id"]),
    "unpacked": ("a, b, c, d, e = ROW()\nreturn a", []),
    "unpacked, a date used": ("a, b, c, d, e = ROW()\nreturn c", ["result-type"]),
    "unpacked, a date tested only": ("a, b, c, d, e = ROW()\nif c:\n    return 1", []),
    "loop": ("for row in ROWS():\n    f(row[0])", ["row[0] -> row.id"]),
    "loop over a name": ("rows = ROWS()\nfor row in rows:\n    f(row[0])", ["row[0] -> row.id"]),
    "numbered loop": ("for i, row in enumerate(ROWS()):\n    f(row[0])", ["row[0] -> row.id"]),
    "comprehension": ("return [r[0] for r in ROWS()]", ["r[0] -> r.id"]),
    "one of many": ("rows = ROWS()\nreturn rows[0][0]", ["rows[0][0] -> rows[0].id"]),
    "sliced and reversed": ("for r in reversed(ROWS()[1:]):\n    f(r[0])", ["r[0] -> r.id"]),
    "length and truth": ("rows = ROWS()\nif rows and len(rows) > 1:\n    return None", []),
    "json decoded": ("row = ROW()\nreturn json.loads(row[1])", ["json.loads(row[1]) -> row.marks", "result-type"]),
    "json decoded where there is some": (
        "row = ROW()\nreturn json.loads(row[1]) if row[1] else None",
        ["json.loads(row[1]) -> row.marks", "row[1] -> row.marks", "result-type"],
    ),
    "json decoded from a name": (
        "row = ROW()\nm = row[1]\nreturn json.loads(m)",
        ["row[1] -> row.marks", "json.loads(m) -> m", "result-type"],
    ),
    "json decoded, and what is broken is caught, as is the fetch": (
        "try:\n    row = ROW()\n    return json.loads(row[1])\nexcept ValueError:\n    pass",
        ["json.loads(row[1]) -> row.marks", "result-type"],
    ),
    "json decoded, and another error is caught": (
        "for row in ROWS():\n    try:\n        f(json.loads(row[1]))\n    except (KeyError, OSError):\n        pass",
        ["json.loads(row[1]) -> row.marks", "result-type"],
    ),
    "json decoded in a handler": (
        "for row in ROWS():\n    try:\n        f()\n    except ValueError:\n        f(json.loads(row[1]))",
        ["json.loads(row[1]) -> row.marks", "result-type"],
    ),
    "json decoded from a name, and what is broken is caught": (
        "row = ROW()\nm = row[1]\ntry:\n    return json.loads(m)\nexcept ERRORS:\n    pass",
        ["row[1] -> row.marks", "json.loads(m) -> m", "result-type", "decoded-earlier"],
    ),
    "json decoded, and what is broken is suppressed": (
        "for row in ROWS():\n    with suppress(KeyError, json.JSONDecodeError):\n        f(json.loads(row[1]))",
        ["json.loads(row[1]) -> row.marks", "result-type", "decoded-earlier"],
    ),
    **{
        f"json decoded, and except{kind} catches": (
            f"for row in ROWS():\n    try:\n        f(json.loads(row[1]))\n    except{kind}:\n        pass",
            ["json.loads(row[1]) -> row.marks", "result-type", "decoded-earlier"],
        )
        for kind in ("", " ValueError", " (KeyError, json.JSONDecodeError)", " Exception")
    },
    "json not decoded": ("row = ROW()\nreturn row[1]", ["row[1] -> row.marks", "result-type"]),
    "a date cut": ("row = ROW()\nreturn row[2][:10]", ["row[2] -> row.at", "kept at"]),
    "a date compared with None": ("row = ROW()\nreturn row[2] is None", ["row[2] -> row.at"]),
    "a flag tested": ("row = ROW()\nif row[3]:\n    return 1", ["row[3] -> row.rush"]),
    "a flag compared with 1": ("row = ROW()\nreturn row[3] == 1", ["row[3] -> row.rush"]),
    "a flag printed": ("row = ROW()\nreturn f'{row[3]}'", ["row[3] -> row.rush", "result-type"]),
    "returned": ("row = ROW()\nreturn row", ["row-leaves", "result-type"]),
    "passed on": ("f(1, ROWS())", ["row-leaves", "result-type"]),
    "as a tuple": ("row = ROW()\nreturn tuple(row)", ["result-type"]),
    "formatted by %": ("row = ROW()\nreturn '%s' % row", ["!row-use"]),
    "added to": ("row = ROW()\nreturn row + (1,)", ["!row-use"]),
    "spread as a mapping": ("row = ROW()\nreturn dict(**row)", ["!row-use"]),
    "kept in a lambda": ("row = ROW()\nreturn lambda: row[0]", ["row[0] -> row.id"]),
}
_MAPPINGS: dict[str, tuple[str, list[str]]] = {
    "label": ("row = ROW()\nreturn row['id']", ["row['id'] -> row.id"]),
    "label that a method's name has taken": ("row = ROW()\nreturn row['count']", ["row['count'] -> row[4]"]),
    "label that is not there": ("row = ROW()\nreturn row['colour']", ["!row-use"]),
    "label, perhaps of another value": ("row = ROW()\nif a:\n    row = f()\nreturn row['id']", ["!row-use"]),
    "dict": ("row = ROW()\nreturn dict(row)", ["kept marks", "row -> row._mapping", "result-type"]),
    "dicts": ("return [dict(r) for r in ROWS()]", ["kept marks", "r -> r._mapping", "result-type"]),
    "keys": ("row = ROW()\nreturn row.keys()", ["row -> row._mapping", "result-type"]),
    "get": ("row = ROW()\nreturn row.get('id', 0)", ["row.get('id', 0) -> row.id"]),
    "by a variable": ("row = ROW()\nreturn row[name]", ["row -> row._mapping", "result-type"]),
    "in": ("row = ROW()\nreturn 'id' in row", ["row -> row._mapping", "result-type"]),
    "returned": (
        "row = ROW()\nreturn row",
        ["kept marks", "row -> dict(row._mapping) if row else None", "result-type"],
    ),
    "rows returned": (
        "return ROWS()",
        ["kept marks", "ROWS() -> [dict(row._mapping) for row in ROWS()]", "result-type"],
    ),
    "written to": ("row = ROW()\nrow['id'] = 1\nreturn row['id']", ["!row-leaves", "row['id'] -> row.id"]),
    "taken apart": ("row = ROW()\na, b = row", ["!row-use"]),
}


def _judged(text: str, *, mapping: bool, fresh: bool = False) -> list[str]:
    body = "\n".join(f"    {line}" for line in text.split("\n"))
    module = Module.parse(Source("m.py", f"def g():\n{body}\n"))
    function = module.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    follower = Follower(module, flow(function.body))
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("ROW", "ROWS"):
            kind = Is.ROW if node.func.id == "ROW" else Is.ROWS
            follower.start(node, Fact(kind, COLUMNS, mapping, sequence=not mapping))
    told: list[str] = []
    for judgement in judge(follower, {}, fresh=fresh):
        match judgement:
            case ReplaceExpr(span, new):
                old = module.lines[span.line - 1][span.col : span.end_col]
                told.append(f"{old} -> {new}")
            case Effect(code=code):
                told.append(code)
            case Keep(columns=columns, place=place):
                told.append(f"kept {columns[place].attr}")
            case Obstacle(reason=reason):
                told.append(f"!{reason.code}")
    return told


@pytest.mark.parametrize("name", list(_TUPLES))
def test_tuples(name: str) -> None:
    text, expected = _TUPLES[name]
    assert sorted(set(_judged(text, mapping=False))) == sorted(set(expected))


@pytest.mark.parametrize("name", list(_MAPPINGS))
def test_mappings(name: str) -> None:
    text, expected = _MAPPINGS[name]
    assert sorted(set(_judged(text, mapping=True))) == sorted(set(expected))


def test_code_that_never_ran_has_no_types_to_keep() -> None:
    assert _judged("row = ROW()\nreturn row[2][:10]", mapping=False, fresh=True) == ["row[2] -> row.at"]
    assert _judged("row = ROW()\nreturn row", mapping=False, fresh=True) == []


def test_a_column_whose_type_is_not_known_is_told_as_such() -> None:
    unknown = ResultColumn("odd", "odd", MappedColumn("odd", "odd", ""), "jobs", changes_type=True)
    module = Module.parse(Source("m.py", "def g():\n    row = ROW()\n    return f'{row[0]}'\n"))
    (function,) = module.nodes(ast.FunctionDef)
    follower = Follower(module, flow(function.body))
    (fetch,) = (call for call in module.calls)
    follower.start(fetch, Fact(Is.ROW, (unknown,), mapping=False, sequence=True))
    (effect,) = (j for j in judge(follower, {}) if isinstance(j, Effect))
    assert effect.message == "odd, used here, may be of another type now: its column's type could not be read"
