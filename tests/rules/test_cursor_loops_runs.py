"""Cursor code whose SQL is built in loops that stay: every way, before and after."""

from itertools import product

import pytest
from ormlift.model import Planned, Refused, Status, Unchanged, Verdict
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_helpers_runs import END, OPEN, plan

__all__ = ["world"]

HEAD = 'import json\n\nfrom app.db import open_db\n\nNAMES = ("title", "stage")\n\n\n'
LISTS = "    sets = []\n    params = []\n"
UPDATE = """\
    if not sets:
        return 0
    params.append(c)
    n = conn.execute(f"UPDATE jobs SET {', '.join(sets)} WHERE id = ?", params).rowcount
    conn.commit()
    conn.close()
    return n
"""
GIVEN = """\


def f(a, b, c):
    data = {"title": b} if b else {}
    if a is not None:
        data["stage"] = a
    if c:
        data["count"] = 4
    return g(data, c)
"""
G = "def g(data, c):\n    conn = open_db()\n"
# name -> `f(a, b, c)`
SAME: dict[str, str] = {
    "names that a dict may have": G
    + LISTS
    + """\
    for name in ("title", "stage", "count"):
        if name in data:
            sets.append(f"{name} = ?")
            params.append(data[name])
"""
    + UPDATE
    + GIVEN,
    "names of a constant": G
    + LISTS
    + """\
    for name in NAMES:
        if name not in data:
            continue
        value = data[name]
        sets.append(f"{name} = ?")
        params.append(value)
"""
    + UPDATE
    + GIVEN,
    "a dict whose keys are looked at": G
    + LISTS
    + """\
    allowed = {"title", "stage"}
    for key, value in data.items():
        if key in allowed and value is not None:
            sets.append(f"{key} = ?")
            params.append(value)
    if sets:
        sets.append("customer = ?")
        params.append("Bo")
"""
    + UPDATE
    + GIVEN,
    "keys that are left out": G
    + LISTS
    + """\
    sets.append("customer = 'Bo'")
    for key in sorted(data):
        if key not in NAMES:
            continue
        sets.append(f"{key} = ?")
        params.append(data[key])
    sets.append("rush = ?")
    params.append(True)
"""
    + UPDATE
    + GIVEN,
    "pairs": OPEN
    + LISTS
    + """\
    for column, value in (("title", b), ("stage", a), ("count", c)):
        if value is not None:
            sets.append(f"{column} = ?")
            params.append(value)
"""
    + UPDATE,
    "pairs beside a function of SQL": OPEN
    + LISTS
    + """\
    for column, value in [("title", b), ("stage", a)]:
        if value is not None:
            sets.append(f"{column} = ?")
            params.append(value)
    if b:
        sets.append("count = COALESCE(count, 0) + 1")
"""
    + UPDATE,
    "columns": G
    + """\
    columns, marks, values = ["ticket", "rush"], ["?", "?"], ["T-9", 0]
    for key in ("title", "stage", "count"):
        columns.append(key)
        marks.append("?")
        values.append(data.get(key, 7))
    sql = "INSERT INTO jobs (" + ", ".join(columns) + ") VALUES (" + ", ".join(marks) + ")"
    conn.execute(sql, values)
"""
    + END
    + GIVEN,
    "conditions": OPEN
    + """\
    conditions = ["id > 0"]
    params = []
    for word in (b, "none", c):
        if word:
            conditions.append("(title <> ? OR customer = ?)")
            params.extend([str(word), b])
    rows = conn.execute("SELECT id FROM jobs WHERE " + " AND ".join(conditions), params).fetchall()
    rows = [row[0] for row in rows]
"""
    + END
    + "    return rows\n",
    "a value that is made in the loop": G
    + LISTS
    + """\
    for key, value in data.items():
        if key not in NAMES:
            continue
        if key == "title":
            value = value.upper()
        sets.append(f"{key} = ?")
        params.append(value)
"""
    + UPDATE
    + GIVEN,
    "a loop that raises": G
    + LISTS
    + """\
    for key, value in data.items():
        if key not in ("title", "stage"):
            conn.close()
            raise KeyError(key)
        sets.append(f"{key} = ?")
        params.append(value)
"""
    + UPDATE
    + GIVEN,
    "a dict of names that are allowed": G
    + """\
    fields = {key: value for key, value in data.items() if key in NAMES and value is not None}
    if not fields:
        return None
    sets = ", ".join(f"{key} = ?" for key in fields)
    n = conn.execute(f"UPDATE jobs SET {sets} WHERE id = ?", [*fields.values(), c]).rowcount
"""
    + END
    + "    return n\n"
    + GIVEN,
    "a dict of names with one more": G
    + """\
    fields = {name: data[name] for name in ("title", "count") if name in data}
    fields["customer"] = "Bo"
    sets = ", ".join([f"{name} = ?" for name in fields.keys()])
    values = list(fields.values())
    values.append(c)
    conn.execute(f"UPDATE jobs SET {sets} WHERE id = ?", values)
"""
    + END
    + GIVEN,
}
WAYS = list(product((None, 0, 2), (None, "Ada"), (None, 3)))


