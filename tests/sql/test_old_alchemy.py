"""What is written for SQLAlchemy 1.4 is executed on 1.4, and gives what the newest gives; see `old_alchemy`."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Reason
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Kind, Request, Statement, Written
from ormlift.sql.versions import SINCE, lacks
from ormlift.sql.write import write

from .statements import CASES, Case
from .test_statements import fetches, named
from .world import MODELS, evaluate, parsed, request, said

VARIABLE = "ORMLIFT_TEST_SQLALCHEMY_1_4"
ROOT = Path(__file__).parents[2]
Made = tuple[str, Written, dict[str, Any], Fetch]


def _made(case: Case) -> list[Made]:
    """The texts for 1.4 of one statement, in both styles, for each way to fetch, and with a column kept as it was."""
    statement = parsed(case.sql)
    ways = [(fetch, frozenset[int]()) for fetch in fetches(statement)]
    ways += [(Fetch.ALL, frozenset({0}))] if statement.kind is Kind.SELECT and "*" not in case.sql else []
    found = []
    for style, (fetch, kept) in itertools.product(("select", "query"), ways):
        written = write(statement, request(statement, style=style, fetch=fetch, sqlalchemy="1.4", kept=kept))
        if isinstance(written, Written):
            found.append((f"{style}, {fetch.value}", written, named(case, statement), fetch))
        else:
            assert kept or written.code == "sqlalchemy-version", written
    return found


@cache
def _on_1_4() -> dict[str, list[str]]:
    """What all of them gave on 1.4, in one process."""
    jobs = [(case, made) for case in CASES for made in _made(case)]
    sent = [
        {
            "text": written.text,
            "above": written.above,
            "imports": [(need.module, need.name) for need in written.imports],
            "names": names,
            "fetch": fetch.value,
        }
        for _, (_, written, names, fetch) in jobs
    ]
    paths = [os.environ[VARIABLE], str(ROOT), str(ROOT / "codemods")]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("old_alchemy.py"))],
        input=json.dumps(sent, default=lambda value: base64.b64encode(value).decode()),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = {}
    for (case, _), result in zip(jobs, json.loads(done.stdout), strict=True):
        found.setdefault(_key(case), []).append(result)
    return found


def _key(case: Case) -> str:
    return f"{case.sql} {case.params!r}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_the_same_on_1_4(case: Case) -> None:
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no directory that `pip install --target .. 'sqlalchemy<2'` filled")
    made = _made(case)
    if any(isinstance(value, bytes) for _, _, names, _ in made for value in names.values()):
        pytest.skip("bytes are not sent to the other process")
    for (how, written, names, fetch), old in zip(made, _on_1_4().get(_key(case), []), strict=True):
        assert old == said(evaluate(written, names, fetch)), (how, written.text)


FEATURES = {
    "any of a list, negated": ("SELECT id FROM jobs WHERE NOT id = ANY(?)", "postgresql", "2.0"),
    "RETURNING on SQLite": ("DELETE FROM jobs WHERE id = 1 RETURNING id", "sqlite", "2.0"),
    "UPDATE .. FROM on SQLite": ("UPDATE jobs SET n = u.id FROM users u WHERE u.id = jobs.owner_id", "sqlite", "2.0"),
    "a double": ("SELECT CAST(n AS DOUBLE PRECISION) FROM jobs", "postgresql", "2.0"),
    "a UUID": ("SELECT id FROM jobs WHERE name = CAST(? AS UUID)::text", "postgresql", "2.0"),
    "a list of values": ("SELECT j.id FROM UNNEST(?) AS t(x) JOIN jobs j ON j.id = t.x", "postgresql", "1.4"),
    "WITH before a change": (
        "WITH a AS (SELECT id FROM users) DELETE FROM jobs WHERE owner_id IN (SELECT id FROM a)",
        "sqlite",
        "1.4",
    ),
    "a regular expression": ("SELECT id FROM jobs WHERE name ~ ?", "postgresql", "1.4"),
    "a SELECT of columns": ("SELECT id FROM jobs", "sqlite", "1.4"),
}


@pytest.mark.parametrize("name", FEATURES)
def test_what_came_with_a_version_is_refused_before_it(name: str) -> None:
    sql, dialect, since = FEATURES[name]
    statement = read(sql, "qmark", dialect)
    assert isinstance(statement, Statement), statement
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    fetch = Fetch.ALL if statement.gives_rows else Fetch.NONE
    for version in ("1.3", "1.4", "2.0", "2.1"):
        made = write(
            statement, Request(models=MODELS, arguments=arguments, variables=True, fetch=fetch, sqlalchemy=version)
        )
        if tuple(map(int, version.split("."))) < tuple(map(int, since.split("."))):
            assert isinstance(made, Reason), (version, made)
            assert made.code == "sqlalchemy-version"
        else:
            assert isinstance(made, Written), (version, made)


def test_names_are_known_by_their_version() -> None:
    assert SINCE["UUID"] == "2.0"
    assert lacks("1.4", "Double")
    assert not lacks("2.0", "Double")
    assert not lacks("", "Double")
