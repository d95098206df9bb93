"""Programs run on a real database before and after `session-scope`: equal where it says safe, and else as it says."""

from pathlib import Path

import pytest
from ormlift.model import Status

from tests.rules.session_runs import Case, files_of, plan_of, run_of

SAFE = (
    Case(
        "reads under a scope that commits",
        """
        def work(job_id):
            s = get_session()
            try:
                job = s.get(Job, job_id)
                if job is None:
                    return None
                return {"name": job.name, "tasks": [t.title for t in job.tasks]}
            finally:
                s.close()
        """,
        "commits",
        calls=("work(1)", "work(99)"),
    ),
    Case(
        "commits on every path that changes",
        """
        def work(job_id, fail=False):
            s = get_session()
            try:
                job = s.get(Job, job_id)
                if job is None:
                    return "none"
                job.done = True
                if fail:
                    raise ValueError("no")
                s.commit()
                return "done"
            except ValueError:
                s.rollback()
                return "failed"
            finally:
                s.close()
        """,
        "commits",
        calls=("work(1)", "work(2, True)", "work(99)"),
    ),
    Case(
        "a rollback before leaving with changes",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="draft"))
                s.flush()
                count = s.query(Job).count()
                s.rollback()
                return count
            finally:
                s.close()
        """,
        "commits",
    ),
    Case(
        "errors pass as they are",
        """
        def work(job_id):
            s = get_session()
            try:
                job = s.get(Job, job_id)
                job.name = None
                if job_id == 1:
                    raise KeyError("one")
                s.commit()
                return job_id
            finally:
                s.close()
        """,
        "commits",
        calls=("work(1)", "work(2)", "work(99)"),
    ),
    Case(
        "a failing commit with rollback and raise",
        """
        def work(name):
            s = get_session()
            try:
                s.add(Job(name=name))
                s.commit()
                return "added"
            except SQLAlchemyError:
                s.rollback()
                raise
            finally:
                s.close()
        """,
        "commits",
        calls=("work('new')", "work('first')"),
    ),
    Case(
        "an instance that had expired before",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
                job.done = True
                s.commit()
                return job
            finally:
                s.close()
        """,
        "commits",
        calls=("work().name",),
    ),
    Case(
        "an instance under a scope that only closes",
        """
        def work():
            s = get_session()
            try:
                return s.get(Job, 1)
            finally:
                s.close()
        """,
        "reads",
        calls=("work().name", "work().tasks"),
    ),
    Case(
        "an instance under a scope that commits and keeps",
        """
        def work():
            s = get_keeping()
            try:
                return s.get(Job, 1)
            finally:
                s.close()
        """,
        "keeps",
        calls=("work().name",),
    ),
    Case(
        "changes thrown away under a scope that only closes",
        """
        def work():
            s = get_session()
            try:
                s.get(Job, 1).done = True
                s.flush()
                return s.query(Job).filter_by(done=True).count()
            finally:
                s.close()
        """,
        "reads",
    ),
    Case(
        "loops with break, continue and an inner try",
        """
        def work():
            s = get_session()
            names = []
            try:
                for job in s.query(Job).order_by(Job.id):
                    try:
                        if job.id == 2:
                            continue
                        names.append(job.name)
                        if len(names) == 2:
                            break
                    except AttributeError:
                        continue
                else:
                    names.append("all")
            finally:
                s.close()
            return names
        """,
        "commits",
    ),
    Case(
        "a block in a loop, left by continue and break",
        """
        def work():
            found = []
            for job_id in (1, 99, 2, 3):
                s = get_session()
                try:
                    name = s.query(Job.name).filter(Job.id == job_id).scalar()
                    if name is None:
                        continue
                    found.append(name)
                    if job_id == 2:
                        break
                finally:
                    s.close()
            return found
        """,
        "commits",
    ),
    Case(
        "a guard, and handlers that know the session",
        """
        def work(job_id):
            s = None
            try:
                s = get_session()
                job = s.get(Job, job_id)
                job.name = "changed"
                s.commit()
                return True
            except AttributeError:
                if s:
                    s.rollback()
                return False
            finally:
                if s:
                    s.close()
        """,
        "commits",
        calls=("work(1)", "work(99)"),
    ),
    Case(
        "a guard, and handlers that don't",
        """
        def work(job_id):
            s = None
            try:
                s = get_session()
                s.add(Task(title="x", job_id=job_id))
                if job_id > 2:
                    raise ValueError(job_id)
                s.commit()
                return True
            except ValueError:
                log.warning("no")
                return False
            finally:
                if s is not None:
                    s.close()
        """,
        "commits",
        calls=("work(1)", "work(3)"),
    ),
    Case(
        "the assignment in a try without handlers",
        """
        def work(job_id):
            log.info("work")
            try:
                s = get_session()
                return s.get(Job, job_id).name
            finally:
                s.close()
        """,
        "commits",
        calls=("work(1)", "work(99)"),
    ),
    Case(
        "no try at all",
        """
        def work(name):
            s = get_session()
            s.add(Job(name=name))
            s.commit()
            s.close()
            return name
        """,
        "commits",
        calls=("work('new')", "work('first')"),
    ),
    Case(
        "a close before each return and in the handler",
        """
        def work(job_id):
            s = get_session()
            try:
                job = s.get(Job, job_id)
                if job is None:
                    s.close()
                    return "none"
                job.name = "changed"
                s.commit()
                s.close()
                log.info("changed")
                return "done"
            except Exception:
                s.rollback()
                s.close()
                raise
        """,
        "commits",
        calls=("work(1)", "work(2)", "work(99)"),
    ),
    Case(
        "the same with the assignment in the try",
        """
        def work(job_id):
            s = None
            try:
                s = get_session()
                job = s.get(Job, job_id)
                job.name = "changed"
                s.commit()
                s.close()
            except Exception as error:
                if s:
                    s.rollback()
                    s.close()
                return type(error).__name__
            return "done"
        """,
        "commits",
        calls=("work(1)", "work(2)", "work(99)"),
    ),
    Case(
        "an early close before the finally's",
        """
        def work(job_id):
            s = get_session()
            try:
                if s.get(Job, job_id) is None:
                    s.close()
                    return "none"
                return "there"
            finally:
                s.close()
        """,
        "commits",
        calls=("work(1)", "work(99)"),
    ),
    Case(
        "a cleanup behind the close",
        """
        def work(fail=False):
            s = get_session()
            try:
                s.add(Job(name="more"))
                if fail:
                    raise ValueError("no")
                s.commit()
            finally:
                s.close()
                DONE.append(len(DONE))
            return DONE
        """,
        "commits",
        calls=("work()", "work(True)", "DONE"),
        rest="DONE = []\n",
    ),
    Case(
        "wrapped errors that are all caught inside",
        """
        def work(job_id):
            s = get_session()
            try:
                return s.get(Job, job_id).name
            except Exception as error:
                s.rollback()
                log.error("failed: %s", error)
                return "none"
            finally:
                s.close()
        """,
        "wraps",
        calls=("work(1)", "work(99)"),
    ),
    Case(
        "an instance that is read by a function of the file",
        """
        def work():
            s = get_session()
            try:
                return show(s.get(Job, 1)) + s.get(Job, 2).name
            finally:
                s.close()
        """,
        "commits",
    ),
    Case(
        "two sessions, one after the other, in one name",
        """
        def work():
            s = get_session()
            try:
                first = s.query(Job).count()
            finally:
                s.close()
            s = get_session()
            try:
                s.add(Job(name="more"))
                s.commit()
            finally:
                s.close()
            return first
        """,
        "commits",
    ),
    Case(
        "one session in another",
        """
        def work():
            a = get_session()
            try:
                name = a.get(Job, 1).name
                b = get_session()
                try:
                    b.add(Job(name=name + "!"))
                    b.commit()
                finally:
                    b.close()
                return name
            finally:
                a.close()
        """,
        "commits",
    ),
    Case(
        "raw SQL that reads",
        """
        def work():
            s = get_session()
            try:
                rows = s.execute(text("SELECT id, name FROM jobs ORDER BY id")).fetchall()
                return [tuple(row) for row in rows] + s.execute(select(Job.name)).scalars().all()
            finally:
                s.close()
        """,
        "commits",
    ),
)