@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(world: World, name: str) -> None:
    text = HEAD + SAME[name]
    outcome = plan(text)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert site.status is Status.REWRITTEN
    assert {c.verdict for c in site.certificates} == {Verdict.PROVEN}
    assert "open-keys" not in {effect.code for effect in site.effects}
    after = outcome.after.text
    assert isinstance(plan(after), Unchanged)
    assert not any(said in after for said in ("open_db()", ".join(", "params", " = ?"))
    for given in WAYS:
        before, now = (world.run(t, lambda space, g=given: space["f"](*g)) for t in (text, after))  # type: ignore[misc]
        assert repr(now.error) == repr(before.error), given
        assert repr(now.result) == repr(before.result), given
        assert now.rows == before.rows, given


LOOP = (
    G
    + LISTS
    + """\
    for key in NAMES:
        if key in data:
            sets.append(f"{key} = ?")
            params.append(data[key])
"""
    + UPDATE
)
ITEMS = LOOP.replace("for key in NAMES:", "for key, value in data.items():").replace("key in data:", "key in NAMES:")
STAYS: dict[str, str] = {
    "no assignment on some way": LOOP.replace("    if not sets:\n        return 0\n", ""),
    "names that come twice": LOOP.replace("NAMES", '("title", "stage", "title")'),
    "a name that is no column": LOOP.replace("NAMES", '("title", "stages")'),
    "a name in another case": LOOP.replace("NAMES", '("title", "Stage")'),
    "a name of a column of JSON": LOOP.replace("NAMES", '("title", "marks")'),
    "a column that is set beside them": LOOP.replace(
        "    if not sets", "    sets.append('stage = 2')\n    if not sets"
    ),
    "names that change": LOOP.replace("in NAMES:", "in names:").replace(
        LISTS, LISTS + '    names = ["title"]\n    names.append(c)\n'
    ),
    "names of a constant that changes": LOOP.replace("NAMES", "FIELDS").replace(
        "def g", 'FIELDS = ["title"]\n\n\ndef h(x):\n    FIELDS.append(x)\n\n\ndef g'
    ),
    "names from outside": LOOP.replace("NAMES", "names").replace("g(data, c)", "g(data, c, names)"),
    "keys that are looked at elsewhere": ITEMS.replace("key in NAMES:", "key in allowed:").replace(
        "g(data, c)", "g(data, c, allowed)"
    ),
    "keys of which some are left out": ITEMS.replace("key in NAMES:", "key not in NAMES:"),
    "a key that is made": LOOP.replace("            sets", "            key = key.lower()\n            sets"),
    "a list that is made anew": LOOP.replace("            sets", "            sets = []\n            sets"),
    "a list that is read": LOOP.replace("if key in data", "if key in data and len(sets) < 1"),
    "a list that is printed": LOOP.replace("            sets", "            print(sets)\n            sets"),
    "an expression of the key": LOOP.replace("{key} = ?", "{key} = {key} || ?"),
    "a name of another column": LOOP.replace("{key} = ?", "customer = ?"),
    "two values": LOOP.replace("            params", "            params.append(1)\n            params"),
    "a value on some way": LOOP.replace("            params", "            if c:\n                params").replace(
        "if c:\n                params.append(data[key])", "if c:\n                params.append(data[key])"
    ),
    "a value from behind the loop": LOOP.replace("            params.append(data[key])\n", "").replace(
        "    if not sets", "    params.append(data[key])\n    if not sets"
    ),
    "two places": LOOP.replace(
        "            params", '            wheres.append("count > ?")\n            params.append(1)\n            params'
    )
    .replace(LISTS, LISTS + '    wheres = ["id > 0"]\n')
    .replace("WHERE id = ?", "WHERE {' AND '.join(wheres)} AND id = ?"),
    "a loop that executes": LOOP.replace(
        "            params", "            conn.execute('SELECT 1')\n            params"
    ).replace("conn.execute('SELECT 1')", 'conn.execute(f"SELECT {key} FROM jobs")'),
    "a loop in a loop": LOOP.replace("            sets", "            for n in data:\n                sets").replace(
        "            params", "                params"
    ),
    "a while": LOOP.replace("    for key in NAMES:\n", '    key = "title"\n    while key:\n'),
    "a key of a class": LOOP.replace("in NAMES", "in c.names"),
    "a condition of the key": (
        OPEN
        + '    conditions = ["id > 0"]\n    params = []\n    for key in NAMES:\n'
        + '        conditions.append(f"{key} <> ?")\n        params.append(b[key])\n'
        + '    rows = conn.execute("SELECT id FROM jobs WHERE " + " AND ".join(conditions), params).fetchall()\n'
        + END
    ),
    "a dict of names of which one is no column": G
    + """\
    fields = {name: data[name] for name in ("title", "stages") if name in data}
    sets = ", ".join([f"{name} = ?" for name in fields.keys()])
    conn.execute(f"UPDATE jobs SET {sets} WHERE id = ?", [*fields.values(), c])
"""
    + END,
    "a dict of names that more is put into": G
    + """\
    fields = {name: data[name] for name in NAMES if name in data}
    fields.update(c)
    sets = ", ".join([f"{name} = ?" for name in fields.keys()])
    conn.execute(f"UPDATE jobs SET {sets} WHERE id = ?", [*fields.values(), c])
"""
    + END,
    "keys of a dict that a function may change": LOOP.replace("in NAMES:", "in data:").replace(
        LISTS, LISTS + '    data = {"title": c}\n    more(data)\n'
    ),
    "a try around": LOOP.replace("            sets", "            try:\n                sets").replace(
        "            params.append(data[key])\n",
        "                params.append(int(data[key]))\n            except ValueError:\n                continue\n",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused), outcome.after.text if isinstance(outcome, Planned) else outcome


def test_the_loops_of_the_others_are_rewritten() -> None:
    assert isinstance(plan(HEAD + LOOP), Planned)
    assert isinstance(plan(HEAD + ITEMS), Planned)


@pytest.mark.parametrize("names", ['("title", "rush")', '("title", "passed_at")'])
def test_types_that_convert_are_told(names: str) -> None:
    outcome = plan(HEAD + LOOP.replace("NAMES", names))
    assert isinstance(outcome, Planned)
    assert "bind-type" in {effect.code for site in outcome.sites for effect in site.effects}


def test_an_insert_of_no_key_is_told() -> None:
    body = G + (
        """\
    fields = {name: data[name] for name in ("ticket", "title") if name in data}
    columns, marks = ", ".join(fields), ", ".join("?" for _ in fields)
    conn.execute(f"INSERT INTO jobs ({columns}) VALUES ({marks})", list(fields.values()))
"""
    )
    outcome = plan(HEAD + body + END)
    assert isinstance(outcome, Planned)
    (told,) = [e.message for site in outcome.sites for e in site.effects if e.code == "open-keys"]
    assert "fields without any key inserts a row of defaults" in told


def test_keys_that_nothing_says_are_told() -> None:
    models = PROJECT["app/models.py"].replace("(JSON)", "(Text)").replace("dict | None", "str | None")
    body = ITEMS.replace("if key in NAMES:", "if value is not None:")
    outcome = plan(HEAD + body, **{"app/models": models})
    assert isinstance(outcome, Planned)
    assert "open-keys" in {effect.code for site in outcome.sites for effect in site.effects}
    assert "sets[key] = data[key]" in outcome.after.text


def test_it_reads_as_one_would_write_it() -> None:
    outcome = plan(HEAD + SAME["pairs"])
    assert isinstance(outcome, Planned)
    assert (
        """\
        sets = {}
        for column, value in (("title", b), ("stage", a), ("count", c)):
            if value is not None:
                sets[column] = value
        if not sets:
            return 0
        n = session.execute(update(Job).where(Job.id == c).values(**sets)).rowcount
"""
        in outcome.after.text
    )
