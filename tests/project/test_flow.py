"""The flow analysis of a block, told by the effects that a scope would have on it."""

import ast
import textwrap
from dataclasses import replace

import pytest
from ormlift.model import Source
from ormlift.project.flow import Block, Chosen, Knowledge, block_effects
from ormlift.project.flow.sqltext import reads_only
from ormlift.project.flow.values import NoLook
from ormlift.schema import Scope, SessionSource, SourceKind, Tri
from ormlift.syntax import Module

KNOWLEDGE = Knowledge(
    models=frozenset({"Job", "Task"}),
    relationships=frozenset({"tasks", "job"}),
    columns=frozenset({"id", "name", "done", "data"}),
    mutating=frozenset({"finish"}),
)
COMMITS = Scope(
    "scope", "app.db", "app/db.py", 1, commits=Tri.YES, rolls_back=Tri.YES, closes=Tri.YES, swallows=Tri.NO,
    shared=Tri.NO, expire_on_commit=Tri.YES,
)  # fmt: skip
CLOSES = Scope(
    "reads", "app.db", "app/db.py", 1, commits=Tri.NO, rolls_back=Tri.NO, closes=Tri.YES, swallows=Tri.NO,
    shared=Tri.NO, expire_on_commit=Tri.YES,
)  # fmt: skip
WRAPS = Scope(
    "wraps", "app.db", "app/db.py", 1, commits=Tri.YES, rolls_back=Tri.YES, closes=Tri.YES, swallows=Tri.NO,
    shared=Tri.NO, expire_on_commit=Tri.YES, wraps="Trouble", wraps_all=True,
)  # fmt: skip


def effects(code: str, scope: Scope = COMMITS) -> list[tuple[str, int]]:
    """Code and line of each effect; line 1 is the first of `code`, which is the block of session `s`."""
    text = "def work(p):\n" + textwrap.indent(textwrap.dedent(code).strip(), "    ") + "\n"
    module = Module.parse(Source("x.py", text))
    function = module.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    block = Block(module, function, "s", 2, function.end_lineno or 0, tuple(function.body), ())
    source = SessionSource("get", "app.db", "app/db.py", 1, SourceKind.SESSION)
    found = block_effects(block, Chosen("scope()", scope), source, KNOWLEDGE, NoLook())
    return [(effect.code, effect.line - 1) for effect in found]


