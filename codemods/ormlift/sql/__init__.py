"""Reading SQL, writing SQLAlchemy, and proving that the one does what the other did.

`read` (SQL text -> `Statement`), `write` (`Statement` -> `Written` source text), `prove` (both -> `Certificate`); the
data that flows between them is in `statement`.

    from ormlift.sql.read import read
    from ormlift.sql.write import write
    from ormlift.sql.prove import prove
    from ormlift.sql.statement import Argument, Fetch, Request
"""
