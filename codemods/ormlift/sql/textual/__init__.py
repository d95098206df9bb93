"""Text that is executed on a session, a connection or an engine of SQLAlchemy: found, read and written anew.

Unlike a raw cursor's, its receiver stays: `session.execute(text(..), {..})` becomes `session.execute(select(..))`, and
what is fetched from it comes as the same kind of Row. So each execution is a site of its own.
"""
