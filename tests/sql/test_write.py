"""What is refused, which effects are named, and how the text reads."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from ormlift.model import ImportNeed, Reason, Verdict
from ormlift.schema import MappedClass
from ormlift.sql.prove import prove
from ormlift.sql.statement import EFFECTS, REASONS, Argument, Fetch, Written
from ormlift.sql.write import write
from sqlalchemy.exc import StatementError

from .world import MODELS, Job, evaluate, parsed, raw, request, written


@pytest.mark.parametrize(
    ("sql", "code", "names"),  # `names`: what the message must speak of
    [
        ("SELECT a FROM nowhere", "table-not-mapped", "nowhere"),
        ("SELECT missing FROM jobs", "column-not-mapped", "missing"),
        ("SELECT rowid FROM jobs", "column-not-mapped", "rowid"),
        ("UPDATE jobs SET missing = 1", "column-not-mapped", "missing"),
        ("INSERT INTO jobs (missing) VALUES (1)", "column-not-mapped", "missing"),
        ("SELECT x.id FROM jobs j", "column-not-mapped", "id"),
        ("SELECT id FROM jobs j JOIN users u ON u.id = j.owner_id", "sql-not-parsed", "ambiguous"),
        ("SELECT j.n FROM jobs j NATURAL JOIN users", "sql-not-supported", "NATURAL"),
        (
            "SELECT id FROM jobs UNION SELECT id FROM users UNION ALL SELECT id FROM events",
            "sql-not-supported",
            "Several",
        ),
        ("SELECT id FROM jobs UNION SELECT id FROM users ORDER BY id + 1", "sql-not-supported", "ORDER BY"),
        ("SELECT day FROM jobs UNION SELECT name FROM jobs", "sql-not-supported", "types"),
        ("SELECT (SELECT id, n FROM jobs) FROM users", "sql-not-supported", "several columns"),
        ("SELECT * FROM (SELECT COUNT(*) FROM jobs) x", "sql-not-supported", "without a name"),
        ("SELECT sum(n) OVER v FROM jobs WINDOW w AS (ORDER BY id)", "sql-not-supported", "window"),
        (
            "SELECT j.id FROM jobs j RIGHT JOIN users u ON u.id = j.n JOIN tags t ON t.job_id = j.id",
            "sql-not-supported",
            "RIGHT",
        ),
        (
            "INSERT INTO users (email) VALUES ('a') ON CONFLICT (email) WHERE active DO NOTHING",
            "sql-not-supported",
            "predicate",
        ),
        ("SELECT id FROM jobs WHERE (id, n) = (1, 2)", "sql-not-supported", "row"),
        ("SELECT data -> '$.a' FROM jobs", "sql-not-supported", "JSON"),
        ("SELECT id FROM jobs WHERE name = 'a' COLLATE NOCASE", "sql-not-supported", "COLLATE"),
        ("SELECT id FROM jobs WHERE COUNT(*) > 1", "sql-not-supported", "aggregate"),
        ("SELECT CAST(n AS DATE) FROM jobs", "sql-not-supported", "CAST"),
        ("SELECT lower(name) AS name FROM jobs GROUP BY name", "sql-not-supported", "alias"),
        ("SELECT * FROM jobs ORDER BY 2", "sql-not-supported", "number"),
        ("SELECT id FROM jobs ORDER BY 7", "sql-not-parsed", "7"),
        ("SELECT id FROM jobs LIMIT 1 + 1", "sql-not-supported", "LIMIT"),
        ("INSERT INTO users VALUES (1, 'a', 'b', 1)", "sql-not-supported", "columns"),
        ("INSERT INTO users (email) VALUES ('a', 'b')", "sql-not-parsed", "values"),
        ("INSERT INTO users (email, email) VALUES ('a', 'b')", "sql-not-supported", "twice"),
        ("UPDATE jobs SET (n, m) = (1, 2)", "sql-not-supported", "row"),
    ],
)
def test_refusals(sql: str, code: str, names: str) -> None:
    reason = written(sql, fetch=Fetch.ALL if sql.startswith("SELECT") else Fetch.NONE)
    assert isinstance(reason, Reason), reason
    assert reason.code == code
    assert names in reason.message
    assert reason.code in REASONS


@pytest.mark.parametrize(
    ("sql", "fetch"),
    [
        ("SELECT id FROM jobs", Fetch.ROWCOUNT),
        ("DELETE FROM jobs", Fetch.ALL),
        ("DELETE FROM jobs", Fetch.LASTROWID),
    ],
)
def test_a_fetch_that_the_statement_has_not(sql: str, fetch: Fetch) -> None:
    assert isinstance(written(sql, fetch=fetch), Reason)


def test_the_number_of_parameters_must_fit() -> None:
    statement = parsed("SELECT id FROM jobs WHERE id = ?")
    reason = write(statement, replace(request(statement), arguments=()))
    assert isinstance(reason, Reason)
    assert reason.code == "arguments-mismatch"


def test_mysql_sets_columns_one_after_the_other() -> None:
    sql = "UPDATE jobs SET n = n + 1, m = n WHERE id = %s"
    assert isinstance(written(sql, "format", "mysql", fetch=Fetch.NONE), Reason)
    assert isinstance(written(sql, "format", "postgresql", fetch=Fetch.NONE), Written)


# Effects


def codes(made: Any) -> set[str]:
    assert isinstance(made, Written), made
    assert all(effect.code in EFFECTS for effect in made.effects)
    return {effect.code for effect in made.effects}


def test_python_defaults_fire_on_insert() -> None:
    """SEMANTICS 15: the naive rewrite stores the default; raw SQL stored NULL."""
    sql = "INSERT INTO events (user_id) VALUES (7)"
    made = written(sql, fetch=Fetch.NONE)
    assert codes(made) == {"python-default"}
    old, new = raw(sql, (), Fetch.NONE), evaluate(made, {}, Fetch.NONE)
    assert (old.tables["events"][-1][1], new.tables["events"][-1][1]) == (None, "plain")
    assert codes(written("INSERT INTO events (kind, touched) VALUES ('a', 1)", fetch=Fetch.NONE)) == set()


def test_onupdate_fires_on_update() -> None:
    """SEMANTICS 16."""
    sql = "UPDATE events SET kind = 'z' WHERE id = 1"
    for style in ("select", "query"):
        made = written(sql, fetch=Fetch.NONE, style=style)
        assert codes(made) == {"onupdate"}
        assert raw(sql, (), Fetch.NONE).tables["events"][0][2] == 0
        assert evaluate(made, {}, Fetch.NONE).tables["events"][0][2] == 99
    assert codes(written("UPDATE events SET touched = 1", fetch=Fetch.NONE)) == set()


def test_star_of_a_model_that_is_not_known_in_full() -> None:
    partial = {"users": replace(MODELS["users"], complete=False)}
    assert codes(written("SELECT * FROM users", models=partial)) == {"star-columns"}
    assert codes(written("SELECT id FROM users", models=partial)) == set()
    assert codes(written("SELECT * FROM users")) == set()


def test_inheritance_and_hooks() -> None:
    odd: MappedClass = replace(MODELS["users"], inherits_mapped=True, hooks=("before_update listener",))
    assert codes(written("SELECT id FROM users", models={"users": odd})) == {"inherits-mapped", "orm-hooks"}
    validated = replace(MODELS["users"], hooks=("validates email",))
    assert codes(written("UPDATE users SET nick = 'x'", models={"users": validated}, fetch=Fetch.NONE)) == set()


def test_timestamps_of_python() -> None:
    """SEMANTICS 4: another format than CURRENT_TIMESTAMP's."""
    sql = "UPDATE jobs SET created_at = CURRENT_TIMESTAMP WHERE id = 1"
    assert "func.current_timestamp()" in written(sql, fetch=Fetch.NONE).text
    made = written(sql, fetch=Fetch.NONE, timestamps="now-utc")
    assert "datetime.now(timezone.utc)" in made.text
    assert {ImportNeed("datetime", "datetime"), ImportNeed("datetime", "timezone")} <= set(made.imports)
    assert codes(made) == {"timestamp-format"}
    assert "datetime.utcnow()" in written(sql, fetch=Fetch.NONE, timestamps="utcnow").text


