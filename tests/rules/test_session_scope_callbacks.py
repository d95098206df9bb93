"""Functions that builtins run, and queries that are passed on, run on a real database before and after."""

from pathlib import Path
from textwrap import indent

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

WORK = """
kept = []


def purge(query):
    return query.delete()


def only(query, job_id):
    return query.filter(Job.id == job_id)


def mark(job):
    job.done = True
    return job.id


def plain(job):
    return job.id


def keep(job):
    kept.append(job)
    return job.id


class Marker:
    def __call__(self, job):
        job.done = True
        return job.id


marker = Marker()


def change(run, keep):
    s = get_session()
    try:
        job = s.get(Job, 1)
        query = s.query(Job).filter(Job.id > 0)
        jobs = query.all()
{statement}
    finally:
        s.close()


def work():
    change(mark, keep)
    return [job.name for job in kept]
"""
IMPORTS = "import functools\nimport heapq\nimport itertools\nimport operator\n"


def _case(statement: str) -> Case:
    return Case(statement, WORK.format(statement=indent(statement, " " * 8)), "commits", rest=IMPORTS)


TOLD = (
    "kept_method = query.delete\nkept_method()",
    "kept_method = query.update\nkept_method({'done': True})",
    "getattr(query, 'delete')()",
    "operator.methodcaller('delete')(query)",
    "purge(query)",
    "purge(s.query(Job))",
    "[run() for run in (query.delete,)]",
    "{'x': query.delete}['x']()",
    "(lambda: query.delete())()",
    "later = lambda: query.delete()\nlater()",
    "def later():\n    query.delete()\nlater()",
    "s.query(Job).from_statement(text('UPDATE jobs SET done = 1 RETURNING *')).all()",
    "s.identity_map.values()[0].done = True",
    "list(map(run, jobs))",
    "list(map(run, query))",
    "max(jobs, key=run)",
    "sorted(query, key=run)",
    "jobs.sort(key=run)",
    "list(filter(run, jobs))",
    "functools.reduce(lambda one, other: run(other), jobs)",
    "list(itertools.takewhile(run, jobs))",
    "list(itertools.groupby(jobs, key=run))",
    "list(itertools.starmap(run, [(one,) for one in jobs]))",
    "heapq.nlargest(1, jobs, key=run)",
    "list(map(lambda done: setattr(job, 'done', done), [True]))",
    "list(map(functools.partial(setattr, job, 'done'), [True]))",
    "list(map(lambda one: setattr(one, 'done', True), jobs))",
    "sorted(jobs, key=lambda one: one.finish() or 1)",
    "list(map(mark, jobs))",
    "sorted(jobs, key=mark)",
    "list(map(marker, jobs))",
    "list(map(Job.finish, jobs))",
    "list(map(operator.methodcaller('finish'), jobs))",
    "next(map(run, jobs))",
    "sum(map(run, jobs))",
    "list(map(keep, jobs))",
    "max(jobs, key=keep)",
    "sorted(jobs, key=lambda one: kept.append(one) or 1)",
)
SAFE = (
    "return only(query, 1).first().name",
    "return only(s.query(Job), 1).count()",
    "return len(list(map(plain, jobs)))",
    "return max(jobs, key=plain).name",
    "return sorted(jobs, key=lambda one: one.id)[0].name",
    "return sorted(jobs, key=operator.attrgetter('id'))[0].name",
    "return list(map(str, (one.id for one in jobs)))",
    "return s.query(Job).filter(Job.id.in_(s.query(Task.job_id))).count()",
    "return s.query(Job).from_statement(text('SELECT * FROM jobs')).first().name",
)


@pytest.mark.parametrize("statement", TOLD)
def test_what_a_builtin_runs_or_a_query_does_is_told(statement: str, tmp_path: Path) -> None:
    case = _case(statement)
    files, outcome = plan_of(case)
    assert any(site.effects for site in outcome.sites)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before != after


@pytest.mark.parametrize("statement", SAFE)
def test_what_only_reads_is_safe(statement: str, tmp_path: Path) -> None:
    case = _case(statement)
    files, outcome = plan_of(case)
    assert [effect for site in outcome.sites for effect in site.effects] == []
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")
    assert before["work()"] == "[]"
