"""Names that tests patch, so that the block gets a session of theirs: the scope may ask for another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ormlift.model import Effect
from ormlift.project.escape.choice import Named
from ormlift.project.escape.hooks import Hook, Hooks
from ormlift.project.escape.sites import Found
from ormlift.project.index import ProjectIndex
from ormlift.project.patched import ANY, UNKNOWN, Patch
from ormlift.syntax import Module, dotted

_NEAR = 8  # patches so many lines apart are of one test or fixture
_Place = tuple[str, str]  # file and name; the file is empty where it can't be told


def patched_names(module: Module, found: Found, named: Named, index: ProjectIndex) -> list[Effect]:
    """The effect of no more asking for a name that a test patches; none where the scope asks for it just so."""
    if not index.imports.patches:
        return []
    before, is_own = _asked_before(module, found, index)
    patches = [
        (path, patch, hooks)
        for name in {ANY, *(hook.name.rpartition(".")[2] for hook in before)}
        for path, patch in index.imports.patches.get(name, ())
        if (hooks := {h for h in before if any(_meets(h, p) for p in _places(path, patch, module, index))})
    ]
    patches = [p for p in patches if not (p[1].made and is_own) and index.imports.may_run(p[0], module.source.path)]
    if named.own:  # asks as before: only a mock in the place of the name itself would be entered, and give another
        here = module.source.path
        patches = [p for p in patches if p[1].mocked and p[1].holder != UNKNOWN and any(h.path == here for h in p[2])]
    if not patches:
        return []
    after = set() if named.own else {h for h in _asked_after(module, found, named, index) if h.path}
    asked = _patches_of({h for h in after if h in before}, module, index)
    for path, patch, hooks in sorted(patches, key=lambda p: (p[0], p[1].line, p[1].name)):
        places = _places(path, patch, module, index)
        known = any(hook.path for hook in hooks)
        if any((h in hooks or not known) and any(_meets(h, place) for place in places) for h in after):
            continue
        if any(near == path and abs(other.line - patch.line) <= _NEAR for near, other in asked):
            continue
        return [Effect("patched-name", found.call.lineno, _told(path, patch, named))]
    return []


def _patches_of(hooks: set[Hook], module: Module, index: ProjectIndex) -> list[tuple[str, Patch]]:
    """The patches of what both the call and the scope ask for, such as the factory: a test that has one is prepared."""
    return [
        (path, patch)
        for name in {hook.name.rpartition(".")[2] for hook in hooks}
        for path, patch in index.imports.patches.get(name, ())
        if any(_meets(h, p) for h in hooks for p in _places(path, patch, module, index) if p[0])
    ]


def _told(path: str, patch: Patch, named: Named) -> str:
    what = f"names of {patch.holder}, one of which may hand" if patch.name == ANY else f"{patch.name}, which hands"
    text = f"line {patch.line} of {path} patches {what} out the session here"
    if named.own:
        return f"{text}: a mock that it puts there must be a context manager that gives itself, as a session is"
    return f"{text}; {named.call} does not ask for it, and that test would get another session: patch what it asks for"


def _asked_before(module: Module, found: Found, index: ProjectIndex) -> tuple[set[Hook], bool]:
    """The hooks of the call, and whether its object is one of a module, which no test makes."""
    call = found.call.args[0] if found.dependency else found.call
    hooks, function = Hooks(index), module.enclosing_function(call)
    hooks.add_call(call, module)
    asked = dotted(getattr(call, "func", call))
    receiver = hooks.receiver(asked, module, function)
    hooks.add_definition(found.source, receiver)
    path, _, name = found.source.factory.rpartition(":")
    made = name.removeprefix(".")
    factory = {Hook(path, made)} if path and made.rpartition(".")[2] != found.source.name else set()
    return hooks.found | factory, bool(receiver[1])


def _asked_after(module: Module, found: Found, named: Named, index: ProjectIndex) -> set[Hook]:
    hooks, function = Hooks(index), module.enclosing_function(found.call)
    name = named.call.removesuffix("()")
    hooks.add_name(name, module, function)
    if named.scope is not None:
        wanted = {need.name: f"{need.module}.{need.name}" for need in named.imports}
        hooks.add_definition(named.scope, hooks.receiver(name, module, function, wanted))
    return hooks.found


def _places(path: str, patch: Patch, module: Module, index: ProjectIndex) -> Sequence[_Place]:
    """What a patch may replace: read once, but for what hangs on the module as it stands now."""
    known = index.patch_places.get((path, patch))
    if known is None or any(file == module.source.path for file, _ in known):
        known = index.patch_places[path, patch] = tuple(_replaced(path, patch, module, index))
    return known


def _replaced(path: str, patch: Patch, module: Module, index: ProjectIndex) -> Iterator[_Place]:
    """A name of a file, or an attribute of an object of a file."""
    if patch.name == ANY:
        yield from ((file, ANY) for file, _ in index.imports.held_in(path, patch.holder))
        return
    if patch.holder == UNKNOWN:
        yield "", f"{patch.made}.{patch.name}" if patch.made else patch.name
        return
    for file, name in index.imports.held_in(path, f"{patch.holder}.{patch.name}"):
        if name:
            yield file, name
        if "." in name:
            seen = module if file == module.source.path else index.texts.module(file)
            place = index.place(file, name, seen.imports if seen is not None else None)
            yield place.path, place.name


def _meets(hook: Hook, place: _Place) -> bool:
    """Whether a name that is asked for may be the one that is replaced."""
    path, name = place
    if name == ANY:
        return hook.path == path
    if not path and "." in name:  # of an object that the test makes: it may be handed to the code, as one of its class
        return bool(hook.path) and hook.name == name
    if not path:
        return hook.name.rpartition(".")[2] == name
    if not hook.path:
        return "." in name and name.rpartition(".")[2] == hook.name
    return hook.path == path and hook.name == name
