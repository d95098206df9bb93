"""Cursor code whose SQL is built by functions of the project and by loops over dicts: every way, before and after."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from ormlift.model import Outcome, Planned, Refused, Settings, Source, Status, Unchanged, Verdict
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.texts import Texts
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

PATH = "app/jobs.py"
PARTS = """\
TIME = "passed_at = CURRENT_TIMESTAMP"


def timed(fields, marks):
    \"\"\"The columns and their placeholders, with the time.\"\"\"
    all_fields = fields.copy()
    all_fields.extend(["passed_at", "rush"])
    marks = marks + ", CURRENT_TIMESTAMP, 0"
    return all_fields, marks


def timed_set(assignments):
    found = list(assignments)
    found.append(TIME)
    return found


def add_stage(conditions, params, stage=None):
    if stage is not None:
        conditions.append("stage = ?")
        params.append(stage)


def add_least(conditions, params, least):
    conditions.append("count >= ?")
    params += [least]


def signed(data, by=None):
    data = dict(data)
    data["title"] = "signed"
    if by:
        data["customer"] = by
    return data


def put_more(sets, params, customer=None, title=None):
    if title:
        sets.append("title = ?")
        params.append(title)
    elif customer:
        sets.append("customer = ?")
        params.append(customer)
    else:
        sets += ["count = ?", "rush = ?"]
        params.extend([8, True])
    return sets, params


def joined(conditions):
    if not conditions:
        return ""
    return " WHERE " + " AND ".join(conditions)
"""
NAMES = "add_least, add_stage, joined, put_more, signed, timed, timed_set"
HEAD = f"from app.db import open_db\nfrom app.parts import {NAMES}\n\n\n"
OPEN = "def f(a, b, c):\n    conn = open_db()\n"
END = "    conn.commit()\n    conn.close()\n"
# name -> `f(a, b, c)`
SAME: dict[str, str] = {
    "columns and placeholders of a function": OPEN
    + """\
    data = {"ticket": "T-9", "title": b or "none", "stage": a or 1, "count": 2}
    fields = list(data.keys())
    values = list(data.values())
    marks = ", ".join(["?"] * len(values))
    fields, marks = timed(fields, marks)
    names = ", ".join(fields)
    conn.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values)
"""
    + END,
    "assignments of a function": OPEN
    + """\
    data = {"title": b or "none"}
    if a is not None:
        data["stage"] = a
    sets = [f"{key} = ?" for key in data.keys()]
    values = list(data.values())
    sets = timed_set(sets)
    values.append(c)
    cursor = conn.cursor()
    cursor.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", values)
    n = cursor.rowcount
"""
    + END
    + "    return n\n",
    "assignments of a function amid the text": OPEN
    + """\
    sets = ["title = ?"]
    values = [b or "none"]
    if a:
        sets.append("stage = ?")
        values.append(a)
    values.append(c)
    conn.execute("UPDATE jobs SET " + ", ".join(timed_set(sets)) + " WHERE id = ?", values)
"""
    + END,
    "assignments of a function only on some way": OPEN
    + """\
    sets, values = [], []
    if a:
        sets.append("stage = ?")
        values.append(a)
    sets = timed_set(sets)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", [*values, c])
"""
    + END,
    "a condition that a function adds": OPEN
    + """\
    conditions, params, n = ["id > ?"], [0], 3
    if b:
        conditions.append("customer = ?")
        params.append(b)
    add_least(conditions, params, n)
    where = " AND ".join(conditions)
    rows = [row[0] for row in conn.execute(f"SELECT id FROM jobs WHERE {where} ORDER BY id", params)]
"""
    + END
    + "    return rows, n\n",
    "a condition that a function does not add": OPEN
    + """\
    conditions = ["id > 0"]
    params = []
    if b:
        conditions.append("customer = ?")
        params.append(b)
    add_stage(conditions, params)
    rows = [row[0] for row in conn.execute("SELECT id FROM jobs WHERE " + " AND ".join(conditions), params)]
"""
    + END
    + "    return rows\n",
    "a condition that a function adds on some way": OPEN
    + """\
    conditions = ["id > 0"]
    params = []
    add_stage(conditions, params, a)
    if b:
        add_least(conditions, params, 1)
    where = joined(conditions)
    rows = [row[0] for row in conn.execute(f"SELECT id FROM jobs{where} ORDER BY id", params)]
"""
    + END
    + "    return rows\n",
    "what a function adds on some way to what it returns": OPEN
    + """\
    sets, params = ["stage = 4"], []
    sets, params = put_more(sets, params, title=b)
    params.append(c)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", params)
"""
    + END,
    "a dict that a function fills": OPEN
    + """\
    data = signed({"stage": a or 1}, b)
    sets = ", ".join(f"{key} = ?" for key in data)
    conn.execute(f"UPDATE jobs SET {sets} WHERE id = ?", [*data.values(), c])
