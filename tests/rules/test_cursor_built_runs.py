"""Cursor code whose SQL is built from lists of conditions and assignments: every way, before and after."""

from itertools import product
from typing import Any

import pytest
from ormlift.model import Outcome, Planned, Refused, Settings, Source, Status, Unchanged, Verdict
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

PATH = "app/jobs.py"
HEAD = "from app.db import open_db\n\n\n"
LISTS = "    conditions = []\n    params = []\n"
A = "    if a is not None:\n        conditions.append('stage = ?')\n        params.append(a)\n"
B = "    if b:\n        conditions.append('customer = ?')\n        params.append(b)\n"
OPEN = "def f(a, b, c):\n    conn = open_db()\n"
CLOSE = "    conn.close()\n    return rows\n"
# name -> `f(a, b, c)`
SAME: dict[str, str] = {
    "a WHERE where there are any": OPEN
    + LISTS
    + A
    + B
    + """\
    sql = "SELECT id, title FROM jobs"
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    sql += " ORDER BY id"
    rows = [(row[0], row[1]) for row in conn.execute(sql, params)]
"""
    + CLOSE,
    "a WHERE that is made by a choice": OPEN
    + LISTS
    + B
    + A
    + """\
    where = ("WHERE " + " AND ".join(conditions)) if conditions else ""
    cursor = conn.cursor()
    cursor.execute(f"SELECT id FROM jobs {where} ORDER BY id DESC", tuple(params))
    rows = [row[0] for row in cursor.fetchall()]
"""
    + CLOSE,
    "a count and a page": OPEN
    + LISTS
    + A
    + B
    + """\
    where = " AND ".join(conditions) if conditions else "1=1"
    cursor = conn.cursor()
    total = cursor.execute(f"SELECT COUNT(*) FROM jobs WHERE {where}", params).fetchone()[0]
    cursor.execute(f"SELECT id FROM jobs WHERE {where} ORDER BY id LIMIT ? OFFSET ?", params + [c or 2, 1])
    rows = [total, *(row[0] for row in cursor.fetchall())]
"""
    + CLOSE,
    "a list that starts with items": OPEN
    + """\
    where, params = ["id > ?"], [0]
""".replace('where, params = ["id > ?"], [0]', 'where = ["id > ?", "count >= 0"]\n    params = [0]')
    + """\
    if a:
        where += ["stage = ?", "title <> ?"]
        params += [a, "none"]
    elif c:
        where.extend(["count < ?"])
        params.extend([c])
    else:
        where.append("customer IS NULL")
    query = "SELECT id, count FROM jobs WHERE {} ORDER BY id".format(" AND ".join(where))
    rows = [tuple(row) for row in conn.execute(query, params).fetchall()]
"""
    + CLOSE,
    "conditions with ORs and texts around": OPEN
    + LISTS
    + """\
    if b is not None:
        conditions.append("(title LIKE ? OR customer = ?)")
        params.extend([f"%{b}%", b])
    if c:
        conditions.append("count BETWEEN ? AND ?")
        params += [c, c + 3]
    where = " AND ".join(["id > 0"] + conditions)
    rows = [row[0] for row in conn.execute("SELECT id FROM jobs WHERE " + where + " ORDER BY id", params)]
""".replace('" AND ".join(["id > 0"] + conditions)', '" AND ".join(conditions) or "1=1"')
    + CLOSE,
    "lists of placeholders": OPEN
    + """\
    wanted = [n for n in (a, c) if n]
    conditions = ["id < ?"]
    params = [9]
    if wanted:
        conditions.append(f"stage IN ({','.join('?' for _ in wanted)})")
        params.extend(wanted)
    if b:
        conditions.append("customer = ?")
        params.append(b)
    rows = conn.execute(f"SELECT id FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id", params).fetchall()
    rows = [row[0] for row in rows]
"""
    + CLOSE,
    "lists that are made anew in a loop": OPEN
    + """\
    conditions = ["id > ?"]
    params = [c or 0]
    if b:
        conditions.append("customer = ?")
        params.append(b)
    where = " AND ".join(conditions)
    rows = [conn.execute(f"SELECT COUNT(*) FROM jobs WHERE {where}", params).fetchone()[0]]
    for stage in (1, 2, a):
        conditions = ["count >= 0"]
        params = []
        if stage:
            conditions.append("stage = ?")
            params.append(stage)
        where = " AND ".join(conditions)
        rows += [r[0] for r in conn.execute(f"SELECT id FROM jobs WHERE {where} ORDER BY id", params).fetchall()]
"""
    + CLOSE,
    "an early return": """\
def f(a, b, c):
    updates = []
    values = []
    if a is not None:
        updates.append("stage = ?")
        values.append(a)
    if b is not None:
        updates.append("title = ?")
        values.append(b)
    if not updates:
        return None
    values.append(c)
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute(f"UPDATE jobs SET {', '.join(updates)} WHERE id = ?", values)
    conn.commit()
    rows = cursor.rowcount
    conn.close()
    return rows
""",
    "an assignment that is always there": OPEN
    + """\
    fields = ["count = count + 1"]
    args = []
    if b:
        fields.append("customer = ?")
        args.append(b)
    args.append(c)
    conn.execute("UPDATE jobs SET " + ", ".join(fields) + ", title = 'set' WHERE id = ?", args)
    conn.commit()
    conn.close()
""",
    "a dict of assignments": OPEN
    + """\
    values = {"stage": 3}
    if b:
        values["customer"] = b
    if a is not None:
        values["count"] = a
    fields = ", ".join(f"{key} = ?" for key in values)
    conn.execute(f"UPDATE jobs SET {fields} WHERE id = ?", list(values.values()) + [c])
    conn.commit()
    conn.close()
    return values
""",
    "a dict of assignments by its keys": OPEN
    + """\
    values = {}
    values["title"] = b or "none"
    if a:
        values.update(stage=a, count=a + 1)
    fields = ", ".join([f"{key} = ?" for key in values.keys()])
    cursor = conn.execute(f"UPDATE jobs SET {fields} WHERE id = ?", (*values.values(), c))
    rows = cursor.rowcount
    conn.commit()
    conn.close()
    return rows
""",
    "a delete": OPEN
    + LISTS
    + A
    + B
    + """\
    if not conditions:
        conn.close()
        return 0
    cursor = conn.execute("DELETE FROM jobs WHERE " + " AND ".join(conditions), params)
    rows = cursor.rowcount
    conn.commit()
"""
    + CLOSE,
    "a text of conditions": OPEN
    + """\
    where = "WHERE 1=1"
    args = []
    if a is not None:
        where += " AND stage = ?"
        args.append(a)
    if b:
        where = where + " AND customer LIKE ? AND count >= 0"
        args.append(f"%{b}%")
    total = conn.execute(f"SELECT COUNT(*) FROM jobs {where}", args).fetchone()[0]
    rows = conn.execute(f"SELECT id FROM jobs {where} ORDER BY id LIMIT ?", args + [c or 1]).fetchall()
    rows = [total, *(row[0] for row in rows)]
"""
    + CLOSE,
    "a text of more conditions": OPEN
    + """\
    more, args = "", []
""".replace('more, args = "", []', 'more = ""\n    args = [0]')
    + """\
    if b:
        more = " AND customer = ?"
        args.append(b)
    if c:
        more += " AND stage IN (?, ?)"
        args += [c, 1]
    cursor = conn.cursor()
    cursor.execute("SELECT id FROM jobs WHERE id > ?" + more + " ORDER BY id", args)
    rows = [row[0] for row in cursor.fetchall()]
"""
    + CLOSE,
    "an order by choice": OPEN
    + """\
    order = "title DESC" if a else "id"
    where = "WHERE stage = 1" if b else ""
    rows = conn.execute(f"SELECT id, title FROM jobs {where} ORDER BY {order} LIMIT ?", (c or 3,)).fetchall()
    rows = [(row[0], row[1]) for row in rows]
"""
    + CLOSE,
    "an order on some ways": OPEN
    + """\
    order = ""
    if a == 2:
        order = "ORDER BY stage DESC, id"
    elif a is None:
        order = "ORDER BY count, id"
    rows = [row[0] for row in conn.execute("SELECT id FROM jobs " + order)]
"""
    + CLOSE,
    "columns of a dict": OPEN
    + """\
    data = {"ticket": "T-9", "title": b or "none", "count": 1, "rush": False}
    if a is not None:
        data["stage"] = a
    else:
        data["stage"] = 7
    columns = ", ".join(data.keys())
    marks = ", ".join(["?"] * len(data))
    conn.execute(f"INSERT INTO jobs ({columns}) VALUES ({marks})", tuple(data.values()))
    conn.commit()
    conn.close()
""",
    "columns in lists": OPEN
    + """\
    columns = []
    marks = []
    values = []
    if b:
        columns.append("customer")
        marks.append("?")
        values.append(b)
    columns.append("stage")
    marks.append("?")
    values.append(a or 4)
    sql = "INSERT INTO jobs (ticket, title, " + ", ".join(columns) + ", count, rush) VALUES ('T-9', ?, "
    cursor = conn.cursor()
    cursor.execute(sql + ", ".join(marks) + ", 2, 0)", ["x", *values])
    conn.commit()
    conn.close()
""",
    "one of two texts": OPEN
    + """\
    query = "SELECT id, title FROM jobs WHERE stage >= ? ORDER BY id"
    args = [c or 0]
    if b:
        query = "SELECT id, title FROM jobs WHERE stage >= ? AND customer = ? ORDER BY id DESC"
        args.append(b)
    cursor = conn.cursor()
    cursor.execute(query, args)
    rows = [(row[0], row[1]) for row in cursor.fetchall()]
"""
    + CLOSE,
    "one of three changes": OPEN
    + """\
    if a is None:
        change = "UPDATE jobs SET count = count + 1 WHERE id = ?"
    elif a:
        change = "UPDATE jobs SET stage = 1, title = 'x' WHERE id = ?"
    else:
        change = "DELETE FROM jobs WHERE id = ?"
    cursor = conn.cursor()
    cursor.execute(change, (c,))
    conn.commit()
    conn.close()
""",
    "a list whose variable holds the text then": OPEN
    + """\
    where = ["id > ?"]
    args = [0]
    if a is not None:
        where.append("stage = ?")
        args.append(a)
    if b:
        where.append("customer IS NULL")
    where = " AND ".join(where)
    args = tuple(args)
    rows = [row[0] for row in conn.execute("SELECT id FROM jobs WHERE {}".format(where), args)]
"""
    + CLOSE,
    "a test that is asked twice": OPEN
    + """\
    conditions = ["id > 0"]
    if b:
        conditions.append("customer = ?")
    params = []
    if b:
        params.append(b)
    sql = "SELECT id FROM jobs WHERE " + " AND ".join(conditions)
    rows = [row[0] for row in conn.execute(sql, params)]
"""
    + CLOSE,
}


