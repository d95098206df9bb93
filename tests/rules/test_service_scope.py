"""`service-scope`: its examples, what stays, and services run under a manager, in an application and without either."""

import importlib
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from ormlift.model import Planned, ScopeChoice, Settings, Source, Status, Unchanged
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.texts import Texts
from ormlift.rules.examples.service_scope import CHOICE, DATABASE, PROJECT, SESSIONS
from ormlift.rules.service_scope import CODEMOD

PATH = "app/curators.py"
ONE = (CODEMOD.id,)
BOTH = (CODEMOD.id, "session-scope")


def plan(text, *, choice=CHOICE, codemods=ONE, unsafe=True, more=None, path=PATH):
    files = {**PROJECT, **(more or {}), path: text}
    index = link(read_facts(Source(where, held)) for where, held in files.items())
    settings = Settings(scopes=(choice,) if choice else (), codemods=codemods, unsafe=unsafe)
    return plan_file(Source(path, text), index, settings)


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example):
    outcome = plan(example.before, choice=(example.settings.scopes or (None,))[0])
    if example.after is None and not example.reason:
        assert outcome == Unchanged(PATH)
        return
    (site,) = outcome.sites
    if example.after is None:
        assert (site.status, site.reason.code) == (Status.REFUSED, example.reason)
        return
    assert outcome.after.text == example.after
    assert {effect.code for effect in site.effects} == set(example.effects)
    assert plan(example.after) == Unchanged(PATH)
    assert plan(example.before, unsafe=False).sites[0].status is Status.REFUSED


SERVICE = '''\
"""Who looks after the pictures."""
from sqlalchemy import text


class Curators:
    limit = 3

    def __init__(self, db_manager, page=10):
        """Keep what hands out sessions."""
        # the pages of the gallery
        self.page = page
        self.db_manager = db_manager  # the only one
        if page > 100:
            raise ValueError(page)

    def count(self):
        session = self.db_manager.get_session()
        try:
            return session.execute(text("SELECT COUNT(*) FROM curators")).scalar()
        finally:
            session.close()

    def add(self, name):
        session = self.db_manager.get_session()
        try:
            session.execute(text("INSERT INTO curators (name) VALUES (:name)"), {"name": name})
            session.commit()
        except ValueError:
            session.rollback()
            raise
        finally:
            session.close()

    def fail(self, name):
        session = self.db_manager.get_session()
        try:
            session.execute(text("INSERT INTO curators (name) VALUES (:name)"), {"name": name})
            raise LookupError(name)
        finally:
            session.close()

    def forget_to_commit(self, name):
        session = self.db_manager.get_session()
        try:
            session.execute(text("INSERT INTO curators (name) VALUES (:name)"), {"name": name})
        finally:
            session.close()
'''


@pytest.fixture(scope="module")
def migrated():
    outcome = plan(SERVICE, codemods=BOTH)
    assert isinstance(outcome, Planned)
    assert plan(outcome.after.text, codemods=BOTH) == Unchanged(PATH)
    return outcome


def test_both_codemods_in_one_run(migrated):
    text = migrated.after.text
    assert [site.status for site in migrated.sites] == [Status.REWRITTEN] * 5
    assert text.count("with self._session_scope() as session:") == 4
    assert text.count("def _session_scope(self):") == 1
    assert text.count(".get_session()") == 1, "the old way in stands once, in the helper"
    assert "    def __init__(self, db_manager, page=10, session_manager=None):\n" in text
    assert (
        "        self.db_manager = db_manager  # the only one\n        self.session_manager = session_manager\n" in text
    )
    assert text.count("INSERT INTO") == SERVICE.count("INSERT INTO"), "no body is written twice"


def test_messages_name_the_lines_of_the_file_as_it_was(migrated):
    lines = SERVICE.splitlines()
    told = [
        e
        for site in migrated.sites
        for e in site.effects
        if e.code in ("commits-uncommitted", "may-commit-uncommitted")
    ]
    assert told
    for effect in told:
        assert f"line {effect.line}" in effect.message
        assert "execute" in lines[effect.line - 1]


def test_sessions_that_have_a_with_of_their_own_move_too():
    old = "        session = self.db_manager.get_session()\n        try:\n"
    text = SERVICE.partition("    def add(self")[0].replace(
        old, "        with self.db_manager.get_session() as session:\n"
    )
    text = text.replace("        finally:\n            session.close()\n", "")
    outcome = plan(text, codemods=BOTH)
    assert outcome.after.text.count("with self._session_scope() as session:") == 1
    assert outcome.after.text.count(".get_session()") == 1
    assert plan(outcome.after.text, codemods=BOTH) == Unchanged(PATH)