CLEAN = {
    "reads": "jobs = s.query(Job).filter(Job.done == True).all()\nreturn [j.name for j in jobs]",
    "reads columns": "rows = s.query(Job.id, func.count(Job.id)).all()\nreturn rows",
    "reads a scalar": "return s.query(func.count(Job.id)).scalar()",
    "reads by select": "names = s.execute(select(Job.name)).scalars().all()\nreturn names",
    "reads by text": "sql = 'SELECT id FROM jobs'\nreturn s.execute(text(sql)).fetchall()",
    "commits": "s.add(Job())\ns.commit()",
    "rolls back": "s.add(Job())\ns.rollback()",
    "commits in both branches": "s.add(p)\nif p.done:\n    s.commit()\nelse:\n    s.rollback()",
    "commits in a finally": "try:\n    s.add(p)\nfinally:\n    s.commit()",
    "raises with a change": "s.add(p)\nif p:\n    raise ValueError('no')\ns.commit()",
    "aborts with a change": "s.add(p)\nif p:\n    abort(404)\ns.commit()",
    "a handler that rolls back": "try:\n    s.add(p)\n    s.commit()\nexcept Exception:\n    s.rollback()",
    "a rollback under a test of the session": (
        "try:\n    s.add(p)\n    s.commit()\nexcept Exception:\n    if s is not None:\n        s.rollback()"
    ),
    "a handler that raises": "try:\n    s.add(p)\n    s.commit()\nexcept Exception:\n    raise",
    "a loop that commits each": "for i in p:\n    s.add(i)\n    s.commit()",
    "a container of its own": "found = []\nfor j in s.query(Job):\n    found.append(j.name)\nreturn found",
    "a dict of its own": "d = {}\nfor j in s.query(Job):\n    d[j.id] = {'name': j.name}\nreturn d",
    "what comes from elsewhere is changed": "p.done = s.query(Job).count()\nreturn p",
    "logged and rendered": "j = s.get(Job, 1)\nlogger.info('%s', j)\nreturn render_template('x', job=j)",
    "an instance that is expired already": "j = s.get(Job, 1)\nj.done = True\ns.commit()\nreturn j",
    "an error that is rolled back": "try:\n    s.query(Job).one()\nexcept Exception:\n    s.rollback()\n    return 0",
}
DIRTY = {
    "adds": ("s.add(p)", "commits-uncommitted", 1),
    "sets": ("j = s.get(Job, 1)\nj.done = True", "commits-uncommitted", 2),
    "sets through a relationship": ("for t in s.get(Job, 1).tasks:\n    t.name = 'x'", "commits-uncommitted", 2),
    "sets by setattr": ("j = s.get(Job, 1)\nsetattr(j, p, 1)", "commits-uncommitted", 2),
    "adds to": ("j = s.get(Job, 1)\nj.id += 1", "commits-uncommitted", 2),
    "sets a key of a column": ("j = s.get(Job, 1)\nj.data['a'] = 1", "commits-uncommitted", 2),
    "sets through an attribute": ("p.j = s.get(Job, 1)\np.j.done = True", "commits-uncommitted", 2),
    "sets in a comprehension": ("[setattr(j, 'done', 1) for j in s.query(Job)]", "commits-uncommitted", 1),
    "appends": ("j = s.get(Job, 1)\nj.tasks.append(Task())", "commits-uncommitted", 2),
    "calls what changes": ("s.get(Job, 1).finish()", "commits-uncommitted", 1),
    "updates a query": ("s.query(Job).filter_by(id=1).update({'done': True})", "commits-uncommitted", 1),
    "deletes by statement": ("stmt = delete(Job).where(Job.id == 1)\ns.execute(stmt)", "commits-uncommitted", 2),
    "runs SQL that writes": ("s.execute(text('UPDATE jobs SET done = 1'))", "commits-uncommitted", 1),
    "runs SQL that is made elsewhere": ("s.execute(text(p))", "commits-uncommitted", 1),
    "runs what can't be read": ("s.execute(p)", "may-commit-uncommitted", 1),
    "sets after the commit": ("s.add(p)\ns.commit()\np.name = 'x'", "commits-uncommitted", 3),
    "commits in one branch": ("s.add(p)\nif p.done:\n    s.commit()", "commits-uncommitted", 1),
    "commits perhaps": ("s.add(p)\np.done and s.commit()", "commits-uncommitted", 1),
    "returns before": ("s.add(p)\nif p.done:\n    return 1\ns.commit()", "commits-uncommitted", 1),
    "a loop that may not run": ("s.add(p)\nfor i in p.x:\n    s.commit()", "commits-uncommitted", 1),
    "a change that the next turn commits": (
        "for i in p:\n    s.commit()\n    s.add(i)",
        "commits-uncommitted",
        3,
    ),
    "a handler that goes on": (
        "try:\n    s.add(p)\n    s.commit()\nexcept Exception:\n    log.error('x')",
        "swallowed-error-then-commit",
        4,
    ),
    "suppressed": (
        "with suppress(ValueError):\n    s.add(p)\n    s.commit()",
        "swallowed-error-then-commit",
        1,
    ),
    "passes the session": ("p.work(s)", "may-commit-uncommitted", 1),
    "passes an instance": ("work(s.get(Job, 1))", "may-commit-uncommitted", 1),
    "makes a model of an instance": ("Task(job=s.get(Job, 1))", "may-commit-uncommitted", 1),
    "uses what keeps the session": ("repo = Jobs(s)\nrepo.save()", "may-commit-uncommitted", 1),
    "an own method of the session": ("s.save_all(p)", "may-commit-uncommitted", 1),
}
KEPT = {
    "returned": ("return s.get(Job, 1)", 1),
    "returned in a list": ("return s.query(Job).all()", 1),
    "returned in a dict": ("j = s.get(Job, 1)\nreturn {'job': j, 'n': 1}", 2),
    "returned by a comprehension": ("return [j for j in s.query(Job)]", 1),
    "a relationship": ("return s.get(Job, 1).tasks", 1),
    "refreshed after the commit": ("s.add(p)\ns.commit()\ns.refresh(p)\nreturn p", 4),
    "read after the commit": ("s.add(p)\ns.commit()\nlog.info(p.id)\nreturn p", 4),
    "stored": ("p.job = s.get(Job, 1)", 1),
    "stored in a container of another": ("p.append(s.get(Job, 1))", 1),
}


@pytest.mark.parametrize("code", CLEAN.values(), ids=CLEAN.keys())
def test_clean_blocks_have_no_effect(code: str) -> None:
    assert effects(code) == []


@pytest.mark.parametrize(("code", "effect", "line"), DIRTY.values(), ids=DIRTY.keys())
def test_changes_that_would_be_committed(code: str, effect: str, line: int) -> None:
    assert (effect, line) in effects(code)
    assert effects(code, CLOSES) == []


@pytest.mark.parametrize(("code", "line"), KEPT.values(), ids=KEPT.keys())
def test_instances_that_would_be_expired(code: str, line: int) -> None:
    assert effects(code).count(("expires-instances", line)) == 1
    assert ("expires-instances", line) not in effects(code, CLOSES)


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("return s.query(Job).count()", [1]),
        ("if p:\n    raise KeyError(p)\nreturn 1", [2]),
        ("raise SystemExit(1)", []),
        ("x = 1\nreturn x", []),
        ("try:\n    return s.query(Job).count()\nexcept ValueError:\n    return 0", [2]),
        ("try:\n    return s.query(Job).count()\nexcept Exception:\n    return 0", []),
        ("try:\n    return s.query(Job).count()\nexcept Exception as e:\n    raise KeyError from e", [4]),
        ("try:\n    return s.query(Job).count()\nexcept:\n    raise", [2]),
        ("try:\n    x = 1\nfinally:\n    p.stop()", [4]),
    ],
)
def test_errors_that_leave(code: str, lines: list[int]) -> None:
    assert [line for effect, line in effects(code, WRAPS) if effect == "wraps-errors"] == lines


def test_a_scope_that_commits_after_an_error() -> None:
    code = "s.add(p)\nif p:\n    raise ValueError('no')\ns.commit()"
    assert effects(code) == []
    assert effects(code, replace(COMMITS, commits_on_failure=Tri.YES)) == [("commits-uncommitted", 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", True),
        ("  select * from t", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", False),
        ("PRAGMA table_info(t)", True),
        ("PRAGMA foreign_keys=ON", False),
        ("UPDATE t SET a = 1", False),
        ("", False),
    ],
)
def test_sql_that_only_reads(text: str, expected: bool) -> None:
    assert reads_only(text) is expected