"""
    + END
    + "    return data\n",
    "a loop over a dict that is known": OPEN
    + """\
    data = {"title": b or "none", "stage": a or 1}
    if c:
        data["count"] = c
    sets = []
    values = []
    for key, value in data.items():
        sets.append(f"{key} = ?")
        values.append(value)
    values.append(c)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", values)
"""
    + END,
    "a loop over a dict whose list is tested": OPEN
    + """\
    data = {"title": b or "none", "stage": a or 1}
    sets, values = [], []
    for key, value in data.items():
        sets.append(f"{key} = ?")
        values.append(value)
    if len(sets) == 0:
        return None
    values.append(c)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", values)
"""
    + END
    + "    return data\n",
    "a loop over a dict's keys": OPEN
    + """\
    data = dict(ticket="T-9", title=b or "none", stage=a or 1, count=2, rush=False)
    columns, marks, values = [], [], []
    for key in data:
        columns.append(key)
        marks += ["?"]
        values.append(data[key])
    conn.execute("INSERT INTO jobs ({}) VALUES ({})".format(", ".join(columns), ", ".join(marks)), values)
"""
    + END,
    "a function of the same file": OPEN.replace(
        "def f",
        """\
def more(sets, values, title):
    sets.append("title = ?")
    values.append(title)
    return sets


def f""",
    )
    + """\
    sets = ["stage = 2"]
    values = []
    sets = more(sets, values, b or "none")
    values.append(c)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", values)
"""
    + END,
    "an import in the function": OPEN
    + """\
    from app.parts import timed_set as put
    sets = put(["stage = 2"])
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", [c])
"""
    + END,
}


def plan(text: str, parts: str = PARTS, **others: str) -> Outcome:
    files = {**PROJECT, "app/parts.py": parts, PATH: text, **{f"{k}.py": v for k, v in others.items()}}
    known = link(read_facts(Source(p, t)) for p, t in files.items())
    imports = ImportGraph({path: import_lines(said, path) for path, said in files.items()})
    index = replace(known, imports=imports, texts=Texts.of(files))
    return plan_file(Source(PATH, text), index, Settings(codemods=(CODEMOD.id,), unsafe=True))


WAYS = list(product((None, 0, 2), (None, "Ada"), (None, 3)))


@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(world: World, name: str) -> None:
    (world.root / "app/parts.py").write_text(PARTS)
    text = HEAD + SAME[name]
    outcome = plan(text)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert site.status is Status.REWRITTEN
    assert {c.verdict for c in site.certificates} == {Verdict.PROVEN}
    after = outcome.after.text
    assert isinstance(plan(after), Unchanged)
    assert not any(said in after[after.index("def f(") :] for said in ("open_db()", ".join(", "params", " = ?"))
    for given in WAYS:
        before, now = (world.run(t, lambda space, g=given: space["f"](*g)) for t in (text, after))  # type: ignore[misc]
        assert before.error is None, given
        assert now.error is None, (given, after)
        assert repr(now.result) == repr(before.result), given
        assert _timeless(now.rows) == _timeless(before.rows), given


def _timeless(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, with the seconds of this year's times left out."""
    return [tuple(str(v)[:10] if isinstance(v, str) and v.startswith("20") else v for v in row) for row in rows]


