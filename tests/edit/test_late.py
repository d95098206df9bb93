"""Imports that a function makes itself: what takes their place waits as long, and what can't wait is refused."""

import textwrap
from dataclasses import replace

import pytest
from ormlift.model import Outcome, Planned, Reason, ScopeChoice, Settings, Source, Status
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link

from tests.rules.session_runs import DB, MODELS

PATH = "app/jobs.py"


def _outcome(text: str, scopes: str = "app.db") -> Outcome:
    files = {"app/__init__.py": "", "app/db.py": DB, "app/models.py": MODELS, "app/scopes.py": DB, PATH: text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(scopes=(ScopeChoice("reads", scopes),), codemods=("session-scope",), unsafe=True)
    return plan_file(Source(PATH, text), index, settings)


LATE = {
    "a name more in the same line": (
        "app.db",
        "from app.db import get_session, engine",
        "from app.db import engine, reads",
    ),
    "the name that goes gives its place": ("app.db", "from app.db import get_session", "from app.db import reads"),
    "a relative import stays relative": ("app.db", "from .db import get_session", "from .db import reads"),
    "a line of its own, where the line can't be added to": (
        "app.db",
        "from app.db import get_session  # late",
        "from app.db import get_session  # late\n    from app.db import reads",
    ),
    "from another module, which waits as well": (
        "app.scopes",
        "from app.db import get_session",
        "from app.scopes import reads",
    ),
}


@pytest.mark.parametrize("title", LATE)
def test_the_import_waits(title: str) -> None:
    scopes, before, after = LATE[title]
    text = textwrap.dedent(f"""\
    import os


    def count():
        {before}
        s = get_session()
        try:
            return s.execute("SELECT 1").scalar(), {"engine" if "engine" in before else 1}
        finally:
            s.close()
    """)
    outcome = _outcome(text, scopes)
    assert isinstance(outcome, Planned), outcome
    new = outcome.after.text
    assert new.startswith(f"import os\n\n\ndef count():\n    {after}\n    with reads() as s:\n")
    assert _outcome(new, scopes).path == PATH
    assert not isinstance(_outcome(new, scopes), Planned)


def test_the_top_is_the_place_where_the_module_is_imported_there_anyway() -> None:
    text = textwrap.dedent("""\
    from app.db import engine


    def count():
        from app.db import get_session

        s = get_session()
        try:
            return s.execute("SELECT 1").scalar()
        finally:
            s.close()
    """)
    assert _outcome(text).after.text.startswith(
        "from app.db import engine, reads\n\n\ndef count():\n\n    with reads()"
    )


def test_an_import_inside_the_block_is_refused() -> None:
    text = textwrap.dedent("""\
    def count():
        s = None
        try:
            from app.db import get_session
            s = get_session()
            return s.execute("SELECT 1").scalar()
        except Exception:
            s.rollback()
        finally:
            if s:
                s.close()
    """)
    (site,) = _outcome(text).sites
    assert site.status is Status.REFUSED
    assert isinstance(site.reason, Reason)
    assert "imported inside the block; import it in front" in site.reason.message


def test_a_circle_through_a_late_import_is_none() -> None:
    text = textwrap.dedent("""\
    def count():
        from app.db import get_session

        s = get_session()
        try:
            return s.execute("SELECT 1").scalar()
        finally:
            s.close()
    """)
    files = {"app/__init__.py": "", "app/db.py": f"{DB}\nimport app.jobs\n", "app/models.py": MODELS, PATH: text}
    graph = ImportGraph({path: import_lines(held) for path, held in files.items()})
    index = replace(link(read_facts(Source(path, held)) for path, held in files.items()), imports=graph)
    settings = Settings(scopes=(ScopeChoice("reads", "app.db"),), codemods=("session-scope",), unsafe=True)
    outcome = plan_file(Source(PATH, text), index, settings)
    assert isinstance(outcome, Planned)
    assert outcome.after.text.startswith("def count():\n    from app.db import reads\n")
