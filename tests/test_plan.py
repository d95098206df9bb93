"""One file to its outcome: what is applied, what stays, and that the account adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import dedent

import pytest
from ormlift.edit import Edited, apply
from ormlift.model import (
    Applicability,
    Failed,
    Outcome,
    Planned,
    Refused,
    Rewrite,
    ScopeChoice,
    Settings,
    Source,
    Status,
    Unchanged,
)
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import import_lines
from ormlift.project.index import ProjectIndex, link
from ormlift.suppress import suppressions
from ormlift.syntax import Module

DB = """
from contextlib import contextmanager
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Session = sessionmaker(bind=create_engine("sqlite://"))


def get_session():
    return Session()


@contextmanager
def session_scope():
    session = Session()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""

SITE = """
    session = get_session()
    try:
        session.add(User())
        session.commit()
    finally:
        session.close()
"""

LOSING = """
    session = get_session()
    try:
        session.add(User())
    finally:
        session.close()
"""


def index(**others: str) -> ProjectIndex:
    files = {"db.py": DB, **{f"{name}.py": text for name, text in others.items()}}
    known = link(read_facts(Source(path, text)) for path, text in files.items())
    from ormlift.project.graph import ImportGraph

    return replace(known, imports=ImportGraph({path: import_lines(text, path) for path, text in files.items()}))


def plan(text: str, *, unsafe: bool = False, codemods: tuple[str, ...] = (), **others: str) -> Outcome:
    source = Source("app.py", text)
    return plan_file(source, index(app=text, **others), Settings(unsafe=unsafe, codemods=codemods))


def app(*bodies: str) -> str:
    functions = [f"def f{i}():{body}" for i, body in enumerate(bodies)]
    return "from db import get_session\nfrom models import User\n\n\n" + "\n\n".join(functions)


def test_all_sites_of_a_file_are_planned_at_once_and_a_second_run_finds_nothing() -> None:
    outcome = plan(app(SITE, SITE))
    assert isinstance(outcome, Planned)
    assert outcome.after.text.count("with session_scope() as session:") == 2
    assert [site.status for site in outcome.sites] == [Status.REWRITTEN, Status.REWRITTEN]
    assert [site.line for site in outcome.sites] == [6, 15]
    again = plan(outcome.after.text)
    assert not isinstance(again, Planned)


def test_nested_sites_come_one_after_the_other() -> None:
    inner = dedent(SITE).strip("\n").replace("session", "inner").replace("get_inner", "get_session")
    nested = SITE.replace("session.commit()", "session.commit()\n" + "\n".join(" " * 8 + x for x in inner.split("\n")))
    outcome = plan(app(nested))
    assert isinstance(outcome, Planned)
    assert outcome.after.text.count("with session_scope() as") == 2
    assert [site.line for site in outcome.sites] == [6, 10]


def test_effects_wait_for_unsafe() -> None:
    outcome = plan(app(LOSING))
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.status is Status.REFUSED
    assert site.applicability is Applicability.UNSAFE
    assert site.reason is not None
    assert site.reason.code == "needs-unsafe"
    assert [effect.line for effect in site.effects] == [8]
    assert isinstance(plan(app(LOSING), unsafe=True), Planned)


def test_messages_name_lines_of_the_file_as_it_was() -> None:
    outcome = plan(app(SITE, LOSING))
    assert isinstance(outcome, Planned)
    last = outcome.sites[-1]
    assert [effect.line for effect in last.effects] == [17]
    assert "line 17" in last.effects[0].message


def test_an_ignore_comment_keeps_a_site_and_an_unused_one_is_told() -> None:
    text = app(SITE.replace("get_session()", "get_session()  # ormlift: ignore[session-scope] shared", 1))
    outcome = plan(text)
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.status is Status.SUPPRESSED
    assert site.reason is not None
    assert site.reason.message == "shared"
    outcome = plan("x = 1  # ormlift: ignore[session-scope]\ny = 2  # ormlift: ignore[sesion-scope]\n")
    assert isinstance(outcome, Refused)
    assert outcome.sites == ()
    assert len(outcome.notes) == 2
    assert "not used" in outcome.notes[0]
    assert "names no codemod" in outcome.notes[1]


