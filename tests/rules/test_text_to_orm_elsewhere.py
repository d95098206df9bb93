"""SQL text that goes elsewhere than into an execute is a site as well, and stays with a reason."""

from __future__ import annotations

import pytest
from ormlift.model import Refusal, Settings, Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.base import Context
from ormlift.rules.examples.cursor_to_orm import PROJECT
from ormlift.rules.text_to_orm import find
from ormlift.syntax import Module

HEAD = """
import pandas as pd
from sqlalchemy import select, text
from app.db import engine, session_scope
from app.models import Job

"""
CASES: dict[str, tuple[str, list[str]]] = {
    "from_statement": (
        """
def f(session):
    sql = "SELECT * FROM jobs WHERE stage = 1"
    return session.query(Job).from_statement(text(sql)).params(x=1).all()
""",
        ["text-elsewhere"],
    ),
    "handed to a helper, kept, returned, listed": (
        """
QUERY = text("SELECT id FROM jobs")
UNUSED = text("SELECT id FROM jobs")
def f(self, run):
    run(text("DELETE FROM jobs"), QUERY, self.sql, ALL)
    self.sql = text("DELETE FROM jobs")
    return text("DELETE FROM jobs").bindparams(x=1)
ALL = [text("CREATE TABLE x (id int)"), text("DROP TABLE x")]
""",
        ["text-elsewhere"] * 6,
    ),
    "pandas": (
        """
def f(conn, query):
    sql = f"SELECT id FROM jobs WHERE stage = {conn}"
    return pd.read_sql(text("SELECT id FROM jobs"), conn), pd.read_sql_query(sql, con=conn), pd.read_sql(query, conn)
""",
        ["", "read-by-pandas", "read-by-pandas"],
    ),
    "executed elsewhere in the file": (
        """
QUERY = text("DELETE FROM jobs")
def f(session):
    session.execute(QUERY)
""",
        [""],
    ),
    "one of two": (
        """
def f(a):
    with session_scope() as session:
        if a:
            sql = text("DELETE FROM jobs WHERE stage = 1")
        else:
            sql = text("DELETE FROM jobs WHERE stage = 2")
        session.execute(sql)
""",
        [""],
    ),
    "what a session hands out": (
        """
def f(service):
    service.auth_session.get_bind().execute("VACUUM")
    service.auth_session.connection().execute("VACUUM")
""",
        ["administrative", ""],
    ),
    "a scalar of a bare string": (
        """
def f(mapper, conn, target):
    return conn.scalar("PRAGMA user_version")
""",
        [""],
    ),
    "an operation of a migration": (
        """
from alembic import op
def upgrade():
    op.execute("UPDATE jobs SET stage = 1")
    op.execute(text("UPDATE jobs SET stage = 1"))
    op.get_bind().execute(text("UPDATE jobs SET stage = 1"))
""",
        ["migration"] * 3,
    ),
    "none": (
        """
from app.ui import text as label
import modal as pdx
def f(session, conn, chart):
    label("SELECT id FROM jobs")
    session.query(Job).filter(text("id > 1")).order_by(text("updated, set")).all()
    select(text("count(*)")).select_from(Job)
    pdx.read_sql("SELECT id FROM jobs", conn)
    pd.read_sql("jobs", conn)
    pd.read_sql_table("jobs", conn)
    pd.read_sql(select(Job.id), conn)
    chart.scalar("SELECT id FROM jobs")
    conn.scalar("selection")
""",
        [],
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_sites(name: str) -> None:
    text, expected = CASES[name]
    files = {**PROJECT, "app/jobs.py": HEAD + text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    sites = list(find(Module.parse(Source("app/jobs.py", HEAD + text)), Context(index, Settings())))
    assert [s.reason.code if isinstance(s, Refusal) else "" for s in sites] == expected
    assert all(";" in s.reason.message for s in sites if isinstance(s, Refusal))
