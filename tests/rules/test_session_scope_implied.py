"""Methods of instances that run unnamed (`str(job)`, `a == b`), run on a real database before and after."""

from dataclasses import replace
from pathlib import Path
from textwrap import indent

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

NOTE = """
from sqlalchemy.orm import reconstructor


def mark(job):
    job.done = True


class Note(Base):
    __tablename__ = "notes"

    id = Column(Integer, primary_key=True)
    text = Column(String(50))
    seen = Column(Integer, default=0)
    job_id = Column(Integer, ForeignKey("jobs.id"))
    job = relationship("Job")
    _cached = None

{methods}
"""
WORK = """
def setup():
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO notes (id, text, seen, job_id) VALUES (1, 'a', 0, 1), (2, 'b', 0, 2)"))


def seen():
    with engine.begin() as connection:
        return connection.execute(text("SELECT sum(seen) FROM notes")).scalar()


def work():
    s = get_session()
    try:
        note, other = s.get(Note, 1), s.get(Note, 2)
        notes = [note, other]
{body}
    finally:
        s.close()
"""


def _case(title: str, method: str, body: str, effects: tuple[str, ...] = ("may-commit-uncommitted",), **more) -> Case:
    return Case(
        title,
        WORK.format(body=indent(body, " " * 8)),
        "commits",
        effects,
        calls=("setup()", "work()", "seen()"),
        differs="seen()",
        rest="from app.db import engine\nfrom app.models import Note\n",
        models=NOTE.format(methods=indent(method, " " * 4)),
        **more,
    )


def _writes(name: str, gives: str, given: str = "self", head: str = "") -> str:
    return f"{head}def {name}({given}):\n    self.seen = self.seen + 1\n    return {gives}\n"


REPR = _writes("__repr__", "self.text")
STR = _writes("__str__", "self.text")
EQ = _writes("__eq__", "self is other", "self, other") + "\n__hash__ = object.__hash__\n"
LT = _writes("__lt__", "self.id < other.id", "self, other")
PROPERTY = _writes("title", "self.text", head="@property\n")
TOLD = (
    _case("an f-string runs __str__", STR, 'return f"{note}"'),
    _case("an f-string runs __repr__", REPR, 'return f"{note!r}"'),
    _case("str() runs __repr__", REPR, "return str(note)"),
    _case("a list of them is written out", REPR, "return str(notes)"),
    _case("% runs __str__", STR, 'return "%s" % note'),
    _case("format() runs __format__", _writes("__format__", "self.text", "self, how"), 'return "{}".format(note)'),
    _case("a log runs __str__", STR, 'logging.getLogger("shown").warning("%s", note)'),
    _case("== runs __eq__", EQ, "return note == other"),
    _case("in runs __eq__", EQ, "return 1 in notes"),
    _case("a method of a list runs __eq__", EQ, "return notes.count(1)"),
    _case("sorted() runs __lt__", LT, "return sorted(notes)[0].id"),
    _case("sort() runs __lt__", LT, "notes.sort()"),
    _case("< runs __lt__", LT, "return note < other"),
    _case("max() runs __gt__", LT.replace("lt", "gt").replace("<", ">"), "return max(notes).id"),
    _case("a set runs __hash__", _writes("__hash__", "self.id"), "return len({note, other})"),
    _case("a dict runs __hash__", _writes("__hash__", "self.id"), "return len({note: 1})"),
    _case("if runs __bool__", _writes("__bool__", "True"), 'if note:\n    return "yes"'),
    _case("while runs __bool__", _writes("__bool__", "True"), 'while note:\n    return "yes"'),
    _case("not runs __bool__", _writes("__bool__", "True"), "return not note"),
    _case("or runs __bool__", _writes("__bool__", "True"), "return (note or other).id"),
    _case("len() runs __len__", _writes("__len__", "2"), "return len(note)"),
    _case("a loop runs __iter__", _writes("__iter__", "iter([1])"), "for part in note:\n    return part"),
    _case("a list runs __iter__", _writes("__iter__", "iter([1])"), "return [part for part in note]"),
    _case("a star runs __iter__", _writes("__iter__", "iter([1])"), "return [*note]"),
    _case("[] runs __getitem__", _writes("__getitem__", "self.text", "self, key"), 'return note["text"]'),
    _case("[] runs __index__", _writes("__index__", "0"), "return [1, 2][note]"),
    _case("a slice runs __index__", _writes("__index__", "0"), "return [1, 2][note:]"),
    _case("in runs __contains__", _writes("__contains__", "True", "self, key"), 'return "x" in note'),
    _case("+ runs __add__", _writes("__add__", "1", "self, more"), "return note + 1"),
    _case("an attribute runs __getattr__", _writes("__getattr__", "1", "self, name"), "return note.seen_count"),
    _case(
        "with runs __enter__",
        _writes("__enter__", "self") + "\ndef __exit__(self, *_):\n    pass\n",
        "with note:\n    pass",
    ),
    _case(
        "it writes to what it is related to",
        "def __str__(self):\n    self.job.finish()\n    return self.text\n",
        'return f"{note}"',
    ),
    _case(
        "it writes in a loop",
        "def __str__(self):\n    for job in [self.job]:\n        job.finish()\n    return self.text\n",
        'return f"{note}"',
    ),
    _case(
        "it hands on what it is related to",
        "def __str__(self):\n    mark(self.job)\n    return self.text\n\n",
        'return f"{note}"',
    ),
    _case("a property that writes, by getattr()", PROPERTY, 'return getattr(note, "title")'),
    _case(
        "a property that writes, by attrgetter()",
        PROPERTY,
        'import operator\nreturn sorted(notes, key=operator.attrgetter("title"))[0].id',
    ),
    _case(
        "what runs when an instance is loaded",
        "@reconstructor\ndef opened(self):\n    mark(self.job)\n",
        "return note.id",
    ),
)
ROWS = {
    "what runs when an instance is loaded",
    "it writes to what it is related to",
    "it writes in a loop",
    "it hands on what it is related to",
}
SAFE = (
    _case(
        "a text that only reads", "def __str__(self):\n    return f'{self.id}: {self.text}'\n", 'return f"{note}"', ()
    ),
    _case(
        "an order that only reads",
        "def __lt__(self, other):\n    return self.id < other.id\n",
        "return sorted(notes)[0].id",
        (),
    ),
    _case(
        "a text that keeps a note of its own",
        "def __str__(self):\n    self._cached = 1\n    return self.text\n",
        'return f"{note}"',
        (),
    ),
    _case(
        "a text made of a list of its own",
        "def __str__(self):\n    parts = []\n    parts.append(self.text)\n    return ''.join(parts)\n",
        'return f"{note}"',
        (),
    ),
    _case("another method that writes", STR, "return note.id, note is other, notes[0].text", ()),
    _case(
        "what runs on load and is no column",
        "@reconstructor\ndef opened(self):\n    self._cached = {}\n",
        "return note.id",
        (),
    ),
)
DATA = """
from sqlalchemy import JSON
from sqlalchemy.ext.mutable import MutableDict


class Note(Base):
    __tablename__ = "notes"

    id = Column(Integer, primary_key=True)
    text = Column(String(50))
    seen = Column(Integer, default=0)
    job_id = Column(Integer, ForeignKey("jobs.id"))
    data = Column(MutableDict.as_mutable(JSON), default=dict)
    plain = Column(JSON, default=dict)
"""
POKE = """
import operator


def poke(data):
    data["x"] = 1


def look(data):
    return data.get("x")


"""
POKED = (
    ('data = note.data\ndata["x"] = 1', True),
    ("data = note.data\ndata.update(x=1)", True),
    ('data, count = note.data, 1\ndata["x"] = 1', True),
    ('for data in [one.data for one in [note]]:\n    data["x"] = 1', True),
    ("poke(note.data)", True),
    ('operator.setitem(note.data, "x", 1)', True),
    ("data = dict(note.data)\ndata['x'] = 1", False),
    ("return look(note.data)", False),
    ('return note.data.get("x"), len(note.data), str(note.data)', False),
    ("data = note.plain\nreturn look(data)", False),
)


