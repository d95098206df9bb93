"""Programs run on a real database before and after `dependency-lifecycle`: what was lost, and is kept then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from ormlift.rules.dependency_lifecycle import CODEMOD

from tests.rules.check_runs import PATH, World, client_of, world_of

DB = """
from contextlib import contextmanager

from sqlalchemy import create_engine, event
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

engine = create_engine("sqlite:///DATABASE", poolclass=NullPool, connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(bind=engine)
shared = scoped_session(SessionLocal)
closed = []
event.listen(engine, "close", lambda *_: closed.append(1))
"""
HEAD = """
from contextlib import contextmanager

from app.db import SessionLocal, closed, shared
from app.models import Job
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, CODEMOD, DB, HEAD) as made:
        yield made


def names(world: World) -> list[str]:
    return [row[1] for row in world.rows()]


ROUTES = """
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.orm import Session

from app.db import SessionLocal
from app.models import Job

app = FastAPI()


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.post("/jobs", status_code=201)
def create(name: str, db: Session = Depends(get_db)):
    job = Job(name=name)
    db.add(job)
    db.flush()
    return {"id": job.id}


@app.post("/broken", status_code=201)
def broken(name: str, db: Session = Depends(get_db)):
    db.add(Job(name=name))
    db.flush()
    raise HTTPException(409)


@app.post("/own", status_code=201)
def own(name: str, db: Session = Depends(get_db)):
    db.add(Job(name=name))
    db.commit()
    return {}
"""


def test_answered_with_201_and_never_stored(world: World) -> None:
    before = client_of(world.before(ROUTES, head=False).app)
    assert before.post("/jobs?name=new").status_code == 201
    assert names(world) == ["one", "two"]
    after = client_of(world.after(ROUTES, head=False).app)
    assert after.post("/jobs?name=new").status_code == 201
    assert names(world) == ["one", "two", "new"]
    assert after.post("/broken?name=half").status_code == 409
    assert names(world) == ["one", "two", "new"]
    assert after.post("/own?name=own").status_code == 201
    assert names(world) == ["one", "two", "new", "own"]


def test_routes_that_commit_are_right(world: World) -> None:
    left = ROUTES.replace("    db.flush()\n", "    db.commit()\n")
    assert world.planned(left, head=False) is None
    client = client_of(world.before(left, head=False).app)
    assert client.post("/jobs?name=new").status_code == 201
    assert names(world) == ["one", "two", "new"]


def test_a_commit_that_fails_after_the_response(world: World) -> None:
    """What the effect `after-response` says: the answer was success."""
    program = ROUTES.replace("    db.add(job)\n    db.flush()\n", "    db.add(job)\n")
    after = client_of(world.after(program, head=False).app)
    with pytest.raises(Exception, match="UNIQUE"):
        after.post("/jobs?name=one")
    assert names(world) == ["one", "two"]


def use(scope: object, *, fail: bool) -> str:
    """Add a job inside a scope, and perhaps fail."""
    try:
        with scope as session:  # type: ignore[attr-defined]
            from app.models import Job  # type: ignore[import-not-found]

            session.add(Job(name="new"))
            session.flush()
            if fail:
                raise KeyError("no")
    except KeyError:
        return "told"
    return "done"


SCOPES = {
    "yield in no try": """
@contextmanager
def scope():
    session = SessionLocal()
    yield session
    session.commit()
    session.close()
""",
    "commit in the finally": """
@contextmanager
def scope():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.commit()
        session.close()
""",
    "an error that is kept": """
@contextmanager
def scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
    finally:
        session.close()
""",
}


def outcome(world: World, module: object, *, fail: bool) -> tuple[str, list[str], int]:
    """What is told, what stands in the table, how many connections were closed."""
    scope = module.scope()  # type: ignore[attr-defined]
    told = use(scope, fail=fail)
    return told, names(world), len(module.closed)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SCOPES)
def test_without_an_error_nothing_changes(world: World, name: str) -> None:
    before = outcome(world, world.before(SCOPES[name]), fail=False)
    world.fill()
    after = outcome(world, world.after(SCOPES[name]), fail=False)
    assert before == after == ("done", ["one", "two", "new"], 1)


def test_a_yield_in_no_try_leaves_the_connection_open(world: World) -> None:
    assert world.planned(SCOPES["yield in no try"], unsafe=False) is not None
    module = world.before(SCOPES["yield in no try"])
    manager = module.scope()
    session = manager.__enter__()
    session.add(module.Job(name="new"))
    session.flush()
    assert not manager.__exit__(KeyError, KeyError("no"), None)
    assert module.closed == []
    session.close()
    world.fill()
    assert outcome(world, world.after(SCOPES["yield in no try"]), fail=True) == ("told", ["one", "two"], 1)


