"""Row counts of SELECTs, and ids that INSERTs made: run before and after on the servers, or seen to stay."""

from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD

from tests.rules.test_cursor_servers import _DB, _MODELS, Server, server

__all__ = ["server"]

_BUFFERED = ("psycopg2", "psycopg", "pymysql")
_ASK = """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT id, code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
"""
_COUNTED: dict[str, str] = {
    "a first row where there are some": """
        if cur.rowcount > 0:
            row = cur.fetchone()
            return row[1], row[2]
        return None
""",
    "a first row that may not be": """
        count = cur.rowcount
        row = cur.fetchone()
        return count, row and row[0], row is None
""",
    "nothing but the count": """
        return cur.rowcount
""",
    "a way out where there is none": """
        if not cur.rowcount:
            return "none"
        return [tuple(row) for row in cur.fetchall()]
""",
    "a loop over as many": """
        got = []
        for n in range(cur.rowcount):
            row = cur.fetchone()
            got.append((n, row[1]))
        return got
""",
    "a row, those behind it, and none": """
        first = cur.fetchone()
        more = [row[0] for row in cur]
        return cur.rowcount, first and first[0], more, cur.fetchone(), list(cur.fetchall())
""",
    "a list that changes before the count": """
        found = cur.fetchall()
        found = list(found)
        found.pop() if found else None
        return len(found), cur.rowcount
""",
    "what is fetched changes before the count": """
        found = cur.fetchall()
        if found and isinstance(found, list):
            del found[0]
        return len(found), cur.rowcount
""",
    "one of two statements": """
        if cur.rowcount == 0:
            cur.execute("SELECT id, code FROM ormlift_parcels ORDER BY id")
            return cur.rowcount, [code for _, code in cur]
        else:
            return cur.rowcount, [row[0] for row in cur.fetchall()]
""",
    "a loop that executes": """
        found = []
        for stage in (1, 2, 3):
            cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
            if cur.rowcount >= 1:
                found.append(cur.fetchone()[1])
        return found
""",
}
_END = "    finally:\n        conn.close()\n"


def _outcome(program: str, server: Server, dialect: str = "") -> Any:
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=server.url), "app/parcels.py": program}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=dialect or server.driver.dialect)
    return plan_file(Source("app/parcels.py", program), index, settings)


def _name(server: Server) -> str:
    from tests.rules.test_cursor_servers import _DRIVERS

    return next(name for name, driver in _DRIVERS.items() if driver is server.driver)


@pytest.mark.parametrize("name", list(_COUNTED))
def test_counted_rows_are_the_same(server: Server, name: str) -> None:
    if "isinstance" in _COUNTED[name] and _name(server) == "pymysql":
        pytest.skip("gives a tuple of rows")
    before = server.text(_ASK + _COUNTED[name].lstrip("\n") + _END)
    outcome = _outcome(before, server)
    if _name(server) not in _BUFFERED:
        assert [s.reason.code for s in outcome.sites] == ["row-count"]
        return
    assert isinstance(outcome, Planned), outcome
    assert "cursor()" not in outcome.after.text
    for stage in (1, 2, 7, None):
        results = [server.run(text, lambda s, a=stage: s["f"](a)) for text in (outcome.after.text, before)]
        assert repr(results[0]) == repr(results[1])


_DICTS = {
    "a dict where there is one": """
    if cur.rowcount > 0:
        return cur.fetchone()
    return cur.rowcount
""",
    "dicts, or one": """
    if cur.rowcount > 1:
        return list(cur.fetchall())
    return cur.fetchone()
""",
    "a value of a dict": """
    if cur.rowcount:
        return cur.fetchone()["code"]
    return [row["id"] for row in cur.fetchall()]
""",
    "the second dict": """
    first = cur.fetchone()
    if cur.rowcount:
        print(first["code"])
    return cur.fetchone()
""",
    "a dict behind a commit": """
    conn.commit()
    row = cur.fetchone()
    return row and dict(row)
""",
}