def plan(text: str, **said: Any) -> Outcome:
    files = {**PROJECT, PATH: text}
    settings = Settings(codemods=(CODEMOD.id,), unsafe=True, **said)
    return plan_file(Source(PATH, text), link(read_facts(Source(p, t)) for p, t in files.items()), settings)


WAYS = list(product((None, 0, 2), (None, "Ada"), (None, 3)))


@pytest.mark.parametrize("style", ["select", "query"])
@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(world: World, name: str, style: str) -> None:
    text = HEAD + SAME[name]
    outcome = plan(text, style=style)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert site.status is Status.REWRITTEN
    assert {c.verdict for c in site.certificates} == {Verdict.PROVEN}
    after = outcome.after.text
    assert isinstance(plan(after), Unchanged)
    assert not any(said in after for said in ("open_db()", ".join(", "params", "args", " = ?"))
    for given in WAYS:
        before, now = (world.run(t, lambda space, g=given: space["f"](*g)) for t in (text, after))  # type: ignore[misc]
        assert before.error is None, given
        assert now.error is None, (given, after)
        assert repr(now.result) == repr(before.result), given
        assert now.rows == before.rows, given


def test_it_reads_as_one_would_write_it() -> None:
    outcome = plan(HEAD + SAME["a count and a page"])
    assert isinstance(outcome, Planned)
    assert (
        """\
    with session_scope() as session:
        conditions = []
        if a is not None:
            conditions.append(Job.stage == a)
        if b:
            conditions.append(Job.customer == literal(b))
        total = session.scalar(select(func.count()).select_from(Job).where(*conditions))
"""
        in outcome.after.text
    )