def test_statements_on_one_line_are_refused_alone() -> None:
    odd = SITE.replace("    session = get_session()", "    x = 1; session = get_session()", 1)
    outcome = plan(app(odd, SITE))
    assert isinstance(outcome, Planned)
    assert [site.status for site in outcome.sites] == [Status.REFUSED, Status.REWRITTEN]
    assert outcome.sites[0].reason is not None
    assert outcome.sites[0].reason.code == "unusual-layout"


INSIDE = """
    with Session(  # in
    ) as session:
        session.add(User())
        session.commit()
"""


def test_a_comment_that_has_no_place_keeps_its_own_site_and_no_other() -> None:
    settings = Settings(unsafe=True, scopes=(ScopeChoice("session_scope", "db"),))
    text = app(SITE, INSIDE, SITE).replace("get_session\n", "Session, get_session\n", 1)
    outcome = plan_file(Source("app.py", text), index(app=text), settings)
    assert isinstance(outcome, Planned)
    assert [site.status for site in outcome.sites] == [Status.REWRITTEN, Status.REFUSED, Status.REWRITTEN]
    reason = outcome.sites[1].reason
    assert reason is not None
    assert reason.code == "unusual-layout"
    line = text[: text.index("# in")].count("\n") + 1
    assert f"the comment on line {line} has no place" in reason.message
    assert INSIDE in outcome.after.text
    again = plan_file(replace(outcome.after, path="app.py"), index(app=outcome.after.text), settings)
    assert isinstance(again, Refused)


def test_an_edit_that_breaks_the_text_fails_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only comments are a matter of layout: what else is not verified is a bug, and told as one."""

    def broken(module: Module, rewrites: Sequence[Rewrite]) -> Edited:
        edited = apply(module, rewrites)
        return replace(edited, text=edited.text.replace("    session.add", "    (session.add"))

    monkeypatch.setattr("ormlift.plan.apply", broken)
    outcome = plan(app(SITE, SITE))
    assert isinstance(outcome, Failed)
    assert outcome.ours


def test_an_import_that_waits_closes_no_circle() -> None:
    text = app(SITE).replace("from db import get_session\n", "")
    text = text.replace("def f0():", "def f0():\n    from db import get_session")
    outcome = plan(text, db="import app\n" + DB)
    assert isinstance(outcome, Planned)
    assert "def f0():\n    from db import session_scope\n" in outcome.after.text


def test_an_import_that_another_file_takes_stays() -> None:
    alone = plan(app(SITE))
    assert isinstance(alone, Planned)
    assert "import get_session" not in alone.after.text
    taken = plan(app(SITE), other="from app import get_session\n")
    assert isinstance(taken, Planned)
    assert "get_session" in taken.after.text


PATCHES = {
    "by a dotted name": 'from unittest.mock import patch\n\nwith patch("app.get_session"):\n    pass\n',
    "in a module": 'import app\n\ndef test(monkeypatch):\n    monkeypatch.setattr(app, "get_session", None)\n',
    "by patch.object": 'import app\nfrom unittest import mock\n\nmock.patch.object(app, "get_session")\n',
    "in one of a package": 'from . import app\n\nmonkeypatch.setattr(app, "get_session", None)\n',
}


@pytest.mark.parametrize("way", PATCHES)
def test_an_import_that_a_test_patches_stays(way: str) -> None:
    patched = plan(app(SITE), unsafe=True, test_app=PATCHES[way])
    assert isinstance(patched, Planned)
    assert "import get_session" in patched.after.text
    other = plan(app(SITE), test_app=PATCHES[way].replace("get_session", "get_other"))
    assert isinstance(other, Planned)
    assert "import get_session" not in other.after.text


def test_what_cannot_be_parsed_fails_with_its_line() -> None:
    outcome = plan("def f(:\n    session = get_session()\n")
    assert isinstance(outcome, Failed)
    assert not outcome.ours
    assert "line 1" in outcome.message
    assert isinstance(plan("x = 1\n"), Unchanged)
    assert isinstance(plan("x = '\\d'  # ormlift: no comment of ours\n"), Unchanged)
    assert isinstance(plan("x = '\0'\n"), Failed)


def test_suppressions_in_a_file_that_ends_badly() -> None:
    assert suppressions("x = 1  # ormlift: ignore\n")[0].line == 1
