"""Every example of `raw-access`; and that it speaks only where it is asked."""

import pytest
from ormlift.model import Refused, Settings, Source, Unchanged
from ormlift.plan import plan_file
from ormlift.rules.base import Example
from ormlift.rules.raw_access import CODEMOD

from tests.rules.checks import PATH, check_example, index_with, plan


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


def test_it_is_silent_unless_named() -> None:
    example = next(e for e in CODEMOD.examples if e.reason == "no-database")
    outcome = plan_file(Source(PATH, example.before), index_with(example, example.before), Settings())
    assert outcome == Unchanged(PATH)


def test_a_fetch_is_what_it_fetches_from() -> None:
    text = (
        "from sqlalchemy import text\nfrom app.db import SessionLocal, get_connection\n\n\n"
        "def both():\n    conn = get_connection()\n    cur = conn.cursor()\n    cur.execute('SELECT 1')\n"
        "    a = cur.fetchone()\n    db = SessionLocal()\n    rows = db.execute(text('SELECT 1'))\n"
        "    return a, rows.fetchall(), db.execute(text('SELECT 2')).fetchone()\n"
    )
    outcome = plan(CODEMOD, Example("", text, project=CODEMOD.examples[0].project), text)
    assert isinstance(outcome, Refused)
    assert [(s.line, s.reason.code) for s in outcome.sites if s.reason] == [
        (7, "dbapi"),
        (8, "dbapi"),
        (9, "dbapi"),
        (11, "session"),
        (12, "session"),
        (12, "session"),
        (12, "session"),
    ]