@pytest.mark.parametrize("name", list(_DICTS))
def test_counted_dicts_are_the_same(server: Server, name: str) -> None:
    if _name(server) not in _BUFFERED or not server.driver.lets_go:
        pytest.skip("counts no rows, or a connection that nothing closes holds the table")
    head = "def f(stage):\n    conn = OPEN\n    cur = DICTS\n"
    head += '    cur.execute("SELECT id, code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))\n'
    before = server.text(head + _DICTS[name].lstrip("\n"))
    outcome = _outcome(before, server)
    assert isinstance(outcome, Planned), outcome
    for stage in (1, 2, 7):
        results = [server.run(text, lambda s, a=stage: s["f"](a)) for text in (outcome.after.text, before)]
        assert results[0] == results[1]
        assert isinstance(results[0][0], dict) is isinstance(results[1][0], dict)


_UNCOUNTED = {
    "a cursor of the server": ("psycopg2", 'conn.cursor("parcels")'),
    "a named cursor of the server": ("psycopg", 'conn.cursor(name="parcels")'),
    "a cursor that reads as it goes": ("pymysql", "conn.cursor(pymysql.cursors.SSCursor)"),
    "a cursor of its own class": ("psycopg2", "conn.cursor(cursor_factory=Mine)"),
    "a cursor that is not buffered": ("mysql.connector", "conn.cursor(dictionary=True)"),
}


@pytest.mark.parametrize("name", list(_UNCOUNTED))
def test_what_does_not_count_stays(server: Server, name: str) -> None:
    driver, made = _UNCOUNTED[name]
    if _name(server) != driver:
        pytest.skip("another driver")
    body = _ASK.replace("conn.cursor()", made) + _COUNTED["nothing but the count"].lstrip("\n") + _END
    (site,) = _outcome(server.text(body), server).sites
    assert site.reason.code == "row-count"


def test_a_buffered_cursor_counts(server: Server) -> None:
    if _name(server) != "mysql.connector":
        pytest.skip("another driver")
    body = _ASK.replace("conn.cursor()", "conn.cursor(buffered=True)")
    before = server.text(body + _COUNTED["a first row where there are some"].lstrip("\n") + _END)
    outcome = _outcome(before, server)
    assert isinstance(outcome, Planned), outcome
    for stage in (1, 2, 7):
        results = [server.run(text, lambda s, a=stage: s["f"](a)) for text in (outcome.after.text, before)]
        assert results[0] == results[1]


# What `execute(..)` gives, and whether a connection is open

_GIVEN = {
    "the count of a change": """
        changed = cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = %s", (code,))
        more = cur.execute("DELETE FROM ormlift_parcels WHERE stage = 2") > 0
        conn.commit()
        return changed, more
""",
    "the count of an INSERT": """
        made = cur.execute("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (%s, 'N', 1, false)", (code,))
        conn.commit()
        return made
""",
    "the count of a SELECT": """
        count = cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (code,))
        first = cur.fetchone()
        return count, first and first[1], [row[0] for row in cur.fetchall()]
""",
}


@pytest.mark.parametrize("name", list(_GIVEN))
def test_what_execute_gives_is_the_count(server: Server, name: str) -> None:
    if _name(server) != "pymysql":
        pytest.skip("gives something else")
    head = "def f(code):\n    conn = OPEN\n    try:\n        cur = conn.cursor()\n"
    before = server.text(head + _GIVEN[name].lstrip("\n") + _END)
    _same(before, _outcome(before, server), server, (1, 2, 8))


def test_a_count_asked_in_a_question_stays(server: Server) -> None:
    if _name(server) != "pymysql":
        pytest.skip("gives something else")
    body = "def f(code):\n    conn = OPEN\n    try:\n        cur = conn.cursor()\n"
    body += "        if cur.execute('SELECT id FROM ormlift_parcels WHERE code = %s', (code,)):\n"
    body += "            return cur.fetchone()[0]\n"
    (site,) = _outcome(server.text(body + _END), server).sites
    assert site.reason.code == "unclear-cursor"


_OPEN = """def f(code):
    conn = None
    cur = None
    try:
        conn = OPEN
        cur = conn.cursor()
        cur.execute("UPDATE ormlift_parcels SET code = %s WHERE id = 2", (code,))
        conn.commit()
        return "done"
    except Exception:
        if conn and conn.is_connected():
            conn.rollback()
        return "failed"
    finally:
        if conn is not None and conn.is_connected():
            if cur is not None:
                cur.close()
            conn.close()
"""


