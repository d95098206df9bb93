"""Examples of `session-config`: what is told, and what is not."""

from __future__ import annotations

from ormlift.rules.base import Example

_SETTINGS = """\
class Settings:
    DATABASE_URL: str = "postgresql://localhost/app"
"""


def _found(title: str, fault: str, before: str, project: dict[str, str] | None = None) -> Example:
    return Example(title, before, reason="shown-only", fault=fault, project=project or {})


_DB = """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(bind=create_engine("sqlite://"))
"""
_STORE = """\
from app.jobs import SessionLocal
from app.models import Job


def store(name):
    with SessionLocal() as session:
        job = Job(name=name)
        session.add(job)
        session.commit()
        return job
"""

EXAMPLES = (
    _found("what functions return has been expired", "returned-expired", _DB, {"app/store.py": _STORE}),
    Example(
        "what functions return is kept",
        _DB.replace('//")', '//"), expire_on_commit=False'),
        project={"app/store.py": _STORE},
    ),
    Example(
        "what functions return is a value", _DB, project={"app/store.py": _STORE.replace("return job", "return job.id")}
    ),
    _found(
        "an engine of a server database without pool_pre_ping",
        "no-pre-ping",
        """\
from sqlalchemy import create_engine

engine = create_engine("postgresql://localhost/app", pool_size=10)
""",
    ),
    _found(
        "its URL stands in the settings",
        "no-pre-ping",
        """\
from sqlalchemy import create_engine

from app.config import settings

engine = create_engine(settings.DATABASE_URL)
""",
        {"app/config.py": _SETTINGS},
    ),
    _found(
        "one connection for all threads",
        "static-pool",
        """\
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

engine = create_engine("sqlite:///app.db", poolclass=StaticPool, connect_args={"check_same_thread": False})
""",
    ),
    _found(
        "threads are let at one connection",
        "check-same-thread",
        """\
from sqlalchemy import create_engine

engine = create_engine("sqlite:///app.db", connect_args={"check_same_thread": False})
""",
    ),
    _found(
        "the mode that SQLAlchemy 2.0 has no more",
        "autocommit-mode",
        """\
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(autocommit=True, autoflush=False)
""",
    ),
    _found(
        "async instances that expire",
        "async-expires",
        """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///app.db")
AsyncSessionLocal = async_sessionmaker(engine)
""",
    ),
    Example(
        "settings as they should be",
        """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("postgresql://localhost/app", pool_pre_ping=True)
SessionLocal = sessionmaker(bind=engine, autocommit=False)
""",
    ),
    Example(
        "a database in memory",
        """\
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

engine = create_engine("sqlite:///:memory:", poolclass=StaticPool)
""",
    ),
    Example(
        "a URL of which nothing is known",
        """\
import os

from sqlalchemy import create_engine

engine = create_engine(os.environ["DATABASE_URL"])
""",
    ),
    Example(
        "an engine that ends with its function",
        """\
from sqlalchemy import create_engine, text


def ping():
    engine = create_engine("postgresql://localhost/app")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
""",
    ),
    Example(
        "options that come from elsewhere",
        """\
from sqlalchemy import create_engine

from app.config import OPTIONS

engine = create_engine("postgresql://localhost/app", **OPTIONS)
""",
    ),
    Example(
        "the path for SQLite, and the one for a server",
        """\
from sqlalchemy import create_engine

from app.config import settings

if settings.DATABASE_URL.startswith("sqlite"):
    engine = create_engine(settings.DATABASE_URL)
else:
    engine = create_engine(settings.DATABASE_URL, pool_pre_ping=True)
""",
        project={"app/config.py": _SETTINGS},
    ),
    Example(
        "a script that runs and ends",
        """\
from sqlalchemy import create_engine, text

engine = create_engine("postgresql://localhost/app")
with engine.connect() as connection:
    connection.execute(text("SELECT 1"))
""",
    ),
)
