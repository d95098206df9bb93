"""Run by an interpreter of its own, which may find SQLAlchemy 1.4: programs with listeners on a database, one by one.

Each program is loaded in a process of its own, on tables that are made anew, and its `go()` is called.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

from sqlalchemy import text

TABLES = ("users", "posts", "totals")


def shown(value: object) -> str:
    """A value with the types inside it; any row is a tuple, any mapping a dict."""
    if isinstance(value, (tuple, list)) or hasattr(value, "_fields"):
        return f"{'[' if isinstance(value, list) else '('}{', '.join(shown(v) for v in value)}]"  # type: ignore[attr-defined]
    if hasattr(value, "items"):
        return "{" + ", ".join(f"{k!s}: {shown(v)}" for k, v in value.items()) + "}"
    return f"{type(value).__name__} {value!r}"


def ran(job: dict[str, Any]) -> list[str]:
    """What `go()` gave or raised, and what the tables hold then."""
    warnings.simplefilter("ignore")
    for path, source in job["files"].items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(source)
    sys.path.insert(0, ".")
    base, db = importlib.import_module("app.models").Base, importlib.import_module("app.db")
    base.metadata.drop_all(db.engine)
    base.metadata.create_all(db.engine)
    with db.engine.begin() as connection:
        for statement in job["seeds"]:
            connection.execute(text(statement))
    try:
        given = shown(importlib.import_module("app.work").go())
    except Exception as error:
        given = f"{type(error).__name__}"
        if os.environ.get("LISTENER_RUNS_TELL"):
            traceback.print_exc()
    db.close_all_sessions()
    gc.collect()  # what an error left open
    held = []
    with db.engine.connect() as connection:
        for table in TABLES:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id").fetchall()
            held.append(shown([tuple(row) for row in rows]))
    base.metadata.drop_all(db.engine)
    return [given, *held]


def apart(job: dict[str, Any]) -> list[str]:
    """The same in a process and a directory of its own, so that no listener is left behind."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with tempfile.TemporaryDirectory() as place:
            os.chdir(place)
            try:
                found = ran(job)
            except BaseException:
                found = [traceback.format_exc()]
            os.chdir("/")
        os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        found = json.load(said)
    os.waitpid(child, 0)
    return list(found)


if __name__ == "__main__":
    json.dump([apart(job) for job in json.load(sys.stdin)], sys.stdout)