def test_a_commit_in_the_finally_stores_the_half(world: World) -> None:
    program = SCOPES["commit in the finally"]
    assert outcome(world, world.before(program), fail=True)[:2] == ("told", ["one", "two", "new"])
    world.fill()
    assert outcome(world, world.after(program), fail=True)[:2] == ("told", ["one", "two"])


def test_an_error_that_is_kept_is_told(world: World) -> None:
    program = SCOPES["an error that is kept"]
    assert outcome(world, world.before(program), fail=True)[:2] == ("done", ["one", "two"])
    world.fill()
    assert outcome(world, world.after(program), fail=True)[:2] == ("told", ["one", "two"])


def test_a_session_that_nothing_closes(world: World) -> None:
    program = "@contextmanager\ndef scope():\n    session = SessionLocal()\n    yield session\n"
    module = world.before(program)
    with module.scope() as session:
        assert session.get(module.Job, 1).name == "one"
    assert module.closed == []
    session.close()
    module = world.after(program)
    with module.scope() as session:
        assert session.get(module.Job, 1).name == "one"
    assert module.closed == [1]


def test_a_commit_behind_the_close(world: World) -> None:
    program = """
def store():
    session = SessionLocal()
    session.add(Job(name="new"))
    session.close()
    session.commit()
"""
    world.before(program).store()
    assert names(world) == ["one", "two"]
    world.after(program).store()
    assert names(world) == ["one", "two", "new"]


def test_a_flush_behind_the_commit_is_safe(world: World) -> None:
    program = """
def store():
    with SessionLocal() as session:
        session.add(Job(name="new"))
        session.commit()
        session.flush()
"""
    assert world.planned(program, unsafe=False) is not None
    world.after(program).store()
    assert names(world) == ["one", "two", "new"]


TEARDOWN = """
from flask import Flask

from app.db import shared
from app.models import Job

app = Flask(__name__)


@app.teardown_appcontext
def end(error=None):
    shared.commit()
    shared.remove()


@app.post("/jobs/<name>")
def create(name):
    shared.add(Job(name=name))
    shared.flush()
    if name == "half":
        raise KeyError(name)
    return "created"
"""


def ask(app: Flask, path: str) -> int:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with app.test_client() as client:
        return client.post(path).status_code


def test_a_teardown_stores_the_half_of_a_request(world: World) -> None:
    app = world.before(TEARDOWN, head=False).app
    assert (ask(app, "/jobs/half"), names(world)) == (500, ["one", "two", "half"])
    world.fill()
    app = world.after(TEARDOWN, head=False).app
    assert (ask(app, "/jobs/half"), names(world)) == (500, ["one", "two"])
    assert (ask(app, "/jobs/new"), names(world)) == (200, ["one", "two", "new"])


INJECTED = """
from contextlib import contextmanager

from fastapi import Depends, FastAPI

from app.db import SessionLocal
from app.models import Job

app = FastAPI()


@contextmanager
def session_scope():
    with SessionLocal() as session:
        yield session


@app.get("/jobs")
def count(db=Depends(session_scope)):
    return db.query(Job).count()
"""


def test_a_context_manager_that_is_injected(world: World) -> None:
    with pytest.raises((AttributeError, TypeError)):
        client_of(world.before(INJECTED, head=False).app).get("/jobs")
    assert client_of(world.after(INJECTED, head=False).app).get("/jobs").json() == 2
    assert PATH.endswith(".py")


PULLED = """
def get_db():
    session = SessionLocal()
    session.info["job"] = session.get(Job, 1)
    yield session
    session.close()
"""
LEFT = {
    "by next()": "def use():\n    db = next(get_db())\n    return [t.title for t in db.info['job'].tasks]\n",
    "by its method": "def use():\n    db = get_db().__next__()\n    return [t.title for t in db.info['job'].tasks]\n",
    "by send()": "def use():\n    db = get_db().send(None)\n    return [t.title for t in db.info['job'].tasks]\n",
    "in a variable": """
def begin():
    made = get_db()
    return next(made)


def use():
    return [t.title for t in begin().info["job"].tasks]
""",
    "as an argument": """
def begin(dependency):
    return next(dependency())


def use():
    return [t.title for t in begin(get_db).info["job"].tasks]
""",
    "out of a loop": """
def use():
    for db in get_db():
        break
    return [t.title for t in db.info["job"].tasks]
""",
}


@pytest.mark.parametrize("way", LEFT)
def test_a_generator_that_is_let_go_is_never_closed_safely(world: World, way: str) -> None:
    """What the effect `taken-by-hand` says: the session would be closed while it is used."""
    program = PULLED + LEFT[way]
    assert world.planned(program, unsafe=False) is None
    assert world.before(program).use() == ["dig", "fill"]
    with pytest.raises(Exception, match="not bound to a Session"):
        world.after(program).use()


