"""Connections that change whether they commit by themselves, and those of a pool: run before and after, or left."""

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD

from tests.rules.test_cursor_servers import _DB, _DRIVERS, _MODELS, Server, server

__all__ = ["server"]

_TWO = """cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = 1")
{0}moved = cur.rowcount
{0}cur.execute("UPDATE ormlift_parcels SET code = %s WHERE id = 2", (code,))
"""
_SAME = {
    "on again at the end": f"""def f(code):
    conn = None
    try:
        conn = OPEN
        cur = conn.cursor()
        conn.autocommit = False
        try:
            {_TWO.format(" " * 12)}            conn.commit()
            return moved > 0
        except Exception as error:
            conn.rollback()
            raise error
    finally:
        if conn:
            conn.autocommit = True
            conn.close()
""",
    "on behind the last statement": f"""def f(code):
    conn = OPEN
    try:
        cur = conn.cursor()
        {_TWO.format(" " * 8)}        conn.commit()
        conn.autocommit = True
        return moved
    finally:
        conn.close()
""",
    "on from the start": f"""def f(code):
    conn = OPEN
    conn.autocommit = True
    try:
        cur = conn.cursor()
        {_TWO.format(" " * 8)}        return moved
    finally:
        conn.close()
""",
}
_STAYS = {
    "on, and off again": """def f(code):
    conn = OPEN
    cur = conn.cursor()
    conn.autocommit = True
    cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = 1")
    conn.autocommit = False
    cur.execute("UPDATE ormlift_parcels SET code = %s WHERE id = 2", (code,))
    conn.commit()
    conn.close()
""",
    "on behind the first statement": """def f(code):
    conn = OPEN
    cur = conn.cursor()
    cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = 1")
    conn.commit()
    conn.autocommit = True
    cur.execute("UPDATE ormlift_parcels SET code = %s WHERE id = 2", (code,))
    conn.close()
""",
    "on, perhaps": """def f(code):
    conn = OPEN
    cur = conn.cursor()
    if code:
        conn.autocommit = True
    cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = 1")
    conn.close()
""",
    "as the caller says": """def f(code):
    conn = OPEN
    cur = conn.cursor()
    conn.autocommit = code
    cur.execute("UPDATE ormlift_parcels SET stage = 5 WHERE id = 1")
    conn.close()
""",
}


def _outcome(program: str, server: Server) -> object:
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=server.url), "app/parcels.py": program}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=server.driver.dialect)
    return plan_file(Source("app/parcels.py", program), index, settings)


@pytest.fixture
def postgres(server: Server) -> Server:
    if server.driver is not _DRIVERS["psycopg2"]:
        pytest.skip("one driver will do")
    return server


def _same(before: str, server: Server) -> None:
    outcome = _outcome(before, server)
    assert isinstance(outcome, Planned), outcome
    assert "cursor()" not in outcome.after.text
    for code in ("X", None, "A"):
        results = [server.run(text, lambda s, a=code: s["f"](a)) for text in (outcome.after.text, before)]
        assert results[0] == results[1]


@pytest.mark.parametrize("name", list(_SAME))
def test_the_same_is_committed(postgres: Server, name: str) -> None:
    _same(postgres.text(_SAME[name]), postgres)


@pytest.mark.parametrize("name", list(_STAYS))
def test_a_connection_of_two_modes_stays(postgres: Server, name: str) -> None:
    (site,) = _outcome(postgres.text(_STAYS[name]), postgres).sites  # type: ignore[attr-defined]
    assert site.reason.code == "autocommit"


_POOL = """from psycopg2 import pool

connections = pool.SimpleConnectionPool(0, 2, **HOW)


def f(code):
    conn = connections.getconn()
    try:
        with conn.cursor() as cur:
            cur.execute("UPDATE ormlift_parcels SET code = %s WHERE id = 1", (code,))
            cur.execute("SELECT id FROM ormlift_parcels WHERE code = %s", (code,))
            if cur.rowcount > 0:
                conn.commit()
                return [row[0] for row in cur.fetchall()]
    except Exception:
        conn.rollback()
        raise
    finally:
        connections.putconn(conn)
"""


def test_a_connection_of_a_pool_becomes_a_session(postgres: Server) -> None:
    _same(postgres.text(_POOL), postgres)
