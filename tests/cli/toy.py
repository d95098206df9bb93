"""ormlift with one small codemod of the tests' own: `python toy.py diff ...` is `ormlift diff ...`.

What is tested with it is what surrounds the codemods: files, git, kills, exit codes. `legacy(..)` becomes `modern(..)`,
`risky(..)` too but with an effect, `never(..)` is refused, and what becomes of `astray(..)` at the top of a module does
not compile; `shifting(..)` is refused where another file imports its own. Spawned workers get it as well.
"""

import ast

import ormlift.rules
from ormlift.model import Effect, Reason, Refusal, ReplaceExpr, Rewrite
from ormlift.rules.base import Codemod, Example


def find(module, context):
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        line, name = node.lineno, node.func.id
        effects = (Effect("louder", line, "modern() logs"),) if name == "risky" else ()
        if name == "crash":
            raise RuntimeError("the toy codemod has a bug")
        if name in ("legacy", "risky"):
            yield Rewrite("toy", line, line, (ReplaceExpr(module.span(node.func), "modern"),), effects=effects)
        if name == "shifting":
            if module.source.path in context.index.imports.asked_for:
                yield Refusal("toy", line, line, Reason("taken", "another file imports this one"))
            else:
                yield Rewrite("toy", line, line, (ReplaceExpr(module.span(node.func), "modern"),))
        if name == "astray":
            yield Rewrite("toy", line, line, (ReplaceExpr(module.span(node.func), "(yield)"),))
        if name == "never":
            yield Refusal("toy", line, line, Reason("not-ever", "never() must stay; call something else"))


TOY = Codemod(
    id="toy",
    title="legacy() becomes modern()",
    explanation="It shows that\nall of it works.",
    needles=((b"legacy",), (b"risky",), (b"never",), (b"crash",), (b"astray",), (b"shifting",)),
    reasons={
        "not-ever": "never() stays. Call something else.",
        "taken": "Another file imports this one. Take the import away.",
    },
    effects={"louder": "modern() logs. Judge whether the log may grow."},
    find=find,
    examples=(
        Example("plain", "legacy(1)\n", "modern(1)\n"),
        Example("stays", "never(1)\n", reason="not-ever"),
        Example("logs", "risky(1)\n", "modern(1)\n", effects=("louder",)),
    ),
)

if __name__ in ("__main__", "__mp_main__"):  # the latter is what a spawned worker calls it
    ormlift.rules.ALL = (TOY,)

if __name__ == "__main__":
    from ormlift_cli.app import main

    main()