def test_who_takes_a_session_by_hand_may_stand_in_another_file(world: World) -> None:
    imports = "from app.work import get_db as made\n\n"
    others = {"app/jobs.py": imports + LEFT["by next()"].replace("get_db", "made")}
    assert world.planned(PULLED, unsafe=False, others=others) is None
    held = {"app/jobs.py": imports + "def rows(reader):\n    for row in reader:\n        return row\n"}
    assert world.planned(PULLED, unsafe=False, others=held) is not None


def test_a_block_whose_error_is_handled_with_what_it_loaded(world: World) -> None:
    program = (
        PULLED.replace("def get", "@contextmanager\ndef get")
        + """
def use():
    try:
        with get_db() as db:
            job = db.info["job"]
            raise KeyError(job.name)
    except KeyError:
        return [t.title for t in job.tasks]
"""
    )
    assert world.planned(program, unsafe=False) is None
    assert world.before(program).use() == ["dig", "fill"]
    with pytest.raises(Exception, match="not bound to a Session"):
        world.after(program).use()


def test_a_generator_that_is_let_go_commits_nothing_behind_its_yield(world: World) -> None:
    program = """
def get_db():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.commit()
        session.close()


def use():
    made = get_db()
    next(made).add(Job(name="new"))
    made.close()
"""
    world.before(program).use()
    assert names(world) == ["one", "two", "new"]
    world.fill()
    world.after(program).use()
    assert names(world) == ["one", "two"]


ON_PURPOSE = ROUTES.replace("    db.flush()\n    return", "    db.flush()\n    db.rollback()\n    return")
BESIDE = ROUTES.replace(
    """@app.post("/jobs", status_code=201)""",
    """def storing(db: Session = Depends(get_db)):
    yield
    db.commit()


@app.post("/jobs", status_code=201, dependencies=[Depends(storing)])""",
)


def test_a_route_that_rolls_back_on_purpose_is_right(world: World) -> None:
    program = ON_PURPOSE.partition('@app.post("/broken"')[0]
    assert world.planned(program, head=False) is None
    program = program.replace('{"id": job.id}', "{}")
    assert client_of(world.before(program, head=False).app).post("/jobs?name=new").status_code == 201
    assert names(world) == ["one", "two"]


def test_a_dependency_beside_the_route_commits_their_session(world: World) -> None:
    assert world.planned(BESIDE, head=False) is None
    assert client_of(world.before(BESIDE, head=False).app).post("/jobs?name=new").status_code == 201
    assert names(world) == ["one", "two", "new"]


NOTHING_PENDING = {
    "committed before the close": """
def work():
    session = SessionLocal()
    session.add(Job(name="new"))
    session.commit()
    session.close()
    session.commit()
""",
    "a teardown that removes first": """
def work():
    shared.add(Job(name="new"))
    shared.commit()


@app.teardown_appcontext
def end(error=None):
    shared.remove()
    shared.commit()
""",
}


@pytest.mark.parametrize("name", NOTHING_PENDING)
def test_what_was_not_pending_is_not_lost(world: World, name: str) -> None:
    program = "from flask import Flask\n\napp = Flask(__name__)\n" + NOTHING_PENDING[name]
    assert world.faults(program) == []
    world.before(program).work()
    assert names(world) == ["one", "two", "new"]


def test_lines_of_a_handler_stay_as_they_are_written(world: World) -> None:
    program = SCOPES["an error that is kept"].replace("rollback()\n", "rollback()\n        print('kept', \"it\")\n")
    assert "        print('kept', \"it\")\n        raise\n" in (world.planned(program) or "")


def test_lines_and_quotes_of_what_moves_into_the_try_stay(world: World) -> None:
    text = world.planned("""
def get_db():
    db = SessionLocal()
    yield db
    db.commit()
    db.close()


def loud(note):
    db = SessionLocal()
    try:
        yield db
    except Exception:
        note(
            '''it
  failed''',
            1,
        )
    finally:
        db.close()
""")
    assert text is not None
    assert "\n        note(\n            '''it\n  failed''',\n            1,\n        )\n        raise\n" in text


