"""More ways in which instances leave a block, run on a real database before and after."""

from pathlib import Path
from textwrap import indent

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

WORK = """
kept = []
held = {{}}
found_in = {{"jobs": []}}


class Box:
    jobs = []


def shared():
    return found_in


def store(out, flag=False, others=()):
    s = get_session()
    try:
        job = s.get(Job, 1)
        jobs = s.query(Job).all()
{statement}
    finally:
        s.close()
{behind}


def work():
    found = store(kept)
    return {read}
"""
TOLD = ("expires-instances",)
IMPORTS = "import collections\nimport contextlib\nimport inspect\nimport operator\n"


def _case(statement: str, read: str, effects: tuple[str, ...] = TOLD, behind: str = "    return None") -> Case:
    body = WORK.format(statement=indent(statement, " " * 8), read=read, behind=behind)
    return Case(statement, body, "commits", effects, differs="work()", rest=IMPORTS)


def _behind(behind: str, effects: tuple[str, ...] = TOLD) -> Case:
    case = _case("count = len(jobs)", "found", effects, indent(behind, " " * 4))
    return Case(behind, case.body, "commits", effects, differs="work()", rest=IMPORTS)


OUT = (
    _case("list(map(out.append, s.query(Job)))", "kept[0].name"),
    _case('return {"names": map(lambda job: job.name, s.query(Job).all())}', 'list(found["names"])'),
    _case('operator.setitem(held, "x", job)', 'held["x"].name'),
    _case("operator.iadd(out, [job])", "kept[0].name"),
    _case("list.append(out, job)", "kept[0].name"),
    _case('held.__setitem__("x", job)', 'held["x"].name'),
    _case("return job.__repr__", "found.__self__.name"),
    _case("return job.finish", "found.__self__.name"),
    _case("return jobs.__getitem__(0)", "found.name"),
    _case("return job.tasks.__iter__()", "[task.title for task in found]"),
    _case('return type("Made", (), {"job": job})', "found.job.name"),
    _case("return sum([[one] for one in jobs], [])", "found[0].name"),
    _case('return collections.defaultdict(lambda: job)["x"]', "found.name"),
    _case("return locals()", 'found["job"].name'),
    _case("out.append(vars())", 'kept[0]["job"].name'),
    _case("return inspect.currentframe()", 'found.f_locals["job"].name'),
    _case("class Inner:\n    one = job\nreturn Inner", "found.one.name"),
    _case("mine = out\nmine.append(job)", "kept[0].name"),
    _case("mine = other = out\nother.append(job)", "kept[0].name"),
    _case("mine, other = out, 1\nmine.append(job)", "kept[0].name"),
    _case("mine = out if not flag else []\nmine.append(job)", "kept[0].name"),
    _case('shared()["jobs"].append(job)', 'found_in["jobs"][0].name'),
    _case('mine = shared()["jobs"]\nmine.append(job)', 'found_in["jobs"][0].name'),
    _case("for mine in [out]:\n    mine.append(job)", "kept[0].name"),
    _case("for _, mine in [(1, out)]:\n    mine.append(job)", "kept[0].name"),
    _case("[mine.append(job) for mine in (out,)]", "kept[0].name"),
    _case("with contextlib.nullcontext(out) as mine:\n    mine.append(job)", "kept[0].name"),
    _case("mine = [out]\nmine[0].append(job)", "kept[0].name"),
    _case("mine = dict(a=out)\nmine['a'].append(job)", "kept[0].name"),
    _case("mine = {}\nmine['a'] = out\nmine['a'].append(job)", "kept[0].name"),
    _case("mine = Box()\nmine.jobs.append(job)", "Box.jobs[0].name"),
    _behind("if flag:\n    job = 1\nreturn job.name"),
    _behind("if not flag:\n    return job.name\njob = 1"),
    _behind("for job in others:\n    pass\nreturn job.name"),
    _behind("[job for job in others]\nreturn job.name"),
    _behind("(job := 1) if flag else None\nreturn job.name"),
    _behind("flag and (job := 1)\nreturn job.name"),
    _behind("match flag:\n    case True:\n        job = 1\nreturn job.name"),
)
KEPT = (
    _case('return {"names": list(map(lambda job: job.name, s.query(Job).all()))}', 'found["names"]', ()),
    _case("mine = []\nmine.append(job)\nout.append(len(mine))", "kept", ()),
    _case("mine = collections.defaultdict(list)\nmine[1].append(job)\nout.append(len(mine))", "kept", ()),
    _case("mine = {'jobs': []}\nmine['jobs'].append(job)\nout.append(mine['jobs'][0].name)", "kept", ()),
    _case("names = list(out)\nnames.append(job)\nreturn len(names)", "found", ()),
    _case("return job.__class__.__name__", "found", ()),
    _case("return sum(one.id for one in jobs)", "found", ()),
    _behind("job = 1\nreturn job", ()),
    _behind("for job in others:\n    job.close()\nreturn 1", ()),
    _behind("return [job for job in others]", ()),
)


@pytest.mark.parametrize("case", [*OUT, *KEPT], ids=lambda c: c.title)
def test_what_leaves_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    effects = {effect.code for site in outcome.sites for effect in site.effects}
    assert effects >= set(case.effects) if case.effects else not effects
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert (before["work()"] != after["work()"]) is bool(case.effects)
    assert "Error" not in str(before["work()"])
