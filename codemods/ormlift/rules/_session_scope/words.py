"""What the codes of `session-scope` mean: each reason with the way out, each effect with how to judge it."""

from __future__ import annotations

REASONS = {
    "no-scope": "No scope is configured for the file and none was found. Set `session-scope` in `[tool.ormlift]`.",
    "scope-not-bound": (
        "The scope's first name is bound nowhere in the file and the configuration does not say where it is imported "
        "from. Give the scope an `import`."
    ),
    "import-cycle": "Importing the scope would close a circle of imports. Move it, or import it inside the function.",
    "no-service-scope": (
        "The configured scope is one of the object (`self.name`), and the class has none of that name. `service-scope` "
        "writes it: run both codemods, with --unsafe."
    ),
    "name-taken": "The scope's first name means something else in this file or function. Rename one of them.",
    "scope-takes-arguments": "The scope needs arguments, which the codemod can't make up. Configure another.",
    "scope-yields-other": "The scope hands out something else than a session. Configure another.",
    "async-mismatch": "An async session needs an async scope, and the other way round. Configure one with `where`.",
    "not-awaited": "The function is a coroutine and is not awaited: the variable holds no session. Await it.",
    "own-definition": "The block is the body of a scope or of a function that hands out sessions. It must stay.",
    "owned-elsewhere": "The session is shared and not closed here: whoever shares it closes it. Nothing to do.",
    "never-closed": "Nothing in the function closes the session. Say where its life ends: close it in a finally.",
    "never-named": "The session is used or passed on without a name, so its life can't be seen. Give it a variable.",
    "closed-elsewhere": "The close stands apart from the block that opens. Put it into a finally right behind.",
    "closed-in-several-places": "The session is closed before each return or handler. Close it once, in a finally.",
    "closed-by-callee": "A function is handed the session and may close it. Close it here, in a finally.",
    "finally-does-more": (
        "The finally closes under a condition of its own, or goes on after the close with what would run before it "
        "inside a scope. Move that behind the try, or before the close."
    ),
    "empty-block": "Nothing is done with the session. Remove it.",
    "reassigned": "The variable is bound again while the session is open. Use another name.",
    "aliased": "The session gets a second name, which may be used after the block. Use one name.",
    "captured": "A nested function, lambda or generator sees the session and may run later. Pass it as an argument.",
    "generator": "The block yields, so whoever iterates decides when it ends. Open the scope there.",
    "returned": "The session is returned and outlives the block. Open the scope in the caller.",
    "stored": "The session is kept on an object, a class or in a container. Open a scope where it is used.",
    "kept-by-object": "An object made with the session keeps it beyond the block. Move its uses into the block.",
    "may-be-given": "The session may be the caller's, which must not be closed here. Split the function.",
    "global-name": "The variable is global or nonlocal, so others see the session. Use a variable of the function.",
    "used-after-close": "The session is used again after its close. Move that into the block, or open a second one.",
    "transaction-control": "The block takes the transaction into its own hands. Open the scope by hand.",
    "own-with": "The block opens `with session`, which closes it. Merge the two by hand.",
    "unusual-assignment": "The session is bound by `:=` or to several targets. Write a plain assignment.",
    "unusual-use": "The session is used in a way that can't be followed. Write it more plainly.",
}

EFFECTS = {
    "commits-uncommitted": (
        "A path leaves with changes that were rolled back at close and are now committed. If the commit was forgotten, "
        "this is what you want; if leaving without it was meant to discard, call rollback() there first."
    ),
    "may-commit-uncommitted": (
        "The session or an instance goes to code that could not be read, or that calls further, and may leave changes "
        "uncommitted; they would now be committed. Read that code, or commit in the block. Functions of the project, of"
        " this file or others, are looked into a few levels deep where it is certain which they are."
    ),
    "swallowed-error-then-commit": (
        "A handler goes on after an error without rollback: the scope's commit then raises, or commits a half. It "
        "raises PendingRollbackError too where the error was a lost connection, even if the block only reads. Call "
        "rollback() in the handler."
    ),
    "expires-instances": (
        "An instance outlives the block; the scope's commit expires it, so that reading an attribute raises "
        "DetachedInstanceError. Read what is needed inside the block, or use a scope that only closes."
    ),
    "wraps-errors": "Errors that leave the block come as the scope's type, which who catches the old one must learn.",
    "swallows-errors": "The scope keeps errors from the caller: code behind the block runs as if nothing had happened.",
    "errors-at-entry": "What opening the session may raise comes in front of the handlers that caught it.",
    "handler-after-close": "A handler did its work before rollback and close, and does it behind them: locks are gone.",
    "shared-session": "The session is shared with others on one side: commit, rollback and close reach further.",
    "other-engine": "The scope's session is bound to another engine: it may be another database, or a replica.",
    "drops-factory-work": (
        "The function that handed out the session does more than make it: sets it up, adds rows, registers listeners, "
        "logs. The scope gets its session elsewhere. Let the scope call that function, or move the work into it."
    ),
    "runs-listeners": (
        "The project listens for commits or rollbacks of such sessions, or its session class does more at them. The "
        "scope commits at its exit, and rolls back after an error, also where the block only read. Use a scope that "
        "only closes, or read what runs."
    ),
    "given-manager": (
        "What hands out the session is handed in without a type, and taken to be the project's class that has such a "
        "method. A test or another caller may hand in something else, which the scope does not ask. Annotate it, or "
        "let the scope ask it."
    ),
    "patched-name": (
        "A test puts another in the place of what hands out the session. The scope does not ask for it in that way, so "
        "that the test would run with a real session: let it patch what the scope asks for. Where the call itself is "
        "entered, a mock gives another object at `with`: let it be a session, or set its `__enter__`."
    ),
    "other-source": (
        "What hands out the session may be another than was read: a subclass has its own method, or a function binds "
        "the global anew. The scope does not ask it. Let it ask, or see that the other opens the same session."
    ),
    "other-factory": (
        "The sessions are made with other options, such as autoflush or another class. Build the scope on the same "
        "factory, or read what the option changes here."
    ),
    "breaks-begun-transaction": (
        "The scope's transaction is that of `with session.begin()`, which ends with the block's first commit or "
        "rollback; any use behind it raises. Remove the block's commit, or use a scope that commits by itself."
    ),
    "close-may-raise": (
        "A handler around the close took its error, such as that of a connection which was lost; a scope lets it out, "
        "unless it has such a handler itself. Or the scope stands in a try, whose handler now sees what came behind it."
    ),
    "now-closed": (
        "Nothing closed the session: it lived until nobody referred to it. Now it is closed when the block ends, and "
        "an instance can load nothing more behind it."
    ),
    "drops-arguments": "The session was made with arguments that the scope does not get.",
    "not-closed": "The scope does not close the session, or is not known to. Close it in the scope.",
    "scope-unknown": "What the scope does at exit could not be read. Read it, and judge.",
}