EXECUTE = '    rows = conn.execute("SELECT id FROM jobs WHERE " + " AND ".join(conditions), params).fetchall()\n'
STAYS: dict[str, str] = {
    "no condition on some way": OPEN + LISTS + A + B + EXECUTE + CLOSE,
    "a deletion of all on some way": (
        OPEN
        + LISTS
        + A
        + '    conn.execute("DELETE FROM jobs WHERE " + " AND ".join(conditions), params)\n    conn.commit()\n'
        + "    conn.close()\n"
    ),
    "no assignment on some way": (
        OPEN
        + LISTS.replace("conditions", "updates")
        + A.replace("conditions", "updates")
        + "    conn.execute(f\"UPDATE jobs SET {', '.join(updates)}\", params)\n    conn.commit()\n    conn.close()\n"
    ),
    "an OR without parentheses": (
        OPEN
        + '    conditions = ["id > 1"]\n    params = []\n'
        + A.replace("stage = ?", "stage = ? OR count = 0")
        + EXECUTE
        + CLOSE
    ),
    "joined by OR": OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + EXECUTE.replace("AND", "OR") + CLOSE,
    "a condition from outside": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    conditions.append(b)\n" + EXECUTE + CLOSE
    ),
    "conditions in a loop that are made of a value": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + '    for n in b:\n        conditions.append(f"stage <> {n}")\n'
        + EXECUTE
        + CLOSE
    ),
    "an error that is suppressed amid the conditions": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + '    with suppress(ValueError):\n        conditions.append("stage = ?")\n        params.append(int(a))\n'
        + EXECUTE
        + CLOSE
    ),
    "more ways than can be looked at, of which one is empty": (
        OPEN
        + "    conditions = []\n    params = []\n"
        + "".join(f"    if {'not ' * (n % 2)}a.x{n}:\n        conditions.append('id > {n}')\n" for n in range(8))
        + "    if not conditions:\n        b = 1\n"
        + '    conn.execute("DELETE FROM jobs WHERE " + " AND ".join(conditions), params)\n    conn.commit()\n'
        + "    conn.close()\n"
    ),
    "a list for two things": (
        OPEN
        + '    names = ["title", "stage"]\n'
        + '    conn.execute("UPDATE jobs SET " + ", ".join(f"{n} = ?" for n in names) + " WHERE id = 1", [a, b])\n'
        + '    where = " AND ".join(f"{n} = ?" for n in names)\n'
        + '    rows = conn.execute("SELECT id FROM jobs WHERE " + where, [a, b]).fetchall()\n'
        + CLOSE
    ),
    "a list that grows with each round": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + "    rows = []\n    for n in (1, 2):\n"
        + "".join(f"    {line}\n" for line in A.splitlines())
        + EXECUTE.replace("    rows =", "        rows +=")
        + CLOSE
    ),
    "the list is handed on": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    more(conditions, params)\n" + EXECUTE + CLOSE
    ),
    "the list is an argument": (
        OPEN.replace("c)", "conditions)") + "    params = []\n" + A.replace("if a", "if a") + EXECUTE + CLOSE
    ),
    "the parameters are printed": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + EXECUTE + "    print(params)\n" + CLOSE
    ),
    "the conditions are printed": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + EXECUTE + "    print(conditions)\n" + CLOSE
    ),
    "the parameters are counted": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    if len(params) > 1:\n        b = 1\n" + EXECUTE + CLOSE
    ),
    "another name for the list": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + "    same = conditions\n"
        + A
        + '    same.append("count > 0")\n'
        + EXECUTE
        + CLOSE
    ),
    "another name for the parameters": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + A
        + "    page = params\n    page.extend([1, 2])\n"
        + EXECUTE.replace("params)", "page)")
        + CLOSE
    ),
    "a with that binds the list": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    with b as conditions:\n        pass\n" + EXECUTE + CLOSE
    ),
    "a test that binds the list": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    if (conditions := b):\n        pass\n" + EXECUTE + CLOSE
    ),
    "an import that binds the list": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    from app import db as conditions\n" + EXECUTE + CLOSE
    ),
    "a list that is bound beside another": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    where = str(conditions := b)\n" + EXECUTE + CLOSE
    ),
    "a function that binds the list": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + "    def more():\n        nonlocal conditions\n        conditions = b\n    more()\n"
        + A
        + EXECUTE
        + CLOSE
    ),
    "a list that is cut after it was counted": (
        OPEN
        + "    conditions = [f\"id IN ({','.join('?' for _ in b)})\"]\n    params = []\n"
        + "    b.pop()\n    params.extend(b)\n"
        + EXECUTE
        + CLOSE
    ),
    "a parameter too many": (
        OPEN + LISTS.replace("[]", '["id > 0"]', 1) + A + "    if b:\n        params.append(b)\n" + EXECUTE + CLOSE
    ),
    "parameters in another order": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + A
        + B.replace("params.append(b)", "params.insert(0, b)")
        + EXECUTE
        + CLOSE
    ),
    "a parameter that changes": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + '    if a:\n        conditions.append("stage = ?")\n    a = b\n    if a:\n        params.append(a)\n'
        + EXECUTE
        + CLOSE
    ),
    "a parameter that is not known yet": (
        OPEN
        + '    where = "stage = ?"\n    if a:\n        where = "count = ?"\n    d = len(b)\n'
        + '    rows = conn.execute("SELECT id FROM jobs WHERE " + where, (d,)).fetchall()\n'
        + CLOSE
    ),
    "a parameter of a text that is not known yet": (
        OPEN
        + '    sql = "SELECT id FROM jobs WHERE stage = ?"\n    if a:\n'
        + '        sql = "SELECT id FROM jobs WHERE count = ?"\n'
        + "    d = len(b)\n    rows = conn.execute(sql, (d,)).fetchall()\n"
        + CLOSE
    ),
    "a parameter that changes between": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + '    conditions.append("stage = ?")\n    a = b\n    params.append(a)\n'
        + EXECUTE
        + CLOSE
    ),
    "a call that would run behind an attribute": (
        OPEN
        + '    conditions = []\n    params = [b.pop()]\n    conditions.append("stage = ?")\n'
        + "    params.append(b.stage)\n"
        + EXECUTE.replace("WHERE ", "WHERE id > ? AND ")
        + CLOSE
    ),
    "a list that grows behind the join": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + A
        + '    where = " AND ".join(conditions)\n    conditions.append("count > 3")\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs WHERE {where}", params).fetchall()\n'
        + CLOSE
    ),
    "a column of a dict that the table lacks": (
        OPEN
        + '    values = {"stages": 3}\n    fields = ", ".join(f"{key} = ?" for key in values)\n'
        + '    conn.execute(f"UPDATE jobs SET {fields} WHERE id = ?", [*values.values(), c])\n    conn.commit()\n'
        + "    conn.close()\n"
    ),
    "a dict that the condition is put into": (
        OPEN
        + '    values = {"stage": 3}\n    fields = ", ".join(f"{key} = :{key}" for key in values)\n'
        + '    values["id"] = c\n    conn.execute(f"UPDATE jobs SET {fields} WHERE id = :id", values)\n'
        + "    conn.commit()\n    conn.close()\n"
    ),
    "a dict that is cut": (
        OPEN
        + '    values = {"stage": 3, "title": b}\n    values.pop("title")\n'
        + '    fields = ", ".join(f"{key} = ?" for key in values)\n'
        + '    conn.execute(f"UPDATE jobs SET {fields} WHERE id = ?", [*values.values(), c])\n    conn.commit()\n'
        + "    conn.close()\n"
    ),
    "assignments of one column twice": (
        OPEN
        + '    updates = ["stage = ?"]\n    params = [b]\n'
        + A.replace("conditions", "updates")
        + "    conn.execute(f\"UPDATE jobs SET {', '.join(updates)} WHERE id = 1\", params)\n    conn.commit()\n"
        + "    conn.close()\n"
    ),
    "an if whose test does something": (
        OPEN
        + '    conditions = ["id > ?"]\n    params = []\n    if b.pop():\n        params.append(1)\n'
        + "    else:\n        params.append(2)\n"
        + EXECUTE
        + CLOSE
    ),
    "conditions that a nested function reads": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + "    def told():\n        return len(conditions)\n"
        + A
        + EXECUTE
        + CLOSE
    ),
    "a column twice": (
        OPEN
        + '    columns = ["ticket", "count"]\n    values = [a, b]\n    marks = ", ".join("?" for _ in values)\n'
        + "    conn.execute(f\"INSERT INTO jobs ({', '.join(columns)}, count) VALUES ({marks}, 1)\", values)\n"
        + "    conn.commit()\n    conn.close()\n"
    ),
    "no column on some way": (
        OPEN
        + "    columns = []\n    params = []\n"
        + "".join(
            f"    if {x} is not None:\n        columns.append('{name}')\n        params.append({x})\n"
            for x, name in (("a", "ticket"), ("b", "title"))
        )
        + '    marks = ", ".join("?" for _ in params)\n'
        + "    conn.execute(f\"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})\", params)\n"
        + "    conn.commit()\n    conn.close()\n"
    ),
    "fewer values than columns": (
        OPEN
        + '    columns = ["ticket", "count"]\n    marks = ["?"]\n'
        + "    conn.execute(f\"INSERT INTO jobs ({', '.join(columns)}) VALUES ({', '.join(marks)})\", [a])\n"
        + "    conn.commit()\n    conn.close()\n"
    ),
    "a text that is printed": (
        OPEN
        + '    order = "id" if a else "title"\n    print(order)\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs ORDER BY {order}").fetchall()\n'
        + CLOSE
    ),
    "a direction": (
        OPEN
        + '    way = "ASC" if a else "DESC"\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs ORDER BY id {way}").fetchall()\n'
        + CLOSE
    ),
    "a test that does something": (
        OPEN
        + '    conditions = ["id > 0"]\n    where = " AND ".join(conditions) if b.pop() else " AND ".join(conditions)\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs WHERE {where}").fetchall()\n'
        + CLOSE
    ),
    "a text of conditions with OR": (
        OPEN
        + '    where = "WHERE id > 1"\n    if a:\n        where += " OR stage = 1"\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs {where}").fetchall()\n'
        + CLOSE
    ),
    "texts of different columns": (
        OPEN
        + '    sql = "SELECT id FROM jobs"\n    if a:\n        sql = "SELECT title FROM jobs"\n'
        + "    rows = conn.execute(sql).fetchall()\n"
        + CLOSE
    ),
    "a text that is tested": (
        OPEN
        + '    where = ""\n    if a:\n        where = "WHERE stage = 1"\n    if where:\n        b = 1\n'
        + '    rows = conn.execute(f"SELECT id FROM jobs {where}").fetchall()\n'
        + CLOSE
    ),
    "an error that is caught amid the conditions": (
        OPEN
        + LISTS.replace("[]", '["id > 0"]', 1)
        + '    try:\n        conditions.append("stage = ?")\n        params.append(int(a))\n'
        + "    except ValueError:\n        pass\n"
        + EXECUTE
        + CLOSE
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused), outcome.after.text if isinstance(outcome, Planned) else outcome
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code in (
        "dynamic-sql",
        "parameters-unknown",
        "column-not-mapped",
        "sql-not-supported",
        "sql-not-parsed",
    )


