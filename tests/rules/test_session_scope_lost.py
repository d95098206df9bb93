"""Handlers that keep the error of a lost connection, run on a real database before and after.

A failing statement stands for a lost connection: the engine is told so.
"""

from pathlib import Path
from textwrap import indent

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

LOST = """
def lose(context):
    context.is_disconnect = True


event.listen(engine, "handle_error", lose)
"""
WORK = """
def cause():
    return ValueError("no connection")


def work():
    s = get_session()
    try:
{body}
    finally:
        s.close()
"""
TOLD = ("swallowed-error-then-commit",)
FAILS = 's.execute(text("SELECT * FROM nowhere"))'


def _case(title: str, body: str, effects: tuple[str, ...] = TOLD, scope: str = "commits") -> Case:
    body = WORK.format(body=indent(body.replace("FAILS", FAILS), " " * 8))
    rest = "import contextlib\nfrom sqlalchemy.exc import OperationalError\n"
    return Case(title, body, scope, effects, differs="work()", rest=rest, db=LOST)


SWALLOWED = (
    _case("a handler that answers", "try:\n    return FAILS\nexcept Exception:\n    return -1"),
    _case("a bare handler", "try:\n    return FAILS\nexcept:\n    return -1"),
    _case("a handler of database errors", "try:\n    return FAILS\nexcept SQLAlchemyError:\n    return -1"),
    _case(
        "a handler of lost connections",
        "try:\n    return FAILS\nexcept OperationalError as error:\n    log.error(error)",
    ),
    _case("a handler that goes on", "count = 0\ntry:\n    FAILS\nexcept Exception:\n    pass\nreturn count"),
    _case(
        "a handler in a loop",
        "for _ in range(2):\n    try:\n        FAILS\n    except OperationalError:\n        break",
    ),
    _case("a finally that returns", "try:\n    FAILS\nfinally:\n    return 1"),
    _case("errors that are suppressed", "with contextlib.suppress(Exception):\n    FAILS"),
    _case(
        "raised again, and then taken",
        "try:\n    try:\n        FAILS\n    except OperationalError:\n        raise\nexcept Exception:\n    return 1",
    ),
    _case(
        "raised as another, and then taken",
        "try:\n    try:\n        FAILS\n    except OperationalError as e:\n        raise cause() from e\n"
        "except ValueError:\n    return 1",
    ),
    _case(
        "a query", "try:\n    return s.query(Job).filter(text('nowhere = 1')).count()\nexcept Exception:\n    return -1"
    ),
)
KEPT = (
    _case(
        "a handler that rolls back", "try:\n    return FAILS\nexcept Exception:\n    s.rollback()\n    return -1", ()
    ),
    _case("a handler that raises", "try:\n    return FAILS\nexcept Exception:\n    raise", ()),
    _case("a handler of other errors", "try:\n    return FAILS\nexcept ValueError:\n    return -1", ()),
    _case("a scope that only closes", "try:\n    return FAILS\nexcept Exception:\n    return -1", (), "reads"),
    _case(
        "rolled back, raised again, and then taken",
        "try:\n    try:\n        FAILS\n    except Exception:\n        s.rollback()\n        raise\n"
        "except Exception:\n    return 1",
        (),
    ),
    _case(
        "rolled back by the first of two handlers",
        "try:\n    FAILS\nexcept SQLAlchemyError:\n    s.rollback()\nexcept Exception:\n    return 1",
        (),
    ),
    _case("what sends nothing", "try:\n    return int('x')\nexcept Exception:\n    return -1", ()),
    _case(
        "columns that are loaded",
        "job = s.get(Job, 1)\ntry:\n    return int(job.name)\nexcept Exception:\n    return -1",
        (),
    ),
    _case(
        "a query behind it, which raises",
        "try:\n    FAILS\nexcept Exception:\n    pass\nreturn s.query(Job).count()",
        (),
    ),
)


@pytest.mark.parametrize("case", [*SWALLOWED, *KEPT], ids=lambda c: c.title)
def test_a_lost_connection_that_is_taken_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} == set(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert (before["work()"] != after["work()"]) is bool(case.effects)
    if case.effects:
        assert after["work()"] == "PendingRollbackError"


UNLUCKY = """
class Gone(Exception):
    pass


armed = []


def gone(connection):
    if armed:
        armed.clear()
        raise Gone("the connection is gone")


event.listen(engine, "rollback", gone)
"""
OPENED = """
def work():
    try:
        s = get_session()
        armed.append(1)
        return s.query(Job).count()
    except {caught}:
        return "handled"
    finally:
        s.close()
"""
CLOSED = """
def work():
    s = get_session()
    try:
        armed.append(1)
        return s.query(Job).count()
    except Exception:
        return "handled"
    finally:
        s.close()
"""
ARMED = "from app.db import armed\n"
CLOSING = (
    Case(
        "a handler around the scope",
        OPENED.format(caught="Exception"),
        "reads",
        ("close-may-raise",),
        rest=ARMED,
        db=UNLUCKY,
    ),
    Case("a handler of other errors", OPENED.format(caught="ValueError"), "reads", rest=ARMED, db=UNLUCKY),
    Case("a handler inside the scope", CLOSED, "reads", rest=ARMED, db=UNLUCKY),
)


@pytest.mark.parametrize("case", CLOSING, ids=lambda c: c.title)
def test_what_closing_raises_is_told_where_a_handler_sees_it_now(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before["work()"] == "Gone"
    assert after["work()"] == ("'handled'" if case.effects else "Gone")