def test_a_str_for_a_datetime_is_kept_as_it_was() -> None:
    """SEMANTICS 3: bound plainly it raises."""
    sql = "UPDATE jobs SET created_at = ? WHERE id = 1"
    statement = parsed(sql)
    ask = request(statement, arguments=(Argument("stamp.isoformat()"),), fetch=Fetch.NONE)
    made = write(statement, ask)
    assert codes(made) == set()
    assert isinstance(made, Written)
    assert "literal(stamp.isoformat())" in made.text
    naive = replace(made, text="session.execute(update(Job).values(created_at='2024-01-01'))")
    with pytest.raises(StatementError):
        evaluate(naive, {}, Fetch.NONE)


def test_naive_null_comparison_differs() -> None:
    """SEMANTICS 1: the naive text matches rows that the raw SQL did not."""
    sql = "SELECT id FROM jobs WHERE name = ?"
    made = written(sql)
    naive = replace(made, text=made.text.replace("literal(p0)", "p0"))
    assert raw(sql, (None,), Fetch.ALL).result == []
    assert evaluate(made, {"p0": None}, Fetch.ALL).result == []
    assert evaluate(naive, {"p0": None}, Fetch.ALL).result == [(3,)]


def test_json_dumps_is_left_to_the_column() -> None:
    statement = parsed("UPDATE jobs SET data = ? WHERE id = ?")
    ask = request(statement, arguments=(Argument("json.dumps(value)"), Argument("1")), fetch=Fetch.NONE)
    made = write(statement, ask)
    assert isinstance(made, Written)
    assert "values(data=value)" in made.text
    assert prove(statement, made, ask).verdict is Verdict.PROVEN
    new = evaluate(made, {"value": {"é": [1, None]}}, Fetch.NONE)
    assert new.tables["jobs"][0][10] == '{"\\u00e9": [1, null]}'