def test_without_unsafe_nothing_of_the_class_is_changed():
    outcome = plan(SERVICE, codemods=BOTH, unsafe=False)
    assert not isinstance(outcome, Planned)
    assert {site.reason.code for site in outcome.sites} == {"needs-unsafe", "no-service-scope"}


def test_a_method_of_that_name_that_is_no_scope_is_told():
    own = SERVICE.replace(
        "    limit = 3\n", "    limit = 3\n\n    def _session_scope(self):\n        return 'own'\n", 1
    )
    assert own != SERVICE
    outcome = plan(own, codemods=("session-scope",))
    assert not isinstance(outcome, Planned)
    assert "name-taken" in {site.reason.code for site in outcome.sites}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Writes the program with one text of the service, and gives its module and what is in the table."""
    names = ("app", "app.database", "app.sessions", "app.curators")

    def build(name, text):
        folder = tmp_path / name / "app"
        folder.mkdir(parents=True)
        for file, held in {"__init__": "", "database": DATABASE, "sessions": SESSIONS, "curators": text}.items():
            (folder / f"{file}.py").write_text(held, encoding="utf-8")
        path = tmp_path / name / "pictures.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE curators (name TEXT)")
            connection.commit()
        for old in names:
            sys.modules.pop(old, None)
        monkeypatch.syspath_prepend(str(tmp_path / name))
        importlib.invalidate_caches()
        loaded = [importlib.import_module(n) for n in names]
        manager = loaded[1].DatabaseManager(f"sqlite:///{path}")

        def stored():
            with closing(sqlite3.connect(path)) as connection:
                return [row[0] for row in connection.execute("SELECT name FROM curators")]

        return loaded[3], loaded[2].SessionManager(manager), manager, stored

    yield build
    for old in names:
        sys.modules.pop(old, None)


def use(service, stored):
    """What the service answers and leaves behind."""
    told = [service.count(), service.add("Ann"), service.count()]
    with pytest.raises(LookupError):
        service.fail("Bob")
    return [*told, stored()]


def test_outside_of_an_application_it_is_as_it_was(world, migrated):
    told = []
    for name, text in (("before", SERVICE), ("after", migrated.after.text)):
        module, _, manager, stored = world(name, text)
        service = module.Curators(manager)
        told.append([*use(service, stored), service.forget_to_commit("Eve"), stored(), service.page])
        with pytest.raises(ValueError, match="101"):
            module.Curators(manager, page=101)
        manager.factory.kw["bind"].dispose()
    assert told[0] == told[1]
    assert told[1][-2] == ["Ann"], "without a manager nothing is committed that was not"


class Counting:
    """A session manager that counts what it opens."""

    def __init__(self, manager):
        self.manager, self.opened = manager, 0

    def get_db_session(self):
        self.opened += 1
        return self.manager.get_db_session()


def test_a_manager_that_is_given_is_used(world, migrated):
    module, sessions, manager, stored = world("given", migrated.after.text)
    counting = Counting(sessions)
    service = module.Curators(manager, session_manager=counting)
    assert use(service, stored) == [0, None, 1, ["Ann"]]
    assert counting.opened == 4
    service.forget_to_commit("Eve")
    assert stored() == ["Ann", "Eve"], "the effect that was named: the manager's scope commits"
    manager.factory.kw["bind"].dispose()


def test_the_manager_of_the_application_is_found_when_it_is_needed(world, migrated):
    from flask import Flask

    module, sessions, manager, stored = world("application", migrated.after.text)
    app, service, counting = Flask("gallery"), module.Curators(manager), Counting(sessions)
    with app.app_context():
        service.count()
        app.session_manager = counting
        assert use(service, stored) == [0, None, 1, ["Ann"]]
    assert counting.opened == 4
    assert service.count() == 1
    assert counting.opened == 4, "outside of the application it is the old way in again"
    manager.factory.kw["bind"].dispose()


def test_a_class_below_that_does_not_call_the_constructor_works_as_before(world, migrated):
    below = "\n\nclass Chief(Curators):\n    def __init__(self, manager):\n        self.db_manager = manager\n"
    module, _, manager, _ = world("below", migrated.after.text + below)
    assert module.Chief(manager).count() == 0
    manager.factory.kw["bind"].dispose()


def test_a_parameter_that_is_there_already_is_used_and_told():
    text = SERVICE.replace("db_manager, page=10):", "db_manager, session_manager=None, page=10):")
    text = text.replace(
        "        self.page = page\n", "        self.page = page\n        self.sessions = session_manager\n"
    )
    outcome = plan(text)
    assert "def __init__(self, db_manager, session_manager=None, page=10):" in outcome.after.text
    assert 'manager = getattr(self, "sessions", None)\n' in outcome.after.text
    assert {effect.code for effect in outcome.sites[0].effects} == {"session-source", "given-manager"}


BELOW = """

