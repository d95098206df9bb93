"""What the flow analysis knows of the world: the project's models, and names whose calls change no session.

A call that is not known here may do anything with what it is handed, and is told as an effect.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ormlift.project.graph import ImportGraph
from ormlift.project.index import ProjectIndex
from ormlift.syntax import Module, dotted


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


BUILTINS = words(
    "abs all any ascii bin bool bytes callable chr dict dir divmod enumerate filter float format frozenset getattr "
    "hasattr hash hex id int isinstance issubclass iter len list locals map max min next object oct ord pow print "
    "range repr reversed round set slice sorted str sum tuple type vars zip defaultdict Counter OrderedDict deque "
    "namedtuple SimpleNamespace cast deepcopy"
)
CONTAINERS = words(
    "list tuple set frozenset dict sorted reversed enumerate zip filter iter defaultdict deque OrderedDict Counter "
    "SimpleNamespace"
)
ELEMENTS = words("next max min getattr deepcopy cast")

_HARMLESS_ROOTS = words(
    "logging logger log _logger LOGGER LOG json datetime date time timedelta timezone math re os sys uuid hashlib "
    "random secrets itertools functools operator collections statistics decimal Decimal Path pathlib warnings "
    "traceback jinja2 escape markupsafe st click typer console func sa sqlalchemy orm joinedload selectinload "
    "subqueryload contains_eager or_ and_ not_ desc asc case cast literal exists aliased inspect copy string "
    "textwrap base64 urllib csv io pprint messagebox"
)
_HARMLESS_NAMES = words(
    "render_template render_template_string jsonify flash url_for redirect make_response abort Response JSONResponse "
    "HTMLResponse TemplateResponse HTTPException escape Markup sanitize_for_log secure_filename json_response "
    "text select insert update delete joinedload selectinload subqueryload load_only contains_eager or_ and_ not_ "
    "desc asc case literal exists aliased distinct func tuple_ union union_all jsonable_encoder asdict "
    "UUID Decimal Path datetime timedelta date"
)
_HARMLESS_METHODS = words(
    "debug info warning warn error exception critical fatal log isoformat strftime from_orm model_validate "
    "parse_obj dumps loads echo TemplateResponse"
)
QUIET_ROOTS = words("logging logger log _logger LOGGER LOG warnings traceback")
QUIET_METHODS = words("debug info warning warn error exception critical fatal")
QUIET_NAMES = words(
    "str repr print len bool isinstance type hasattr id jsonify flash redirect url_for print_exc HTTPException"
)

PLAIN_METHODS = words(
    "isoformat strftime timestamp date time lower upper strip lstrip rstrip split rsplit splitlines join replace "
    "startswith endswith encode decode format title capitalize count index find total_seconds hex keys"
)
PLAIN_PREFIXES = tuple(words("to_ as_ is_ has_ can_ serialize format count model_dump _serialize _format"))
PLAIN_SUFFIXES = tuple(
    words(
        "_name _names _url _urls _id _ids _count _label _text _at _dict _dicts _json _str _total _percent _status "
        "_response _schema _dto __ total"
    )
)
CONTAINER_CHANGERS = words(
    "append extend insert remove pop clear add discard update setdefault popitem sort reverse difference_update "
    "intersection_update"
)
CONTAINER_READERS = words("get values items keys copy index count")

ATTRIBUTE_SETTERS = words("__setattr__ __delattr__ __setitem__ __delitem__ __iadd__")
DIRTY_METHODS = words("add add_all delete merge bulk_save_objects bulk_insert_mappings bulk_update_mappings")
READ_METHODS = words(
    "query get get_one refresh flush scalar scalars stream stream_scalars execute exec expunge expunge_all expire "
    "expire_all is_modified in_transaction in_nested_transaction get_transaction get_bind no_autoflush begin "
    "begin_nested"
)
RUN_METHODS = words("execute scalar scalars stream stream_scalars exec")
SENDING = words(
    "all first one one_or_none scalar count get update delete fetchall fetchone scalars paginate get_or_404 "
    "first_or_404"
)
BUILDING = words(
    "filter filter_by where order_by join outerjoin options group_by having limit offset distinct select_from label "
    "with_entities subquery desc asc is_ isnot in_ like ilike contains mappings correlate cte alias union union_all "
    "params"
)
UNSENT = words(
    "query add add_all expunge expunge_all expire expire_all delete merge is_modified in_transaction rollback"
)


@dataclass(frozen=True)
class Knowledge:
    """What of the model index the flow analysis asks for, gathered once a file."""

    models: frozenset[str]
    relationships: frozenset[str]
    columns: frozenset[str]  # and properties that are made of columns alone
    mutating: frozenset[str]
    methods: frozenset[str] = frozenset()  # all that mapped classes define
    parts: frozenset[str] = frozenset()  # columns whose values are changed in place, as MutableDict is
    bound: frozenset[str] = frozenset()  # those of them that are no properties: read without a call, they hold it
    writing: frozenset[str] = frozenset()  # properties that write
    special: frozenset[str] = frozenset()  # methods such as `__str__`, which run unnamed, and change the instance
    tested: bool = False  # a class says by a method of its own what its truth or length is
    changed_on_load: bool = False  # loading an instance of some class changes it, or may
    own: frozenset[str] = frozenset()  # names that the file defines itself or imports from the project
    watched: frozenset[str] = frozenset()  # session factories with listeners of their own, as `path:name`
    listeners: Mapping[str, frozenset[str]] = field(default_factory=dict)  # factory -> events; "": of every session
    imports: ImportGraph = field(default_factory=ImportGraph)
    overridden: Mapping[str, frozenset[str]] = field(default_factory=dict)  # class -> methods that subclasses define

    @classmethod
    def of(cls, index: ProjectIndex, module: Module | None = None) -> Knowledge:
        """Gather it, for one file if that is given."""
        if (known := index.gathered.get("knowledge")) is None:
            known = index.gathered["knowledge"] = cls._of_project(index)
        assert isinstance(known, cls)
        return replace(known, own=_own(index, module)) if module is not None else known

    @classmethod
    def _of_project(cls, index: ProjectIndex) -> Knowledge:
        models = index.models
        plain = frozenset(name for m in models for name in m.plain_properties)
        others = frozenset(name for m in models for name in m.methods if name not in m.plain_properties)
        columns = frozenset(c.attr for m in models for c in m.columns) | (plain - others)
        return cls(
            models=frozenset(m.name for m in models),
            relationships=frozenset(r.attr for m in models for r in m.relationships),
            columns=columns,
            parts=frozenset(c.attr for m in models for c in m.columns if c.mutable),
            mutating=frozenset(name for m in models for name in m.mutating_methods),
            methods=frozenset(name for m in models for name in m.methods),
            bound=frozenset(name for m in models for name in m.methods)
            - columns
            - frozenset(p for m in models for p in m.properties),
            writing=frozenset(name for m in models for name in m.mutating_properties),
            special=frozenset(n for m in models for n in m.mutating_methods if n.startswith("__") and n.endswith("__")),
            tested=any(name in ("__bool__", "__len__") for m in models for name in m.methods),
            changed_on_load=any(m.changed_on_load or {"load", "refresh"} & set(m.hooks) for m in models),
            watched=index.watched_factories,
            listeners=index.session_listeners,
            imports=index.imports,
            overridden=index.overridden,
        )

    def is_own(self, name: str) -> bool:
        """Whether a bare name is a function of the project, whatever library has one by that name."""
        return name in self.own and not name[:1].isupper()

    def is_harmless_with_session(self, func: ast.expr) -> bool:
        """The same where it is the session that is handed over: only builtins and plain loggers are trusted with it."""
        name = dotted(func)
        root, _, method = name.partition(".")
        return (root in QUIET_ROOTS and method in QUIET_METHODS) or (name in BUILTINS and not self.is_own(name))

    def is_harmless(self, func: ast.expr) -> bool:
        """Whether calling `func` is known to change neither a session nor an instance that it is handed."""
        name = dotted(func)
        if not name:
            return isinstance(func, ast.Attribute) and func.attr in _HARMLESS_METHODS
        root, _, _ = name.partition(".")
        last = name.rpartition(".")[2]
        if root == name:
            if self.is_own(name):
                return False
            return name in BUILTINS or name in _HARMLESS_NAMES or name.endswith(("Response", "Out", "Read"))
        if root in self.models and name.count(".") > 1:  # an operator of a column: `Job.id.in_(..)`
            return True
        return root in _HARMLESS_ROOTS or last in _HARMLESS_METHODS or last in _HARMLESS_NAMES


def _own(index: ProjectIndex, module: Module) -> frozenset[str]:
    """The functions and classes that a file defines, and what it imports from the project."""
    own = {node.name for node in module.definitions}
    return frozenset(own | {name for name in module.imports if index.is_of_project(module.imports[name], module)})


def is_log(func: ast.expr) -> bool:
    """Whether calling `func` writes to a log or the console."""
    name = dotted(func)
    if isinstance(func, ast.Attribute):
        receiver = name.rpartition(".")[0]
        logs = name.partition(".")[0] in QUIET_ROOTS or "log" in receiver.lower()
        return (logs and func.attr in QUIET_METHODS) or func.attr == "print_exc"
    return name in ("print", "print_exc")


def is_quiet(func: ast.expr) -> bool:
    """Whether calling `func` is taken not to raise: logging, and what a handler builds its answer with."""
    if isinstance(func, ast.Attribute):
        return is_log(func) or func.attr in ("rollback", "isoformat")
    name = dotted(func)
    return name in QUIET_NAMES or name.startswith(("sanitize", "escape"))


def leaves(node: ast.stmt) -> str:
    """The type that a call raises whose only use is to raise: `sys.exit()`, Flask's `abort()`; else empty."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return ""
    name = dotted(node.value.func)
    if name in ("exit", "quit", "sys.exit", "os._exit"):
        return "SystemExit"
    return "HTTPException" if name in ("abort", "flask.abort") else ""
