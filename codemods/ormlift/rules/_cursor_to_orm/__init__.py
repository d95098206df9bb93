"""Calls of functions that run the SQL they are given: the call becomes the function's body, and that the ORM's.

    rows = query("SELECT id, name FROM users WHERE id = ?", (user_id,))

`query` opens a connection, executes its parameter, and returns what it fetches. The call is expanded in a copy of the
file, what stands there is a connection's life like any other, and what becomes of it is put where the call stood. The
function itself stays, for those who still call it.
"""