@pytest.mark.parametrize(("body", "told"), POKED)
def test_a_tracked_value_that_is_changed_in_place_is_told(body: str, told: bool, tmp_path: Path) -> None:
    case = _case(body, "", body)
    setup = case.body.replace("id, text, seen, job_id", "id, text, seen, job_id, data, plain")
    setup = setup.replace("'a', 0, 1)", "'a', 0, 1, '{}', '{}')").replace("'b', 0, 2)", "'b', 0, 2, '{}', '{}')")
    case = replace(case, models=DATA, rest=case.rest + POKE, body=setup.replace("sum(seen)", "group_concat(data)"))
    before, after, effects = _run(case, tmp_path)
    assert (bool(effects), before["seen()"] != after["seen()"]) == (told, told)


BEHIND = """
def setup():
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO notes (id, text, seen, job_id) VALUES (1, 'a', 0, 1), (2, 'b', 0, 2)"))


def work():
    s = get_session()
    try:
        job = s.get(Job, 1)
    finally:
        s.close()
    return "there" if job else "not there"
"""
TESTED = (
    Case(
        "the truth of an instance behind the block",
        BEHIND.replace("Job", "Note"),
        "commits",
        ("expires-instances",),
        differs="work()",
        calls=("setup()", "work()"),
        rest="from app.db import engine\nfrom app.models import Note\n",
        models=NOTE.format(methods="    def __bool__(self):\n        return self.text == 'a'\n"),
    ),
    Case("the truth of an instance that has none of its own", BEHIND, "commits", (), differs="work()"),
)


def _run(case: Case, tmp_path: Path) -> tuple[dict[str, object], dict[str, object], list[str]]:
    files, outcome = plan_of(case)
    effects = sorted({effect.code for site in outcome.sites for effect in site.effects})
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    return before, run_of(files, case.calls, tmp_path / "after.db"), effects


@pytest.mark.parametrize("case", TOLD, ids=lambda c: c.title)
def test_what_runs_unnamed_and_writes_is_told(case: Case, tmp_path: Path) -> None:
    before, after, effects = _run(case, tmp_path)
    differs = "rows" if case.title in ROWS else case.differs
    assert (set(case.effects) <= set(effects), before[differs] != after[differs]) == (True, True)


@pytest.mark.parametrize("case", SAFE, ids=lambda c: c.title)
def test_what_runs_unnamed_and_reads_is_safe(case: Case, tmp_path: Path) -> None:
    before, after, effects = _run(case, tmp_path)
    assert (effects, before) == ([], after)
    assert "Error" not in str(before["work()"])


@pytest.mark.parametrize("case", TESTED, ids=lambda c: c.title)
def test_the_truth_of_what_outlives_the_block(case: Case, tmp_path: Path) -> None:
    before, after, effects = _run(case, tmp_path)
    assert effects == list(case.effects)
    assert (before["work()"] != after["work()"]) is bool(case.effects)