# The certificate


def test_a_wrong_text_is_never_proven() -> None:
    statement = parsed("SELECT id FROM jobs WHERE n > ? ORDER BY id")
    ask = request(statement)
    made = write(statement, ask)
    assert isinstance(made, Written)
    assert prove(statement, made, ask).verdict is Verdict.PROVEN
    for old, new in ((">", ">="), ("Job.n", "Job.m"), ("Job.id)", "Job.id.desc())"), ("literal(p0)", "p0")):
        wrong = replace(made, text=made.text.replace(old, new))
        assert wrong.text != made.text
        assert prove(statement, wrong, ask).verdict is Verdict.UNKNOWN


def test_different_shows_the_counterexample() -> None:
    from ormlift.sql.prove import Stage
    from ormlift.sql.trial import trial

    statement = parsed("SELECT id FROM jobs WHERE n >= ? ORDER BY id")
    ask = request(statement)
    made = write(statement, ask)
    assert isinstance(made, Written)
    stage = Stage.build(statement, ask, made)
    assert isinstance(stage, Stage)
    assert trial(stage)[0] is Verdict.TESTED
    wrong = replace(stage, written=replace(stage.written, text=stage.written.text.replace(">=", ">")))
    verdict, notes = trial(wrong)
    assert verdict is Verdict.DIFFERENT
    assert "seed" in notes[0]


# The text


def test_text_is_wrapped_to_the_line_length() -> None:
    sql = "SELECT id, name, n, m FROM jobs WHERE name = ? AND n > ? AND active = 1 ORDER BY created_at DESC LIMIT 10"
    made = written(sql, line_length=60, indent=7, fetch=Fetch.ALL)
    assert made.text == (
        "session.execute(\n"
        "    select(Job.id, Job.name, Job.n, Job.m)\n"
        "    .where(\n"
        "        Job.name == literal(p0),\n"
        "        Job.n > literal(p1),\n"
        "        Job.active.is_(True),\n"
        "    )\n"
        "    .order_by(Job.created_at.desc())\n"
        "    .limit(10)\n"
        ").all()"
    )
    assert max(map(len, written(sql, line_length=60, style="query", base_indent=8).text.split("\n"))) <= 60


@pytest.mark.parametrize(
    ("sql", "fetch", "select", "query"),
    [
        ("SELECT id FROM users", Fetch.FIRST, "session.execute(select(User.id)).first()",
         "session.query(User.id).first()"),
        ("SELECT id FROM users", Fetch.ITERATE, "session.execute(select(User.id))", "session.query(User.id)"),
        ("SELECT COUNT(*) FROM users", Fetch.SCALAR, "session.scalar(select(func.count()).select_from(User))",
         "session.query(func.count()).select_from(User).scalar()"),
        ("SELECT id FROM users", Fetch.SCALAR, "session.scalar(select(User.id))", "session.scalar(select(User.id))"),
        ("SELECT id FROM users LIMIT 1", Fetch.FIRST, "session.execute(select(User.id).limit(1)).first()",
         "session.query(User.id).first()"),
        ("SELECT id FROM users LIMIT 0", Fetch.FIRST, "session.execute(select(User.id).limit(0)).first()",
         "session.execute(select(User.id).limit(0)).first()"),
        ("DELETE FROM users WHERE id = ?", Fetch.ROWCOUNT,
         "session.execute(delete(User).where(User.id == p0)).rowcount",
         "session.query(User).filter(User.id == p0).delete(synchronize_session=False)"),
    ],
)  # fmt: skip
def test_styles(sql: str, fetch: Fetch, select: str, query: str) -> None:
    assert written(sql, fetch=fetch).text == select
    assert written(sql, fetch=fetch, style="query").text == query