UNSAFE = (
    Case(
        "a change that was rolled back at close",
        """
        def work(job_id):
            s = get_session()
            try:
                job = s.get(Job, job_id)
                job.done = True
                return job.name
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        calls=("work(1)",),
        differs="rows",
    ),
    Case(
        "one path forgets the commit",
        """
        def work(job_id, stop=False):
            s = get_session()
            try:
                s.query(Job).filter_by(id=job_id).update({"done": True})
                if stop:
                    return "stopped"
                s.commit()
                return "done"
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        calls=("work(1)", "work(2, True)"),
        differs="rows",
    ),
    Case(
        "raw SQL that writes",
        """
        def work():
            s = get_session()
            try:
                sql = "DELETE FROM jobs WHERE id = 3"
                s.execute(text(sql))
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        differs="rows",
    ),
    Case(
        "a method that changes the instance",
        """
        def work():
            s = get_session()
            try:
                s.get(Job, 1).finish()
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        differs="rows",
    ),
    Case(
        "an appended relationship",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
                job.tasks.append(Task(title="extra"))
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        differs="rows",
    ),
    Case(
        "a loop that changes what it reads",
        """
        def work():
            s = get_session()
            try:
                for job in s.query(Job).all():
                    job.done = True
            finally:
                s.close()
        """,
        "commits",
        ("commits-uncommitted",),
        differs="rows",
    ),
    Case(
        "a function that changes the instance",
        """
        def work():
            s = get_session()
            try:
                touch(s.get(Job, 1))
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
    ),
    Case(
        "a function elsewhere that is handed the session",
        """
        def work():
            s = get_session()
            try:
                other.change(s)
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
        rest="from app import other\n",
    ),
    Case(
        "an object that keeps the session",
        """
        def work():
            s = get_session()
            try:
                jobs = other.Jobs(s)
                jobs.add("kept")
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
        rest="from app import other\n",
    ),
    Case(
        "a swallowed error commits a half",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="half"))
                s.flush()
                raise ValueError("stop")
            except ValueError:
                log.warning("stopped")
            finally:
                s.close()
        """,
        "commits",
        ("swallowed-error-then-commit",),
        differs="rows",
    ),
    Case(
        "a swallowed error makes the commit raise",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="first"))
                s.commit()
            except Exception:
                log.warning("not added")
            finally:
                s.close()
        """,
        "commits",
        ("swallowed-error-then-commit",),
        differs="work()",
    ),
    Case(
        "a returned instance",
        """
        def work():
            s = get_session()
            try:
                return s.get(Job, 1)
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
    ),
    Case(
        "returned instances in a container, after a commit that they were read behind",
        """
        def work():
            s = get_session()
            try:
                jobs = s.query(Job).all()
                s.commit()
                names = [job.name for job in jobs]
                return {"names": names, "jobs": jobs}
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()['jobs'][0].name",),
        differs="work()['jobs'][0].name",
    ),
    Case(
        "an instance that is read after the block",
        """
        def work():
            s = get_session()
            try:
                job = s.query(Job).first()
            finally:
                s.close()
            return job.name
        """,
        "commits",
        ("expires-instances",),
        differs="work()",
    ),
    Case(
        "an instance that is stored",
        """
        def work():
            s = get_session()
            try:
                CACHE["job"] = s.query(Job).first()
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("(work(), CACHE['job'].name)",),
        differs="(work(), CACHE['job'].name)",
        rest="CACHE = {}\n",
    ),
    Case(
        "an instance that the old factory kept over its commit",
        """
        def work():
            s = get_keeping()
            try:
                job = s.get(Job, 1)
                job.done = True
                s.commit()
                return job
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
    ),
    Case(
        "a session of another database",
        """
        def work():
            s = ArchiveLocal()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "commits",
        ("other-engine",),
        differs="work()",
    ),
    Case(
        "an error of the scope's own query, in front of the handler",
        """
        def work():
            s = get_session()
            try:
                return s.query(Job).count()
            except Exception:
                s.rollback()
                return "handled"
            finally:
                s.close()
        """,
        "asks",
        ("errors-at-entry",),
        differs="work()",
    ),
    Case(
        "an error of a function that refuses a session, in front of the handler",
        """
        def work():
            s = None
            try:
                s = get_ready()
                return s.query(Job).count()
            except Exception:
                if s:
                    s.rollback()
                return "handled"
            finally:
                if s:
                    s.close()
        """,
        "when_ready",
        ("errors-at-entry",),
        differs="work()",
        rest="from app.db import get_ready\n",
        db="""
        ready = False


        def get_ready():
            if not ready:
                raise Trouble("not yet")
            return SessionLocal()


        @contextmanager
        def when_ready():
            session = get_ready()
            try:
                yield session
                session.commit()
            finally:
                session.close()
        """,
    ),
    Case(
        "an error that a caller catches by its type",
        """
        def work():
            s = get_session()
            try:
                s.get(Job, 1)
                raise KeyError("gone")
            finally:
                s.close()
        """,
        "wraps",
        ("wraps-errors",),
        differs="work()",
    ),
    Case(
        "an error that an outer handler catches by its type",
        """
        def work():
            try:
                s = get_session()
                try:
                    return s.query(Job).filter_by(nothing=1).count()
                finally:
                    s.close()
            except SQLAlchemyError:
                return "handled"
        """,
        "wraps",
        ("wraps-errors",),
        differs="work()",
    ),
    Case(
        "an error that does not reach the caller any more",
        """
        def work():
            s = get_session()
            try:
                return s.get(Job, 99).name
            finally:
                s.close()
        """,
        "swallows",
        ("swallows-errors",),
        differs="work()",
    ),
)