def test_whether_it_is_open_is_no_question_for_a_session(server: Server) -> None:
    if _name(server) != "mysql.connector":
        pytest.skip("has no such question")
    before = server.text(_OPEN)
    _same(before, _outcome(before, server), server, ("X", None, "A"))
    asked = _OPEN.replace(
        "        conn.commit()", "        if conn.is_connected():\n            conn.commit()\n            print()"
    )
    (site,) = _outcome(server.text(asked), server).sites
    assert site.reason.code == "unclear-connection"


# Rows of changes, and behind a commit

_OVER: dict[str, tuple[str, tuple[Any, ...]]] = {
    "a row behind a commit": (
        """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        conn.commit()
        row = cur.fetchone()
        return row and (row[0], row[1])
""",
        (1, 2, 7),
    ),
    "rows behind a commit": (
        """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        conn.commit()
        return [code for _, code in cur.fetchall()]
""",
        (1, 2, 7),
    ),
    "a row on either side of a commit": (
        """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        first = cur.fetchone()
        conn.commit()
        second = cur.fetchone()
        return first and first[1], second and second[1], len(list(cur))
""",
        (1, 2, 7),
    ),
    "a commit for each row": (
        """def f(stage):
    conn = OPEN
    try:
        cur, other = conn.cursor(), 0
        other = conn.cursor()
        cur.execute("SELECT id FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        while True:
            row = cur.fetchone()
            if row is None:
                break
            other.execute("UPDATE ormlift_parcels SET owner = 'x' WHERE id = %s", (row[0],))
            conn.commit()
""".replace("cur, other = conn.cursor(), 0", "cur = conn.cursor()"),
        (1, 2, 7),
    ),
}
_RETURNED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "the id of an INSERT": (
        """def f(code):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("INSERT INTO ormlift_parcels (code, stage, rush) VALUES (%s, 1, false) RETURNING id", (code,))
        new = cur.fetchone()[0]
        conn.commit()
        return new > 3
""",
        ("X", "A"),
    ),
    "the id of an INSERT behind its commit": (
        """def f(code):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (9, %s, 1, true) RETURNING id", (code,))
        conn.commit()
        return cur.fetchone()[0]
""",
        ("X", "A"),
    ),
    "the rows of a DELETE": (
        """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("DELETE FROM ormlift_parcels WHERE stage = %s RETURNING id, code", (stage,))
        gone = sorted((number, code) for number, code in cur.fetchall())
        conn.commit()
        return gone
""",
        (1, 2, 7),
    ),
    "the row of an UPDATE": (
        """def f(code):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("UPDATE ormlift_parcels SET stage = stage + 1 WHERE code = %s RETURNING stage", (code,))
        row = cur.fetchone()
        conn.commit()
        return row and row[0]
""",
        ("A", "none"),
    ),
}


def _same(before: str, outcome: Any, server: Server, arguments: tuple[Any, ...]) -> None:
    assert isinstance(outcome, Planned), outcome
    assert "cursor()" not in outcome.after.text
    for given in arguments:
        results = [server.run(text, lambda s, a=given: s["f"](a)) for text in (outcome.after.text, before)]
        assert repr(results[0]) == repr(results[1])


@pytest.mark.parametrize("name", list(_OVER))
def test_rows_fetched_behind_a_commit_are_the_same(server: Server, name: str) -> None:
    body, arguments = _OVER[name]
    before = server.text(body + _END)
    outcome = _outcome(before, server)
    if _name(server) not in _BUFFERED:
        assert [s.reason.code for s in outcome.sites] == ["commit-before-fetch"]
        return
    _same(before, outcome, server, arguments)


@pytest.mark.parametrize("name", list(_RETURNED))
def test_rows_of_changes_are_the_same(server: Server, name: str) -> None:
    body, arguments = _RETURNED[name]
    if server.driver.dialect == "mysql":
        pytest.skip("no RETURNING that is known of")
    before = server.text(body + _END)
    outcome = _outcome(before, server)
    if "behind" in name and _name(server) not in _BUFFERED:
        assert [s.reason.code for s in outcome.sites] == ["commit-before-fetch"]
        return
    _same(before, outcome, server, arguments)


