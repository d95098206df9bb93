"""Cursor code that puts its SQL together step by step: every way through the branches, before and after."""

from collections.abc import Callable
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
HEAD = "import aiosqlite\n\nfrom app.adb import DB_PATH\nfrom app.db import open_db\n\n\n"
# name -> (`f(a, b, c)`, the ways through its branches)
SAME: dict[str, tuple[str, int]] = {
    "conditions behind 1 = 1": (
        """
def f(a, b, c):
    conn = open_db()
    cursor = conn.cursor()
    sql = "SELECT id, ticket, customer FROM jobs WHERE 1=1"
    params = []
    if a is not None:
        sql += " AND stage = ?"
        params.append(a)
    if b is not None:
        params.append(b)
        sql += " AND customer = ?"
    if c:
        # from here to there
        sql += " AND count BETWEEN ? AND ?"
        params.extend([c, c + 4])  # both
    sql += " ORDER BY id"
    cursor.execute(sql, params)
    rows = cursor.fetchall()
    conn.close()
    return [{"id": row[0], "ticket": row[1], "customer": row[2]} for row in rows]
""",
        8,
    ),
    "an order and a limit": (
        """
def f(a, b, c):
    conn = open_db()
    query = "SELECT title FROM jobs WHERE count >= ?"
    values = [0]
    if b:
        query = query + " AND customer = ?"
        values.append(str(b))
    query += " ORDER BY stage DESC, id"
    if a:
        query += " LIMIT ?"
        values.append(a)
    found = [row[0] for row in conn.execute(query, tuple(values))]
    conn.close()
    return found
""",
        4,
    ),
    "a None that is compared": (
        """
def f(a, b, c):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage > 0"
    params = list()
    if c != 3:
        sql += " AND (customer = ? OR customer IS NULL)"
        params.append(b)
    else:
        sql += " AND count = 0"
    sql += " ORDER BY id"
    row = conn.execute(sql, params).fetchone()
    conn.close()
    return row[0] if row else None
""",
        2,
    ),
    "a count": (
        """
def f(a, b, c):
    conn = open_db()
    sql = "SELECT COUNT(*) FROM jobs"
    params = []
    if a:
        sql += " WHERE stage = ?"
        params.append(a)
    n = conn.execute(sql, params).fetchone()[0]
    conn.close()
    return n
""",
        2,
    ),
    "groups": (
        """
def f(a, b, c):
    conn = open_db()
    sql = "SELECT stage, COUNT(*), SUM(count) FROM jobs WHERE id > 0"
    if a:
        sql += " AND title <> ''"
    if b:
        sql += " AND customer IS NOT NULL"
    sql += " GROUP BY stage ORDER BY stage"
    found = [(row[0], row[1], row[2]) for row in conn.execute(sql)]
    conn.close()
    return found
""",
        4,
    ),
    "an update": (
        """
def f(a, b, c):
    conn = open_db()
    sql = "UPDATE jobs SET count = count + ?, title = ? WHERE id > 0"
    params = [10, "new"]
    if a is not None:
        sql += " AND stage = ?"
        params.append(a)
    elif b:
        sql += " AND customer = ?"
        params.append(b)
        if c:
            sql += " AND count > ?"
            params.append(c)
    cursor = conn.execute(sql, params)
    n = cursor.rowcount
    conn.commit()
    conn.close()
    return n
""",
        4,
    ),
    "a delete": (
        """
def f(a, b, c):
    conn = open_db()
    sql = "DELETE FROM jobs WHERE 1 = 1"
    params = []
    if a is not None:
        sql += " AND stage = ?"
        params.append(a)
    if b is not None:
        sql += " AND customer = ?"
        params.append(b)
    conn.execute(sql, params)
    conn.commit()
    conn.close()
""",
        4,
    ),
    "beside another statement, whose row is a parameter": (
        """
def f(a, b, c):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT stage FROM jobs WHERE ticket = ?", ("T-2",))
    first = cursor.fetchone()
    sql = "SELECT id FROM jobs WHERE id > 1"
    params = []
    if a:
        sql += " AND stage = ?"
        params.append(first[0])
    sql += " ORDER BY id"
    cursor.execute(sql, params)
    found = [row[0] for row in cursor.fetchall()]
    conn.close()
    return found
""",
        2,
    ),
    "parameters that the call passes": (
        """
def f(a, b, c):
    conn = open_db()
    query = "SELECT * FROM jobs"
    if a:
        query += " WHERE stage = ?"
    else:
        query += " WHERE ? IS NULL"
    if b != "":
        query += " AND customer = ?"
    else:
        query += " AND ? != 'x'"
    query += " AND ticket != ? ORDER BY id DESC"
    rows = conn.execute(query, (a, b, "T-3")).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        4,
    ),
}


def plan(text: str) -> Outcome:
    files = {**PROJECT, PATH: text}
    settings = Settings(codemods=(CODEMOD.id,), unsafe=True)
    return plan_file(Source(PATH, text), link(read_facts(Source(p, t)) for p, t in files.items()), settings)


def every_way(space: Any) -> Any:
    return [space["f"](a, b, c) for a, b, c in product((None, 0, 1, 2), (None, "", "Ada", "x"), (None, 0, 3))]


def each(a: Any, b: Any, c: Any) -> Callable[[Any], Any]:
    return lambda space: space["f"](a, b, c)


@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(world: World, name: str) -> None:
    body, ways = SAME[name]
    text = HEAD + body.lstrip("\n")
    outcome = plan(text)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert site.status is Status.REWRITTEN
    assert [c.verdict for c in site.certificates][-ways:] == [Verdict.PROVEN] * ways
    after = outcome.after.text
    assert isinstance(plan(after), Unchanged)
    assert not any(said in after for said in ("open_db()", "append(", "+="))
    before, now = world.run(text, every_way), world.run(after, every_way)
    assert before.error is None
    assert now.error is None
    assert repr(now.result) == repr(before.result)
    assert now.rows == before.rows


@pytest.mark.parametrize("given", list(product((None, 1, 2), (None, "Ada"), (None, 3))))
@pytest.mark.parametrize("name", ["an update", "a delete"])
def test_a_way_leaves_the_same_rows(world: World, name: str, given: tuple[Any, ...]) -> None:
    text = HEAD + SAME[name][0].lstrip("\n")
    outcome = plan(text)
    assert isinstance(outcome, Planned)
    before, now = (world.run(t, each(*given)) for t in (text, outcome.after.text))
    assert (repr(now.result), now.error, now.rows) == (repr(before.result), before.error, before.rows)


def test_what_is_logged_of_the_text_is_told(world: World) -> None:
    body = SAME["conditions behind 1 = 1"][0].lstrip("\n")
    text = HEAD + body.replace(
        "    cursor.execute(", '    logging.info("%s with %s", sql, params)\n    cursor.execute('
    )
    text = "import logging\n" + text
    outcome = plan(text)
    assert isinstance(outcome, Planned), outcome
    assert [e.code for e in outcome.sites[0].effects if e.code == "logged-sql"] == ["logged-sql"]
    assert "params.extend([c, c + 4])" in outcome.after.text
    before, now = (world.run(t, every_way) for t in (text, outcome.after.text))
    assert (repr(now.result), now.error, now.rows) == (repr(before.result), before.error, before.rows)


def test_it_reads_as_one_would_write_it() -> None:
    outcome = plan(HEAD + SAME["conditions behind 1 = 1"][0].lstrip("\n"))
    assert isinstance(outcome, Planned)
    assert (
        """\
        sql = select(Job.id, Job.ticket, Job.customer)
        if a is not None:
            sql = sql.where(Job.stage == a)
        if b is not None:
            sql = sql.where(Job.customer == literal(b))
        if c:
            # from here to there
            sql = sql.where(Job.count.between(c, c + 4))
            # both
        sql = sql.order_by(Job.id)
        rows = session.execute(sql).all()
"""
        in outcome.after.text
    )


KEPT = """\
class Store:
    def __init__(self):
        self.conn = open_db()

    def find(self, a, b):
        sql = "SELECT id, ticket FROM jobs WHERE 1=1"
        params = []
        if a:
            sql += " AND stage = ?"
            params.append(a)
        if b:
            sql += " AND customer = ?"
            params.append(b)
        sql += " ORDER BY id"
        rows = self.conn.execute(sql, params).fetchall()
        return [row[0] for row in rows]


def f(a, b, c):
    return Store().find(a, b)
"""
ASYNC = """\
async def f(a, b, c):
    sql = "SELECT id, ticket FROM jobs WHERE 1=1"
    params = []
    if a:
        sql += " AND stage = ?"
        params.append(a)
    sql += " ORDER BY id DESC"
    if b:
        sql += " LIMIT ?"
        params.append(c)
    async with aiosqlite.connect(DB_PATH) as db:
        cursor = await db.execute(sql, params)
        rows = await cursor.fetchall()
        return [(row[0], row[1]) for row in rows]
"""


@pytest.mark.parametrize("given", list(product((None, 1, 2), (None, "Ada"), (2, 3))))
@pytest.mark.parametrize("body", [KEPT, ASYNC], ids=["kept", "asynchronous"])
def test_kept_and_asynchronous_connections(world: World, body: str, given: tuple[Any, ...]) -> None:
    outcome = plan(HEAD + body)
    assert isinstance(outcome, Planned), outcome
    after = outcome.after.text
    assert "sql = sql.where(Job.stage == a)" in after
    before, now = (world.run(text, each(*given)) for text in (HEAD + body, after))
    assert before.error is None
    assert (repr(now.result), now.error, now.rows) == (repr(before.result), None, before.rows)


OPEN = 'conn = open_db()\n    sql = "SELECT id FROM jobs WHERE id > 0"\n    params = []\n    '
STEP = 'if a:\n        sql += " AND stage = ?"\n        params.append(a)\n    '
END = "rows = conn.execute(sql, params).fetchall()\n    conn.close()\n    return [row[0] for row in rows]"
STAYS = {
    "an OR": OPEN + STEP.replace("AND", "OR") + END,
    "a loop": f'{OPEN}for n in a:\n        sql += " AND stage <> ?"\n        params.append(n)\n    {END}',
    "a parameter appended elsewhere": OPEN + STEP.replace("        params", "    params") + END,
    "a parameter too many": OPEN + STEP + "if b:\n        params.append(b)\n    " + END,
    "a parameter of the front": OPEN + STEP.replace("append(a)", "insert(0, a)") + END,
    "a parameter for two placeholders": OPEN + STEP.replace("stage = ?", "stage IN (?, ?)") + END,
    "parameters of a list": OPEN + STEP.replace("append(a)", "extend(a)") + END,
    "starred parameters": OPEN + STEP.replace("append(a)", "extend([*a])") + END,
    "the text is measured": f"{OPEN}{STEP}print(len(sql))\n    {END}",
    "the number of parameters is asked": f"{OPEN}{STEP}if len(params) > 1:\n        b = 1\n    {END}",
    "the parameters are executed twice": (
        f'{OPEN}{STEP}n = conn.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", params).fetchone()[0]\n    {END}'
    ),
    "columns of SET": (
        'conn = open_db()\n    sql = "UPDATE jobs SET stage = 1"\n    params = []\n    if a:\n'
        '        sql += ", title = ?"\n        params.append(a)\n    conn.execute(sql, params)\n'
        "    conn.commit()\n    conn.close()"
    ),
    "a condition from outside": f"{OPEN}if a:\n        sql += b\n    {END}",
    "a value in the text": f'{OPEN}if a:\n        sql += f" AND stage = {{a}}"\n    {END}',
    "a list from outside": OPEN.replace("params = []", "params = b") + STEP + END,
    "an alias of the list": OPEN.replace("params = []", "params = other = []") + STEP + "other.append(3)\n    " + END,
    "the list is made anew": f"{OPEN}{STEP}params = [b]\n    {END}",
    "an item is deleted": f"{OPEN}{STEP}del params[0]\n    {END}",
    "appended to in a loop that executes": (
        f"{OPEN}rows = []\n    for n in a:\n        {STEP.replace(chr(10), chr(10) + '    ').rstrip()}\n"
        "        rows += conn.execute(sql, params).fetchall()\n    conn.close()\n    return len(rows)"
    ),
    "parameters of the call, of another step on some way": (
        'conn = open_db()\n    sql = "SELECT id FROM jobs WHERE id > 0"\n    if a:\n        sql += " AND stage = ?"\n'
        '    if b:\n        sql += " AND count = ?"\n    rows = conn.execute(sql, (c,)).fetchall()\n    conn.close()\n'
        "    return len(rows)"
    ),
    "parameters of the call that change between": (
        'conn = open_db()\n    sql = "SELECT id FROM jobs WHERE id > 0"\n    if b:\n        sql += " AND stage = ?"\n'
        '    else:\n        sql += " AND ? = 1"\n    a = b\n    rows = conn.execute(sql, (a,)).fetchall()\n'
        "    conn.close()\n    return len(rows)"
    ),
    "a UNION": f'{OPEN}{STEP}if b:\n        sql += " UNION SELECT id FROM jobs WHERE stage = 9"\n    {END}',
    "a key more of ORDER BY": f'{OPEN}sql += " ORDER BY stage"\n    if a:\n        sql += ", id"\n    {END}',
}


def test_parameters_in_the_format_of_another_driver() -> None:
    text = (
        "import psycopg2\n\n\ndef f(a, b):\n    conn = psycopg2.connect('x')\n    cur = conn.cursor()\n"
        '    sql = "SELECT id FROM jobs WHERE title LIKE %s"\n    params = [f"%{b}%"]\n    if a:\n'
        '        sql += " AND stage = %s"\n        params.append(a)\n    cur.execute(sql, params)\n'
        "    rows = cur.fetchall()\n    conn.close()\n    return [r[0] for r in rows]\n"
    )
    outcome = plan(text)
    assert isinstance(outcome, Planned)
    assert 'sql = select(Job.id).where(Job.title.like(f"%{b}%"))' in outcome.after.text
    (site,) = outcome.sites
    assert [c.verdict for c in site.certificates] == [Verdict.PROVEN] * 2
    stays = plan(text.replace("= %s", "= %s AND title <> '%%'"))
    assert isinstance(stays, Refused)


def test_a_name_that_is_bound_anew_is_the_value_of_each_step(world: World) -> None:
    text = (
        "from app.db import open_db\n\n\ndef f(a, b, c):\n    conn = open_db()\n"
        f"    {OPEN.partition(chr(10))[2].lstrip()}{STEP}a = b and len(b)\n"
        f'    if a:\n        sql += " AND count = ?"\n        params.append(a)\n    {END}\n'
    )
    outcome = plan(text)
    assert isinstance(outcome, Planned)
    before, now = (world.run(t, every_way) for t in (text, outcome.after.text))
    assert before.error is None
    assert repr(now.result) == repr(before.result)


def test_an_old_sqlalchemy_has_no_such_statement() -> None:
    text = f"from app.db import open_db\n\n\ndef f(a, b, c):\n    {OPEN}{STEP}{END}\n"
    files = {**PROJECT, PATH: text}
    settings = Settings(codemods=(CODEMOD.id,), unsafe=True, sqlalchemy="1.3")
    outcome = plan_file(Source(PATH, text), link(read_facts(Source(p, t)) for p, t in files.items()), settings)
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code == "sqlalchemy-version"


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(f"from app.db import open_db\n\n\ndef f(a, b, c):\n    {STAYS[name]}\n")
    assert isinstance(outcome, Refused), outcome.after.text if isinstance(outcome, Planned) else outcome
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code == "dynamic-sql", site.reason
