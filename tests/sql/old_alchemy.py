"""Run by an interpreter that finds SQLAlchemy 1.4: runs texts from standard input on the suite's models."""

import json
import sys
import warnings
from typing import Any


def shim() -> None:
    """What the models are written with, as 1.4 says it."""
    import sqlalchemy
    from sqlalchemy import orm

    assert sqlalchemy.__version__.startswith("1.4."), sqlalchemy.__version__

    class DeclarativeBase:
        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            if DeclarativeBase in cls.__bases__:
                cls.registry = orm.registry()
                cls.metadata = cls.registry.metadata
            else:
                cls.registry.map_declaratively(cls)

    orm.DeclarativeBase = DeclarativeBase
    orm.mapped_column = sqlalchemy.Column


def ran(job: dict[str, Any]) -> str:
    """The result, the names of its columns and the tables; or the error."""
    from ormlift.model import ImportNeed
    from ormlift.sql.statement import Fetch, Written

    from tests.sql.world import evaluate, said

    imports = tuple(ImportNeed(module, name) for module, name in job["imports"])
    written = Written(job["text"], imports, above=tuple(job["above"]))
    try:
        return said(evaluate(written, job["names"], Fetch(job["fetch"])))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    shim()
    warnings.simplefilter("ignore")
    json.dump([ran(job) for job in json.load(sys.stdin)], sys.stdout)
