"""Sessions and instances that go to functions of other files, run on a real database before and after."""

from pathlib import Path

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

WORK = """
def work():
    s = get_session()
    try:
        job = s.get(Job, 1)
        result = BODY
        return str(result)
    finally:
        s.close()
"""
LOOKS = """
def look(session):
    return session.query(Job).count()


def read(job, prefix=""):
    names = [prefix]
    names.append(job.name.upper())
    return "".join(names)


def titles(job):
    jobs, found = [], {}
    seen = []
    seen.append(job)
    for one in seen:
        found[one.id] = one.name
    return found


class Reader:
    def look(self, session, at_least=0):
        return session.query(Job).filter(Job.id >= at_least).count()

    @staticmethod
    def names(session):
        return [name for (name,) in session.query(Job.name).order_by(Job.id)]

    @classmethod
    def title(cls, session, *, number):
        return session.get(Job, number).name


class Base:
    def inherited(self, session):
        return session.query(Job).count()


class Below(Base):
    pass


reader = Reader()
below = Below()
"""
MAY = ("may-commit-uncommitted",)


def _safe(title: str, body: str, rest: str = "from app.other import look, read, reader, Reader, below\n") -> Case:
    return Case(title, WORK.replace("BODY", body), "commits", rest=rest, other=LOOKS)


def _told(
    title: str,
    other: str,
    body: str = "helper(s)",
    rest: str = "from app.other import helper\n",
    calls: tuple[str, ...] = ("work()",),
    differs: str = "rows",
) -> Case:
    return Case(title, WORK.replace("BODY", body), "commits", MAY, rest=rest, other=other, calls=calls, differs=differs)


