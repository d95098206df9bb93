"""`ormlift audit`: what it counts adds up, in each form; and the forms for other programs are what they read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ormlift_cli.auditing import Audit, FileRow
from ormlift_cli.render import audit as rendered

from tests.cli.world import World, environment

APP = {
    "app/__init__.py": "",
    "app/db.py": """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine("postgresql://localhost/app")
SessionLocal = sessionmaker(bind=engine)
db_session = scoped_session(SessionLocal)


@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
""",
    "app/models.py": """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
    school = relationship("School")
""",
    "app/routes/jobs.py": """\
from app.db import db_session


class View:
    def approve(self, job_id):
        conn = db_session()
        cursor = conn.cursor()
        cursor.execute("UPDATE jobs SET name = 'a' WHERE id = ?", (job_id,))
        conn.commit()


def count(cursor):
    cursor.execute("SELECT count(*) FROM audit_log")
    return cursor.fetchone()[0]
""",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "project")
    for path, text in APP.items():
        made.put(path, text)
    made.commit()
    return made


def ormlift(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ormlift_cli", *arguments, "--jobs", "1"]
    return subprocess.run(command, cwd=world.root, env=environment(), capture_output=True, text=True, timeout=120)


def test_json_adds_up(world: World) -> None:
    report = json.loads(ormlift(world, "audit", "--output-format", "json").stdout)
    stock = report["audit"]
    listed = sum(sum(counts.values()) for counts in stock["inventory"].values())
    by_folder = sum(sum(folder["codemods"].values()) for folder in stock["directories"])
    by_function = sum(f["sites"] for row in stock["priorities"] for f in row["functions"])
    assert by_folder == by_function == report["summary"]["sites"] - listed
    assert sum(p["sites"] for p in stock["phases"]) == by_folder
    assert listed == 4
    assert [(f["severity"], f["path"], f["line"], f["code"]) for f in stock["faults"]] == [
        ("critical", "app/models.py", 12, "unknown-class"),
        ("critical", "app/routes/jobs.py", 7, "cursor-on-session"),
        ("medium", "app/db.py", 6, "no-pre-ping"),
    ]
    assert stock["unmapped_tables"] == [{"table": "audit_log", "statements": 1, "first": "app/routes/jobs.py:13"}]
    assert stock["scopes"] == [
        {"name": "session_scope", "at": "app/db.py:12", "does": "commits, rolls back on errors, closes"}
    ]
    functions = {f["name"]: f["line"] for row in stock["priorities"] for f in row["functions"]}
    assert functions["View.approve"] == 5
    assert functions["count"] == 12


def test_markdown_is_one_document_of_tables(world: World) -> None:
    done = ormlift(world, "audit", "--markdown")
    assert done.returncode == 0
    text = done.stdout
    assert text.startswith("# ormlift audit\n")
    assert "| critical | app/routes/jobs.py:7 | cursor-on-session |" in text
    for head in re.findall(r"^\|[^\n]*\n\|-[^\n]*\n(?:\|[^\n]*\n)+", text, re.M):
        widths = {line.replace("\\|", "").count("|") for line in head.splitlines()}
        assert len(widths) == 1
    assert "\n\n\n" not in text


def test_text_names_what_a_reader_looks_for(world: World) -> None:
    text = ormlift(world, "audit").stdout
    for words in ("Sites by directory", "View.approve", "audit_log", "session_scope", "Proposed phases", "web routes"):
        assert words in text


@pytest.mark.parametrize("command", ["audit", "diff"])
def test_sarif_is_a_log_of_version_2_1_0(world: World, command: str) -> None:
    log = json.loads(ormlift(world, command, "--output-format", "sarif").stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    levels = {"none", "note", "warning", "error"}
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in levels
        assert result["message"]["text"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert 1 <= region["startLine"] <= region["endLine"]
        assert (world.root / location["physicalLocation"]["artifactLocation"]["uri"]).is_file()
    faults = {r["properties"].get("fault") for r in run["results"] if r["level"] == "error"}
    assert {"unknown-class", "cursor-on-session"} <= faults


def test_github_lines_are_workflow_commands(world: World) -> None:
    lines = ormlift(world, "diff", "--output-format", "github").stdout.splitlines()
    assert lines
    shape = re.compile(r"::(error|warning|notice) file=[^,:]+,line=\d+,endLine=\d+,title=[^,:]+::.+")
    assert all(shape.fullmatch(line) for line in lines)
    assert any(line.startswith("::error file=app/models.py,line=12,endLine=12,") for line in lines)


@pytest.mark.parametrize(
    ("driver", "config", "status"),
    [
        ("import psycopg2\n", "", "rewritten"),
        ("", "", "refused"),
        ("import psycopg2\n", "dialect = 'sqlite'\n", "refused"),
    ],
)
def test_the_dialect_that_nobody_says_is_the_likely_one(world: World, driver: str, config: str, status: str) -> None:
    world.put(
        "app/db.py",
        "import os\n" + driver + APP["app/db.py"].replace('"postgresql://localhost/app"', "os.environ['U']"),
    )
    world.put(
        "app/routes/jobs.py",
        "from app.db import SessionLocal\nfrom sqlalchemy import text\n\n\ndef cast(number):\n"
        "    with SessionLocal() as session:\n"
        '        return session.execute(text("SELECT id FROM jobs WHERE name ~ :n"), {"n": "a"}).all()\n',
    )
    if config:
        world.put("ormlift.toml", config)
    world.commit()
    report = json.loads(
        ormlift(world, "diff", "--codemod", "text-to-orm", "--unsafe", "--output-format", "json").stdout
    )
    assert [s["status"] for f in report["files"] for s in f["sites"]] == [status]


def test_many_codemods_share_a_column_so_that_paths_stand_whole() -> None:
    path = "backend/application/services/notifications/scheduled_delivery_service.py"
    counts = {f"codemod-number-{n}": n for n in range(1, 9)}
    stock = Audit(list(counts), [FileRow(path, "high", counts, ())], [], [], [], [], [], [])
    told = rendered.text(stock, 1, color=False, width=120)
    assert path in told
    assert "1 codemod-number-1" in told
    few = Audit(["a", "b"], [FileRow(path, "high", {"b": 2}, ())], [], [], [], [], [], [])
    assert next(t for t in rendered.tables(few, limit=9) if t.title == "Sites by file").head == (
        "file",
        "priority",
        "a",
        "b",
        "sites",
    )