def test_what_gives_no_rows_is_not_fetched_from(server: Server) -> None:
    body = _RETURNED["the row of an UPDATE"][0].replace(" RETURNING stage", "")
    (site,) = _outcome(server.text(body + _END), server).sites
    assert site.reason.code == "unclear-cursor"


# Ids

_MADE = """def f(code):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("INSERT INTO ormlift_parcels (code, stage, rush) VALUES (%s, 1, false)", (code,))
"""
_ASKED = {
    "at once": """
        cur.execute("SELECT LAST_INSERT_ID()")
        new = cur.fetchone()[0]
        conn.commit()
        return new
""",
    "behind a commit": """
        conn.commit()
        cur.execute("SELECT LAST_INSERT_ID()")
        row = cur.fetchone()
        new = row[0]
        return new
""",
    "for the next row": """
        conn.commit()
        cur.execute("SELECT LAST_INSERT_ID() AS made")
        row = cur.fetchone()
        cur.execute("INSERT INTO ormlift_parcels (code, stage, rush) VALUES (%s, %s, true)", (code + "2", row[0]))
        conn.commit()
        cur.execute("SELECT LAST_INSERT_ID()")
        return row[0], cur.fetchone()[0]
""",
}
_FORGOTTEN = {
    "of an INSERT that may insert nothing": _MADE.replace("INSERT INTO", "INSERT IGNORE INTO") + _ASKED["at once"],
    "of an INSERT that names its id": _MADE.replace("(code, stage", "(id, code, stage").replace("(%s,", "(9, %s,")
    + _ASKED["behind a commit"],
    "behind an UPDATE": _MADE
    + '        cur.execute("UPDATE ormlift_parcels SET stage = 2")\n'
    + _ASKED["behind a commit"],
    "of no INSERT": "def f(code):\n    conn = OPEN\n    try:\n        cur = conn.cursor()\n"
    + _ASKED["behind a commit"],
    "of an INSERT that may not have run": _MADE.replace("cur.execute(", "if code: cur.execute(")
    + _ASKED["behind a commit"],
}


def _on_mysql(server: Server) -> bool:
    return _name(server) in ("pymysql", "mysql.connector")


@pytest.mark.parametrize("name", list(_ASKED))
def test_the_id_of_an_insert_is_its_own(server: Server, name: str) -> None:
    body = _MADE + _ASKED[name].lstrip("\n") + _END
    if _name(server) == "raw_connection on sqlite":
        body = body.replace("LAST_INSERT_ID", "last_insert_rowid")
    elif not _on_mysql(server):
        pytest.skip("asks otherwise")
    before = server.text(body)
    outcome = _outcome(before, server)
    assert isinstance(outcome, Planned), outcome
    assert "last_insert" not in outcome.after.text.lower()
    results = [server.run(text, lambda s: s["f"]("X")) for text in (outcome.after.text, before)]
    assert results[0] == results[1]


@pytest.mark.parametrize("name", list(_FORGOTTEN))
def test_what_only_the_connection_remembers_stays(server: Server, name: str) -> None:
    if not _on_mysql(server):
        pytest.skip("asks otherwise")
    (site,) = _outcome(server.text(_FORGOTTEN[name] + _END), server).sites
    assert site.reason.code == "connection-state"


def test_what_the_connection_remembers_is_asked_in_one_transaction(server: Server) -> None:
    if _name(server) != "psycopg2":
        pytest.skip("asks otherwise")
    once = "def f():\n    conn = OPEN\n    cur = conn.cursor()\n    cur.execute('SELECT pg_backend_pid()')\n"
    end = "    one = cur.fetchone()[0]\n    conn.commit()\n    conn.close()\n    return one > 0\n"
    (site,) = _outcome(server.text(once + end), server).sites
    assert site.reason.code == "connection-state"
    outcome = _outcome(server.text(once + end.replace("    conn.commit()\n", "")).replace("**HOW", "HOW"), server)
    assert isinstance(outcome, Planned)
