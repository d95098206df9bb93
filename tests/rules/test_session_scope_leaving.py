"""More ways in which instances leave a block, run on a real database before and after."""

from pathlib import Path

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

WORK = """
kept = []


def store(out):
    s = get_session()
    try:
        {statement}
    finally:
        s.close()


def work():
    found = store(kept)
    return [job.name for job in kept] or list(found["names"])
"""


def _case(title: str, statement: str, effects: tuple[str, ...] = ("expires-instances",)) -> Case:
    return Case(title, WORK.format(statement=statement), "commits", effects, differs="work()")


TOLD = (
    _case("map to the method of a list", "list(map(out.append, s.query(Job)))"),
    _case("a lazy map in a dict", 'return {"names": map(lambda job: job.name, s.query(Job).all())}'),
)
SAFE = (_case("a list in a dict", 'return {"names": list(map(lambda job: job.name, s.query(Job).all()))}', ()),)


@pytest.mark.parametrize("case", [*TOLD, *SAFE], ids=lambda c: c.title)
def test_what_leaves_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert (before["work()"] != after["work()"]) is bool(case.effects)