IMPORTED = "from app.other import helper\n"
SETTLING = (
    ("it commits", "def helper(session):\n    session.commit()\n"),
    ("it rolls back", "def helper(session):\n    session.rollback()\n"),
    ("it adds and commits", "def helper(session):\n    session.add(Job(name='x'))\n    session.commit()\n"),
    (
        "it commits, or rolls back",
        (
            "def helper(session):\n    try:\n        session.add(Job(name='first'))\n        session.commit()\n"
            "    except Exception:\n        session.rollback()\n        return 'taken'\n"
        ),
    ),
)
SAFE = (
    *(Case(t, WORK.replace("BODY", "helper(s)"), "commits", rest=IMPORTED, other=o) for t, o in SETTLING),
    _safe("a function that only reads", "look(s)"),
    _safe("a function that reads an instance", "read(job, prefix='x')"),
    _safe("a function that fills containers of its own", "titles(job)", "from app.other import titles\n"),
    _safe("a function of an imported module", "other.look(s)", "from app import other\n"),
    _safe("a function of a module imported whole", "app.other.look(s)", "import app.other\n"),
    _safe("a function imported by another name", "seen(s)", "from app.other import look as seen\n"),
    _safe("a method of an imported object", "reader.look(s, at_least=2)"),
    _safe("an inherited method", "below.inherited(s)"),
    _safe("a static method", "Reader.names(s)"),
    _safe("a class method", "Reader.title(s, number=2)"),
    _safe(
        "a method of an object made in the file", "mine.look(s)", "from app.other import Reader\n\nmine = Reader()\n"
    ),
    Case(
        "a function that is awaited",
        """
        async def count():
            s = get_session()
            try:
                return await look(s)
            finally:
                s.close()


        def work():
            return asyncio.run(count())
        """,
        "commits",
        rest="import asyncio\n\nfrom app.other import look\n",
        other="async def look(session):\n    return session.query(Job).count()\n",
    ),
    Case(
        "an object that the function makes, and an import of its own",
        """
        def work():
            from app.other import Reader, read

            s = get_session()
            try:
                reader = Reader()
                return reader.look(s), read(s.get(Job, 2))
            finally:
                s.close()
        """,
        "commits",
        other=LOOKS,
    ),
)
TOLD = (
    _told("it flushes", "def helper(session):\n    session.add(Job(name='x'))\n    session.flush()\n"),
    _told("it adds", "def helper(session):\n    session.add(Job(name='x'))\n"),
    _told("it writes by a query", "def helper(session):\n    session.query(Job).update({'name': Job.name + '!'})\n"),
    _told("it sets an attribute", "def helper(job):\n    job.done = True\n", "helper(job)"),
    _told("it calls a method that changes the instance", "def helper(job):\n    job.finish()\n", "helper(job)"),
    _told("it calls another that writes", "def helper(session):\n    change(session)\n"),
    _told("it takes a method of the session", "def helper(session):\n    put = session.add\n    put(Job(name='x'))\n"),
    _told("it runs what it is given", "def helper(run, job):\n    run(job)\n", "helper(touch, job)"),
    _told("it runs what is called like a builtin", "def helper(filter, job):\n    filter(job)\n", "helper(touch, job)"),
    _told("its other arguments", "def helper(**given):\n    given['job'].done = True\n", "helper(job=job)"),
    _told(
        "its argument behind a star",
        "def helper(one, other):\n    other.done = True\n",
        "helper(*[1], job)",
    ),
    _told(
        "a nested function",
        "def helper(session):\n    def inner():\n        session.add(Job(name='x'))\n    inner()\n",
    ),
    _told(
        "a generator",
        "def helper(session):\n    session.add(Job(name='x'))\n    yield 1\n",
        "list(helper(s))",
    ),
    _told(
        "a decorated function",
        "def deco(function):\n    return change\n\n\n@deco\ndef helper(session):\n    return 1\n",
    ),
    _told(
        "bound anew in its file",
        "def helper(session):\n    return 1\n\n\nif True:\n    helper = change\n",
    ),
    _told(
        "bound anew by a function of its file",
        "def helper(session):\n    return 1\n\n\ndef patch():\n    global helper\n    helper = change\n\n\npatch()\n",
    ),
    _told(
        "set from another file",
        "def helper(session):\n    return 1\n",
        "other.helper(s)",
        rest="from app import other\n\nother.helper = other.change\n",
    ),
    _told(
        "set by its name",
        "def helper(session):\n    return 1\n",
        "other.helper(s)",
        rest='from app import other\n\nsetattr(other, "helper", other.change)\n',
    ),
    _told(
        "set on its class",
        "class Reader:\n    def look(self, session):\n        return 1\n\n\nreader = Reader()\n",
        "reader.look(s)",
        rest="from app.other import Reader, reader, change\n\nReader.look = lambda self, s: change(s)\n",
    ),
    _told(
        "overridden in a subclass",
        "class Reader:\n    def look(self, session):\n        return 1\n\n\n"
        "class Writer(Reader):\n    def look(self, session):\n        change(session)\n\n\nreader = Writer()\n",
        "reader.look(s)",
        rest="from app.other import reader\n",
    ),
    _told(
        "bound anew by an import in another branch",
        "def helper(session):\n    return 1\n",
        rest="from app.other import helper\nif True:\n    from app.other import change as helper\n",
    ),
    _told(
        "a class whose attributes are looked up by itself",
        "class Reader:\n    def look(self, session):\n        return 1\n\n"
        "    def __getattribute__(self, name):\n        return change\n\n\nreader = Reader()\n",
        "reader.look(s)",
        rest="from app.other import reader\n",
    ),
    _told(
        "it keeps an instance in a container of its file",
        "kept = []\n\n\ndef helper(job):\n    kept.append(job)\n\n\ndef last():\n    return kept[-1].name\n",
        "helper(job)",
        rest="from app.other import helper, last\n",
        calls=("work()", "last()"),
        differs="last()",
    ),
    _told(
        "it keeps an instance in what it calls by another name",
        "kept = []\n\n\ndef helper(job):\n    mine = kept\n    mine.append(job)\n\n\n"
        "def last():\n    return kept[-1].name\n",
        "helper(job)",
        rest="from app.other import helper, last\n",
        calls=("work()", "last()"),
        differs="last()",
    ),
    _told(
        "it keeps an instance by a key",
        "kept = {}\n\n\ndef helper(job):\n    kept['x'] = job\n\n\ndef last():\n    return kept['x'].name\n",
        "helper(job)",
        rest="from app.other import helper, last\n",
        calls=("work()", "last()"),
        differs="last()",
    ),
    _told(
        "it keeps an instance on its object",
        "class Keeper:\n    def keep(self, job):\n        self.kept, self.count = job, 1\n\n\nkeeper = Keeper()\n",
        "keeper.keep(job)",
        rest="from app.other import keeper\n",
        calls=("work()", "keeper.kept.name"),
        differs="keeper.kept.name",
    ),
    _told(
        "it keeps the session",
        "kept = {}\n\n\ndef helper(session):\n    kept['x'] = session\n\n\ndef late():\n    change(kept['x'])\n",
        "(helper(s), late())",
        rest="from app.other import helper, late\n",
    ),
    Case(
        "shadowed by a parameter",
        """
        def work(look=None):
            s = get_session()
            try:
                look(s)
            finally:
                s.close()
        """,
        "commits",
        MAY,
        calls=("work(change)",),
        rest="from app.other import change, look\n",
        other=LOOKS,
        differs="rows",
    ),
    Case(
        "a function of the file that is shadowed by a parameter",
        """
        def look(session):
            return session.query(Job).count()


        def work(look=None):
            s = get_session()
            try:
                look(s)
            finally:
                s.close()
        """,
        "commits",
        MAY,
        calls=("work(change)",),
        rest="from app.other import change\n",
        differs="rows",
    ),
    Case(
        "shadowed by the target of a loop",
        """
        def work():
            s = get_session()
            try:
                return [look(s) for look in (change,)]
            finally:
                s.close()
        """,
        "commits",
        MAY,
        rest="from app.other import change, look\n",
        other=LOOKS,
        differs="rows",
    ),
    Case(
        "an object that may be another",
        """
        def work(mine=None):
            s = get_session()
            try:
                reader = Reader()
                reader = mine or reader
                reader.look(s)
            finally:
                s.close()
        """,
        "commits",
        MAY,
        calls=("work(Writer())",),
        rest="from app.other import Reader, Writer\n",
        other=LOOKS + "\n\nclass Writer:\n    def look(self, session):\n        change(session)\n",
        differs="rows",
    ),
    Case(
        "it loads anew behind a commit of the block",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
                s.commit()
                read(job)
                return job
            finally:
                s.close()


        def name():
            return work().name
        """,
        "commits",
        ("expires-instances",),
        calls=("name()",),
        rest="from app.other import read\n",
        other=LOOKS,
        differs="name()",
    ),
)
UNSEEN = (  # told, though these make no difference here
    _told(
        "it closes by a with", "def helper(session):\n    with session:\n        return session.query(Job).count()\n"
    ),
    _told("nothing awaits it", "async def helper(session):\n    return session.query(Job).count()\n"),
    _told("it gives back the session", "def helper(session):\n    return session\n", "helper(s).custom(1)"),
    _told("it may be another", "try:\n    from app.more import helper\nexcept ImportError:\n    helper = change\n"),
)


@pytest.mark.parametrize("case", UNSEEN, ids=lambda c: c.title)
def test_what_is_not_certain_is_told(case: Case) -> None:
    _, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} >= set(case.effects)


@pytest.mark.parametrize("case", SAFE, ids=lambda c: c.title)
def test_what_only_reads_is_safe(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect for site in outcome.sites for effect in site.effects] == []
    assert "get_session()" not in files["app/jobs.py"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")


@pytest.mark.parametrize("case", TOLD, ids=lambda c: c.title)
def test_what_may_do_more_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} >= set(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]


def test_tests_may_replace_what_they_call() -> None:
    _, outcome = plan_of(SAFE[0], "tests/test_jobs.py")
    assert {effect.code for site in outcome.sites for effect in site.effects} == set(MAY)