def test_names_as_the_file_says_them() -> None:
    names = {"app.models.User": "models.User", "sqlalchemy.select": "sa.select"}
    statement = parsed("SELECT id FROM users WHERE nick IS NULL")
    ask = request(statement, names=names, session="self.db.session")
    made = write(statement, ask)
    assert isinstance(made, Written)
    assert made.text == "self.db.session.execute(sa.select(models.User.id).where(models.User.nick.is_(None))).all()"
    assert made.imports == ()
    assert prove(statement, made, ask).verdict is Verdict.PROVEN


def test_an_argument_that_binds_loosely_gets_parentheses() -> None:
    statement = parsed("SELECT id FROM jobs WHERE id = ?")
    ask = request(statement, arguments=(Argument("a or b"),))
    made = write(statement, ask)
    assert isinstance(made, Written)
    assert "Job.id == (a or b)" in made.text
    assert prove(statement, made, ask).verdict is Verdict.PROVEN


def test_result_columns_and_slot_order() -> None:
    made = written('SELECT id, class, COUNT(*), "n" AS total, created_at FROM jobs GROUP BY 1')
    labels = [(column.label, column.attr, column.changes_type) for column in made.columns]
    assert labels == [
        ("id", "id", False),
        ("class", "cls", False),
        ("COUNT(*)", "", False),
        ("total", "total", False),
        ("created_at", "created_at", True),
    ]
    assert written("UPDATE jobs SET n = ? WHERE id = ?", fetch=Fetch.NONE).slot_order == (1, 0)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, name FROM jobs WHERE name = %s AND n > %s AND active = TRUE ORDER BY n DESC LIMIT 3 OFFSET %s",
        "SELECT name, COUNT(*) AS c FROM jobs GROUP BY name HAVING COUNT(*) > %s ORDER BY c DESC",
        "SELECT id FROM jobs WHERE name LIKE '%%a' AND created_at >= %s AND n %% 2 = 1",
        "UPDATE jobs SET n = n + 1, class = %s, created_at = NOW() WHERE id = %s",
        "INSERT INTO jobs (name, created_at) VALUES (%s, CURRENT_TIMESTAMP)",
        "DELETE FROM jobs WHERE state IN ('new', %s) AND day IS NOT NULL",
        "SELECT j.id, u.email FROM jobs j LEFT JOIN users u ON u.id = j.owner_id WHERE u.email IS NULL",
        "SELECT n / 2, n + m * 2 FROM jobs",
    ],
)
def test_other_dialects_are_proven_on_their_trees(sql: str, dialect: str) -> None:
    statement = parsed(sql, "format", dialect)
    fetch = Fetch.ALL if sql.startswith("SELECT") else Fetch.ROWCOUNT
    for style in ("select", "query"):
        ask = request(statement, fetch=fetch, style=style)
        made = write(statement, ask)
        assert isinstance(made, Written), made
        assert prove(statement, made, ask).verdict is Verdict.PROVEN, prove(statement, made, ask)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_not_null_stays_not_null(dialect: str) -> None:
    for sql in ("SELECT id FROM jobs WHERE day IS NOT NULL", "SELECT id FROM jobs WHERE NOT day IS NULL"):
        assert "Job.day.is_not(None)" in written(sql, "qmark", dialect).text
    other = parsed("SELECT id FROM jobs WHERE day IS NULL", "qmark", dialect)
    made = written("SELECT id FROM jobs WHERE day IS NOT NULL", "qmark", dialect)
    assert prove(other, made, request(other)).verdict is not Verdict.PROVEN


def test_result_types_differ_by_driver() -> None:
    changed = {
        dialect: [c.label for c in written("SELECT * FROM jobs", "qmark", dialect).columns if c.changes_type]
        for dialect in ("sqlite", "postgresql", "mysql")
    }
    assert changed["sqlite"] == ["price", "active", "created_at", "day", "data"]
    assert changed["postgresql"] == ["blob"]
    assert changed["mysql"] == ["active", "data"]


def test_the_world_itself() -> None:
    assert sqlite3.sqlite_version_info >= (3, 30)
    assert Job.__table__.columns.keys()[0] == "id"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT j.id, u.id FROM jobs j RIGHT JOIN users u ON u.id = j.owner_id", True),
        ("SELECT u.id, j.name FROM jobs j CROSS JOIN users u", True),
        ("SELECT j.id, u.id FROM jobs j RIGHT JOIN users u ON u.id = j.owner_id ORDER BY u.id, j.id", False),
        ("SELECT COUNT(*) FROM jobs j CROSS JOIN users u", False),
        ("SELECT j.id, u.id FROM jobs j LEFT JOIN users u ON u.id = j.owner_id", False),
    ],
)
def test_rows_that_may_come_in_another_order_are_told(sql: str, told: bool) -> None:
    made = written(sql)
    assert isinstance(made, Written)
    assert ("row-order" in {effect.code for effect in made.effects}) is told