KWARGS = OPEN.replace("f(a, b, c)", "g(key, **data)") + (
    """\
    fields = ", ".join([f"{name} = ?" for name in data.keys()])
    values = list(data.values())
    values.append(key)
    cursor = conn.cursor()
    cursor.execute(f"UPDATE jobs SET {fields} WHERE id = ?", values)
    conn.commit()
    n = cursor.rowcount
    conn.close()
    return n


def f(a, b, c):
    return g(c, title=b or "none", **({"stage": a} if a else {"count": 4, "rush": True}))
"""
)
INSERTED = OPEN.replace("f(a, b, c)", "g(data)") + (
    """\
    columns = ", ".join(data.keys())
    marks = ", ".join("?" for _ in data)
    conn.execute(f"INSERT INTO jobs (ticket, {columns}) VALUES ('T-9', {marks})", tuple(data.values()))
    conn.commit()
    conn.close()


def f(a, b, c):
    return g({"title": b or "none", "stage": a or 1, "count": 2, "rush": c is None})
"""
)


@pytest.mark.parametrize("body", [KWARGS, INSERTED], ids=["update", "insert"])
def test_a_dict_of_unknown_keys_is_passed_as_it_is(world: World, body: str) -> None:
    models = PROJECT["app/models.py"].replace("(JSON)", "(Text)").replace("dict | None", "str | None")
    (world.root / "app/models.py").write_text(models)
    files = {**PROJECT, "app/models.py": models, PATH: HEAD + body}
    settings = Settings(codemods=(CODEMOD.id,), unsafe=True)
    outcome = plan_file(Source(PATH, HEAD + body), link(read_facts(Source(p, t)) for p, t in files.items()), settings)
    assert isinstance(outcome, Planned), outcome
    assert {effect.code for site in outcome.sites for effect in site.effects} == {"open-keys", "timestamp-format"}
    assert {c.verdict for site in outcome.sites for c in site.certificates} == {Verdict.PROVEN}
    after = outcome.after.text
    assert "**data)" in after
    for given in WAYS:
        before, now = (world.run(t, lambda space, g=given: space["f"](*g)) for t in (HEAD + body, after))  # type: ignore[misc]
        assert before.error is None
        assert (repr(now.result), now.error, now.rows) == (repr(before.result), None, before.rows), given


@pytest.mark.parametrize("body", [KWARGS, INSERTED], ids=["update", "insert"])
def test_a_dict_of_unknown_keys_may_hold_text_for_a_json_column(body: str) -> None:
    outcome = plan(HEAD + body)
    assert isinstance(outcome, Refused)
    assert "may be marks" in str(outcome)