HANDING = """
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from app.db import SessionLocal
from app.models import Job

app = FastAPI()


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


class Desk:
    def __init__(self, db: Session):
        self.db = db

    def store(self, name):
        return self._put(Job(name=name))

    def _put(self, job):
        self.db.add(job)
        self.db.flush()
        return job

    def look(self, name):
        return self.db.query(Job).filter(Job.name == name).first()


class Counter:
    def __init__(self, db: Session):
        self.db = db
        self.notify = print

    def store(self, name):
        self.notify(self.db.add(Job(name=name)))


class Late:
    def __init__(self, db: Session):
        self.db = db

    def store(self, name):
        self.db.add(Job(name=name))
        run(self._finish)

    def _finish(self):
        self.db.commit()


class Base:
    def __init__(self, db: Session):
        self.db = db


class Shop(Base):
    def store(self, name):
        self.db.add(Job(name=name))


def run(what):
    what()


def once(function):
    def inner(db, name):
        function(db, name)
        db.commit()
    return inner


@once
def store_once(db, name):
    db.add(Job(name=name))


def store(db, name):
    put(job=Job(name=name), session=db)


def put(session, job):
    session.add(job)


def store_and_commit(db, name):
    put(db, Job(name=name))
    finish(db)


def finish(db):
    db.commit()


class Shelf:
    @staticmethod
    def store(db, name):
        db.add(Job(name=name))


KEPT = []


def keep(db, name):
    db.add(Job(name=name))
    KEPT.append(db)


def get_desk(db: Session = Depends(get_db)):
    return Desk(db)


@app.post("/jobs", status_code=201)
ROUTE
"""
LOSING = {
    "to a function, and by that to another": """
def create(name: str, db: Session = Depends(get_db)):
    store(db, name)
    return name
""",
    "to a static method": """
def create(name: str, db: Session = Depends(get_db)):
    Shelf.store(db, name)
    return name
""",
    "to a service, by a variable": """
def create(name: str, db: Session = Depends(get_db)):
    desk = Desk(db)
    if desk.look(name) is None:
        desk.store(name)
    return name
""",
    "to a service, on the spot": """
def create(name: str, db: Session = Depends(get_db)):
    return Desk(db).store(name).name
""",
    "to a service whose base keeps it": """
def create(name: str, db: Session = Depends(get_db)):
    shop = Shop(db=db)
    shop.store(name)
    return name
""",
    "to a service that a dependency makes": """
def create(name: str, desk: Desk = Depends(get_desk)):
    desk.store(name)
    return name
""",
}
KEEPING = {
    "a method that commits is handed to others": """
def create(name: str, db: Session = Depends(get_db)):
    Late(db).store(name)
    return name
""",
    "a decorator may commit": """
def create(name: str, db: Session = Depends(get_db)):
    store_once(db, name)
    return name
""",
    "others call the function": """
def create(name: str, db: Session = Depends(get_db)):
    from functools import partial
    partial(store_and_commit, db)(name)
    return name
""",
    "one of them commits": """
def create(name: str, db: Session = Depends(get_db)):
    store_and_commit(db, name)
    return name
""",
    "nothing writes": """
def create(name: str, db: Session = Depends(get_db)):
    return Desk(db).look(name) is None
""",
    "the route commits the service's session": """
def create(name: str, desk: Desk = Depends(get_desk)):
    desk.store(name)
    desk.db.commit()
    return name
""",
    "the session is kept": """
def create(name: str, db: Session = Depends(get_db)):
    keep(db, name)
    return name
""",
    "what is handed on can't be followed": """
def create(name: str, db: Session = Depends(get_db)):
    Counter(db).store(name)
    return name
""",
    "the service itself is handed on": """
def create(name: str, db: Session = Depends(get_db)):
    desk = Desk(db)
    KEPT.append(desk)
    desk.store(name)
    return name
""",
}


@pytest.mark.parametrize("name", LOSING)
def test_what_others_write_for_a_route_is_lost_and_then_kept(world: World, name: str) -> None:
    program = HANDING.replace("ROUTE", LOSING[name].strip())
    answer = client_of(world.before(program, head=False).app).post("/jobs?name=three")
    assert (answer.status_code, names(world)) == (201, ["one", "two"])
    assert world.planned(program, unsafe=False, head=False) is None
    answer = client_of(world.after(program, head=False).app).post("/jobs?name=three")
    assert (answer.status_code, names(world)) == (201, ["one", "two", "three"])


def test_a_scope_around_the_yield_commits(world: World) -> None:
    program = HANDING.replace("ROUTE", LOSING["to a static method"].strip()).replace(
        """
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
""",
        """
@contextmanager
def scope():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    finally:
        db.close()


def get_db():
    with scope() as db:
        yield db
""",
    )
    program = "from contextlib import contextmanager\n\n" + program.lstrip()
    assert world.planned(program, head=False) is None
    client_of(world.before(program, head=False).app).post("/jobs?name=three")
    assert names(world) == ["one", "two", "three"]


@pytest.mark.parametrize("name", KEEPING)
def test_what_is_not_certain_stays(world: World, name: str) -> None:
    assert world.planned(HANDING.replace("ROUTE", KEEPING[name].strip()), head=False) is None