class Chief(Curators):
    def __init__(self, db_manager, session_manager):
        super().__init__(db_manager)
        self.session_manager = session_manager
"""
APART = "from app.curators import Curators\n" + BELOW


def test_a_class_below_that_keeps_a_manager_of_its_own_is_told(world):
    module, _, manager, _ = world("chief_before", SERVICE + BELOW)
    assert module.Chief(manager, "x").count() == 0
    outcome = plan(SERVICE + BELOW, codemods=BOTH)
    assert {effect.code for effect in outcome.sites[0].effects} == {"session-source", "given-manager"}
    module, sessions, manager, _ = world("chief_after", outcome.after.text)
    assert module.Chief(manager, sessions).count() == 0
    with pytest.raises(AttributeError):
        module.Chief(manager, "x").count()
    manager.factory.kw["bind"].dispose()


@pytest.mark.parametrize("value", ["'mine'", "session_manager or 'mine'", "session_manager = 1"])
def test_a_class_below_that_has_something_else_there_keeps_the_class_as_it_is(value):
    outcome = plan(SERVICE + BELOW.replace("= session_manager", f"= {value}"))
    assert [site.reason.code for site in outcome.sites] == ["name-taken"]


@pytest.mark.parametrize("base", ["Staff", "Staff[int]"])
def test_a_class_above_that_has_something_else_there_keeps_the_class_as_it_is(base):
    above = "class Staff:\n    def __init__(self):\n        self.session_manager = 'mine'\n\n\n"
    outcome = plan(SERVICE.replace("class Curators:", f"{above}class Curators({base}):"))
    assert [site.reason.code for site in outcome.sites] == ["name-taken"]


def test_a_class_below_in_another_file_is_seen():
    text = APART.replace("= session_manager", "= 'mine'")
    files = {**PROJECT, PATH: SERVICE, "app/chief.py": text}
    index = replace(link(read_facts(Source(where, held)) for where, held in files.items()), texts=Texts.of(files))
    outcome = plan_file(Source(PATH, SERVICE), index, Settings(scopes=(CHOICE,), codemods=ONE, unsafe=True))
    assert [site.reason.code for site in outcome.sites] == ["name-taken"]


KIN = "class {name}({base}):\n    def __init__(self):\n        self.session_manager = 'mine'\n"
TWIN = "class Curators:\n    def __init__(self):\n        self.page = 1\n"
_BELOW = KIN.format(name="Chief", base="{base}")


def _apart(more, text=SERVICE):
    files = {**PROJECT, PATH: text, **more}
    known = link(read_facts(Source(where, held)) for where, held in files.items())
    imports = ImportGraph({where: import_lines(held, where) for where, held in files.items()})
    index = replace(known, texts=Texts.of(files), imports=imports)
    return plan_file(Source(PATH, text), index, Settings(scopes=(CHOICE,), codemods=ONE, unsafe=True))


@pytest.mark.parametrize(
    ("imported", "base"),
    [
        ("from app.curators import Curators", "Curators"),
        ("from .curators import Curators", "Curators"),
        ("from app.curators import Curators as Boss", "Boss"),
        ("import app.curators", "app.curators.Curators"),
        ("from app import curators", "curators.Curators"),
        ("from app.curators import *", "Curators"),
        ("from app import Curators", "Curators"),
    ],
)
def test_a_class_below_is_found_by_its_import(imported, base):
    more = {
        "app/__init__.py": "from app.curators import Curators\n",
        "app/other.py": TWIN,
        "app/chief.py": f"{imported}\n\n\n{_BELOW.format(base=base)}",
    }
    assert [site.reason.code for site in _apart(more).sites] == ["name-taken"]


@pytest.mark.parametrize(
    "text",
    [
        f"from app.other import Curators\n\n\n{_BELOW.format(base='Curators')}",
        f"from .other import Curators\n\n\n{_BELOW.format(base='Curators')}",
        f"from app import other\n\n\n{_BELOW.format(base='other.Curators')}",
        f"from museum.staff import Curators\n\n\n{_BELOW.format(base='Curators')}",
        f"{TWIN}\n\n{_BELOW.format(base='Curators')}",
    ],
)
def test_a_class_below_another_of_the_same_name_does_not_matter(text):
    assert isinstance(_apart({"app/other.py": TWIN, "app/chief.py": text}), Planned)


def test_a_class_above_is_found_by_its_import():
    text = SERVICE.replace("class Curators:", "class Curators(Staff):")
    staff = KIN.format(name="Staff", base="object")
    more = {"app/one.py": staff, "app/two.py": "class Staff:\n    pass\n"}
    assert isinstance(_apart(more, f"from app.two import Staff\n{text}"), Planned)
    taken = _apart(more, f"from app.one import Staff\n{text}")
    assert [site.reason.code for site in taken.sites] == ["name-taken"]


def test_a_class_of_no_kin_does_not_matter():
    other = BELOW.replace("(Curators)", "(Others)").replace("= session_manager", "= 'mine'")
    assert isinstance(plan(SERVICE + other), Planned)


def test_a_parameter_that_any_keyword_could_be_is_told(world):
    text = SERVICE.replace("page=10):", "page=10, **options):").replace("page = page\n", "page = page, options\n")
    outcome = plan(text)
    assert {effect.code for effect in outcome.sites[0].effects} == {"session-source", "given-manager"}
    kept = []
    for name, code in (("before", text), ("after", outcome.after.text)):
        module, _, manager, _ = world(name, code)
        kept.append(module.Curators(manager, session_manager="mine").page)
        manager.factory.kw["bind"].dispose()
    assert kept == [(10, {"session_manager": "mine"}), (10, {})]


SLOTS = '    __slots__ = ("db_manager", "page")\n'


def test_slots_that_have_the_manager_are_no_hindrance(world):
    text = SERVICE.replace("    limit = 3\n", SLOTS.replace('page"', 'page", "session_manager"'))
    module, _, manager, stored = world("slots", plan(text, codemods=BOTH).after.text)
    assert use(module.Curators(manager), stored)[0] == 0
    manager.factory.kw["bind"].dispose()


def test_no_application_is_asked_where_none_is_configured():
    outcome = plan(SERVICE, choice=replace(CHOICE, application=""))
    assert "current_app" not in outcome.after.text
    assert "RuntimeError" not in outcome.after.text


OPENS = "def count(self):\n        session = self.db_manager.get_session()"
STAYS = {
    "*args": ("constructor-unclear", SERVICE.replace("page=10", "*pages")),
    "a source that is set in passing": (
        "constructor-unclear",
        SERVICE.replace("self.db_manager = db_manager  #", "self.db_manager = self.other = db_manager  #"),
    ),
    "slots": ("fixed-attributes", SERVICE.replace("    limit = 3\n", SLOTS)),
    "a dataclass with slots": (
        "fixed-attributes",
        SERVICE.replace("class Curators", "@dataclass(slots=True)\nclass Curators"),
    ),
    "a __setattr__ of its own": (
        "fixed-attributes",
        SERVICE.replace("    limit = 3\n", "    def __setattr__(self, name, value):\n        pass\n"),
    ),
    "two ways in": ("several-openers", SERVICE.replace(OPENS, OPENS.replace("get_session", "factory"))),
    "the helper's name": ("name-taken", SERVICE.replace("limit = 3", "_session_scope = 3")),
    "the manager's name": ("name-taken", SERVICE.replace("limit = 3", "session_manager = 3")),
}


@pytest.mark.parametrize(("reason", "text"), STAYS.values(), ids=STAYS.keys())
def test_stays(reason, text):
    assert text != SERVICE
    outcome = plan(text)
    assert not isinstance(outcome, Planned)
    assert reason in [site.reason.code for site in outcome.sites]


@pytest.mark.parametrize(
    "choice",
    [
        None,
        ScopeChoice("app_scope", "app.db"),
        replace(CHOICE, in_class_with="database"),
        replace(CHOICE, where=("web/**",)),
        replace(CHOICE, manager=""),
    ],
)
def test_what_is_not_configured_is_no_site(choice):
    assert plan(SERVICE, choice=choice) == Unchanged(PATH)


def test_sessions_of_something_else_do_not_count():
    text = SERVICE.replace("self.db_manager.get_session()", "self.limit.get_session()")
    assert plan(text) == Unchanged(PATH)


def test_a_function_outside_of_the_class_has_no_self():
    text = SERVICE + (
        "\n\ndef count(db_manager):\n    session = db_manager.get_session()\n    session.flush()\n    session.close()\n"
        "\n\nclass Static:\n    db_manager = None\n\n    @staticmethod\n    def get(db_manager):\n"
        "        session = db_manager.get_session()\n        session.flush()\n        session.close()\n"
    )
    outcome = plan(text, codemods=BOTH)
    left = [site.reason.code for site in outcome.sites if site.status is Status.REFUSED]
    assert "self._session_scope" not in outcome.after.text.partition("def count(db_manager)")[2]
    assert set(left) <= {"scope-not-bound", "no-scope", "may-be-given"}


def test_the_manager_itself_is_no_service():
    manager = SERVICE.replace("def count(self)", "def get_db_session(self):\n        yield\n\n    def count(self)")
    assert plan(manager) == Unchanged(PATH)
    assert isinstance(plan(SERVICE), Planned)
