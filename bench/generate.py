"""A legacy tree to measure on: the same files for the same arguments, on every machine.

Shaped after what large Flask applications look like: some 350 lines a file, most files without a session, and where
there are sessions, a few to a file.
"""

from __future__ import annotations

import random
from pathlib import Path

_SHARE_WITH_SESSIONS = 0.12
_LINES = 350

_CORE = {
    "pyproject.toml": '[tool.ormlift]\nsession-scope = "core.db:session_scope"\n',
    "core/__init__.py": "",
    "core/models.py": '''"""Tables."""
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Item(Base):
    __tablename__ = "items"

    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False)
    state = Column(String(20))
''',
    "core/db.py": '''"""Sessions."""
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///app.db")
SessionLocal = sessionmaker(bind=engine)


class Manager:
    def get_session(self):
        return SessionLocal()


db_manager = Manager()


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
''',
}

_SESSIONS = (
    '''
def count_{n}(state):
    """How many there are."""
    session = db_manager.get_session()
    try:
        found = session.query(Item).filter_by(state=state).count()
        return found + {k}
    finally:
        session.close()
''',
    """
def names_{n}(limit={k}):
    session = db_manager.get_session()
    try:
        # oldest first
        items = session.query(Item).order_by(Item.id).limit(limit).all()
        return [item.name for item in items]
    except Exception as error:
        logger.error("names: %s", error)
        return []
    finally:
        session.close()
""",
    """
def rename_{n}(key, name):
    session = db_manager.get_session()
    try:
        item = session.get(Item, key)
        if item is None:
            return False
        item.name = name[:{k}]
        session.commit()
        return True
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
""",
)

_PLAIN = (
    '''
def total_{n}(rows, factor={k}):
    """Sum of the rows, weighted."""
    result = 0
    for position, row in enumerate(rows):
        if row.get("state") == "open" and position % {k} != 0:
            result += row["amount"] * factor
        elif row.get("state") is None:
            continue
        else:
            result -= row.get("discount", {k})
    return {{"total": result, "label": f"{{factor}}-{{len(rows)}}"}}
''',
    '''
class Step{n}:
    """One step of the pipeline."""

    limit = {k}

    def __init__(self, name, retries=3):
        self.name = name
        self.retries = retries
        self.seen = []

    def run(self, value):
        try:
            self.seen.append(value)
            return [part.strip() for part in str(value).split(",") if part][: self.limit]
        except (TypeError, ValueError) as error:
            logger.warning("%s: %s", self.name, error)
            return []
        finally:
            self.retries -= 1
''',
    """
SETTINGS_{n} = {{
    "title": "Report {n}",
    "columns": ["id", "name", "amount", "state"],
    "limits": {{"low": {k}, "high": {k} * 10}},
    "query": "rows of table {n}",  # shown in the head of the page
}}
""",
)


def write_tree(root: Path, files: int, seed: int = 1) -> None:
    """Write a tree of `files` modules, and the few that they share, under `root`."""
    for path, text in _CORE.items():
        _write(root / path, text)
    chance = random.Random(seed)
    with_sessions = set(chance.sample(range(files), round(files * _SHARE_WITH_SESSIONS)))
    for number in range(files):
        package = root / f"part_{number // 40:03}"
        _write(package / "__init__.py", "")
        _write(package / f"module_{number:05}.py", _module(chance, sessions=number in with_sessions))


def _module(chance: random.Random, *, sessions: bool) -> str:
    head = '"""Generated."""\nimport logging\n'
    if sessions:
        head += "\nfrom core.db import db_manager\nfrom core.models import Item\n"
    parts = [head, "\nlogger = logging.getLogger(__name__)\n"]
    kinds = [chance.choice(_SESSIONS) for _ in range(chance.randint(1, 6))] if sessions else []
    length = 0
    while length < _LINES:
        kinds.append(chance.choice(_PLAIN))
        length = sum(kind.count("\n") + 1 for kind in kinds)
    chance.shuffle(kinds)
    parts += ["\n" + kind.format(n=number, k=chance.randint(2, 99)) for number, kind in enumerate(kinds)]
    return "".join(parts)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