@pytest.mark.parametrize("case", SAFE, ids=lambda c: c.title)
def test_safe_means_equal(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect for site in outcome.sites for effect in site.effects] == []
    assert "get_session()" not in files["app/jobs.py"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    if case.title != "no try at all":
        assert before == after
    else:  # a close that an error skipped is now reached
        assert {**before, "open": []} == after
        assert before["open"]


@pytest.mark.parametrize("case", UNSAFE, ids=lambda c: c.title)
def test_the_named_effect_is_seen(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} == set(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]
    same = {"open", "rows", *case.calls} - {case.differs}
    assert {k: before[k] for k in same} == {k: after[k] for k in same}


def test_a_shared_scope_reaches_further(tmp_path: Path) -> None:
    body = """
        def work():
            s = get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()


        def outer():
            with shares() as mine:
                mine.add(Job(name="pending"))
                counted = work()
                mine.rollback()
            return counted
    """
    case = Case("shared", body, "shares", ("shared-session",), calls=("outer()",))
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} == {"shared-session"}
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before["rows"] != after["rows"]


def test_two_sessions_that_overlap(tmp_path: Path) -> None:
    body = """
        def work():
            a = get_session()
            a.add(Job(name="more"))
            b = get_session()
            count = b.query(Job).count()
            a.commit()
            a.close()
            count += b.query(Job).count()
            b.close()
            return count
    """
    case = Case("overlap", body, "commits")
    files, outcome = plan_of(case)
    assert [site.status for site in outcome.sites] == [Status.REWRITTEN, Status.REFUSED]
    assert run_of(files_of(case), case.calls, tmp_path / "before.db") == run_of(
        files, case.calls, tmp_path / "after.db"
    )