ADDED = (
    OPEN
    + """\
    sets = ["stage = 2"]
    sets = timed_set(sets)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", [c])
"""
    + END
)
FILLED = (
    OPEN
    + """\
    data = {"title": b or "none", "stage": a or 1}
    sets = []
    values = []
    for key, value in data.items():
        sets.append(f"{key} = ?")
        values.append(value)
    values.append(c)
    conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", values)
"""
    + END
)
LEAST = (
    OPEN
    + """\
    conditions, params = ["id > ?"], [0]
    add_least(conditions, params, a)
    where = " AND ".join(conditions)
    rows = [row[0] for row in conn.execute(f"SELECT id FROM jobs WHERE {where} ORDER BY id", params)]
"""
    + END
)
FIRST = "    found = list(assignments)\n"
# name -> the function of the other file, and the program
STAYS: dict[str, tuple[str, str]] = {
    "a function that prints": (PARTS.replace(FIRST, FIRST + "    print(found)\n"), ADDED),
    "a function that raises": (
        PARTS.replace(FIRST, FIRST + "    if not found:\n        raise ValueError\n"),
        ADDED,
    ),
    "a function that asserts": (PARTS.replace(FIRST, FIRST + "    assert found\n"), ADDED),
    "a function that counts its calls": (PARTS.replace(FIRST, "    global N\n    N = 1\n" + FIRST), ADDED),
    "a function with a decorator": (PARTS.replace("def timed_set", "@print\ndef timed_set"), ADDED),
    "a function that is defined twice": (PARTS + "\n\ndef timed_set(found):\n    return found\n", ADDED),
    "a function that may be another one": (PARTS + "\n\nif TIME:\n    timed_set = list\n", ADDED),
    "a function that takes one away": (PARTS.replace(FIRST, FIRST + "    found.pop()\n"), ADDED),
    "a function that sorts": (PARTS.replace(FIRST, "    found = sorted(assignments)\n"), ADDED),
    "a function that puts it first": (
        PARTS.replace("found.append(TIME)", "found.insert(0, TIME)"),
        ADDED,
    ),
    "a function that asks the clock": (PARTS.replace("append(TIME)", 'append(f"stage = {now()}")'), ADDED),
    "a constant that another function binds": (
        PARTS + "\n\ndef other():\n    global TIME\n    TIME = 'title = 2'\n",
        ADDED,
    ),
    "a function that adds on some way, by an attribute": (
        PARTS,
        LEAST.replace("add_least(", "add_stage(").replace("params, a)", "params, a.x)"),
    ),
    "a function that adds on some way, by a call": (
        PARTS.replace("if stage is not None", "if isinstance(stage, int)"),
        LEAST.replace("add_least(", "add_stage("),
    ),
    "a function that returns amid on some way": (
        PARTS.replace("    if stage is not None:\n", "    if stage is None:\n        return\n    if stage:\n"),
        LEAST.replace("add_least(", "add_stage("),
    ),
    "a parameter that is made in the function": (
        PARTS.replace("params += [least]", "params += [f'{conditions[0]}']"),
        LEAST,
    ),
    "a function whose argument does something": (PARTS, LEAST.replace("params, a)", "params, b.pop())")),
    "a function that keeps the list": (
        PARTS.replace("def add_least", "KEPT = []\n\n\ndef add_least").replace(
            "    params += [least]\n", "    params += [least]\n    KEPT.append(conditions)\n"
        ),
        LEAST,
    ),
    "a function that is handed one list twice": (
        PARTS,
        LEAST.replace("(conditions, params", "(conditions, conditions"),
    ),
    "another name for the list": (
        PARTS.replace("    params += [least]\n", "    params += [least]\n    return conditions\n"),
        LEAST.replace("add_least(", "same = add_least(").replace("    where", "    same.append('id > 1')\n    where"),
    ),
    "what a function returns is read": (PARTS, ADDED + "    print(sets)\n"),
    "a list that is filled behind the join": (
        PARTS,
        LEAST.replace("    add_least(conditions, params, a)\n", "").replace(
            "    rows", "    add_least(conditions, params, a)\n    rows"
        ),
    ),
    "a loop that leaves one out": (
        PARTS,
        FILLED.replace("        sets", "        if value:\n            continue\n        sets"),
    ),
    "a loop whose key is read behind it": (PARTS, FILLED + "    return key\n"),
    "a loop that changes the values": (PARTS, FILLED.replace("append(value)", "append(str(value))")),
    "a loop that does something": (PARTS, FILLED.replace("        sets", "        b.pop()\n        sets")),
    "a loop with an else": (PARTS, FILLED.replace("    values.append(c)", "    else:\n        values.append(c)")),
    "a dict that is bound anew behind the loop": (
        PARTS,
        FILLED.replace("    values.append(c)\n", "    data = b\n    values.append(c)\n"),
    ),
    "a dict that is changed behind the loop": (
        PARTS,
        FILLED.replace("    values.append(c)\n", '    data["count"] = 2\n    values.append(c)\n'),
    ),
    "a dict that is handed on behind the loop": (
        PARTS,
        FILLED.replace("    values.append(c)\n", "    more(data)\n    values.append(c)\n"),
    ),
    "a column that the table lacks": (PARTS, FILLED.replace('"stage"', '"stages"')),
    "a column whose name differs in case": (PARTS, FILLED.replace('"stage"', '"Stage"')),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    parts, text = STAYS[name]
    outcome = plan(HEAD + text, parts)
    assert isinstance(outcome, Refused), outcome.after.text if isinstance(outcome, Planned) else outcome


@pytest.mark.parametrize(
    "test",
    [
        "from unittest.mock import patch\n\n\n@patch('app.jobs.timed_set')\ndef test_it(mock):\n    pass\n",
        "from app import jobs\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(jobs, 'timed_set', list)\n",
    ],
)
def test_a_function_that_a_test_replaces_stays(test: str) -> None:
    assert isinstance(plan(HEAD + ADDED), Planned)
    assert isinstance(plan(HEAD + ADDED, **{"tests/test_jobs": test}), Refused)


def test_it_reads_as_one_would_write_it() -> None:
    outcome = plan(HEAD + SAME["columns and placeholders of a function"])
    assert isinstance(outcome, Planned)
    assert (
        """\
    with session_scope() as session:
        data = {"ticket": "T-9", "title": b or "none", "stage": a or 1, "count": 2}
        session.execute(
            insert(Job).values(**data, passed_at=func.current_timestamp(), rush=0)
        )
"""
        in outcome.after.text
    )
    assert "timed," not in outcome.after.text
