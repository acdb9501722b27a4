"""What an addon asks of models by name, read out of the addon's own code.

Names are asked for by ``super()``, on records whose model can be told from the code,
and as the text of a field's name. There is no list of them to be kept.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path

from odoo.models import BaseModel
from odoo.modules.registry import Registry

# Core says of these methods that they return records of the same model
_SAME_MODEL = {
    name
    for name, member in inspect.getmembers(BaseModel)
    if str(getattr(member, "__annotations__", {}).get("return")).endswith("Self")
} | {"_origin"}
# What an environment has records of
_OF_ENVIRONMENT = {
    "user": "res.users",
    "company": "res.company",
    "companies": "res.company",
}
# Called with a function of each record, or with the name of a field
_OF_EACH = {"filtered", "mapped", "sorted", "grouped"}
_WITH_VALUES = {"create", "new", "update", "write"}
_WITH_DOMAIN = {"filtered_domain", "search", "search_count", "search_fetch"}
_WITH_FIELDS = {"read", "search_fetch", "fetch", "flush_model", "invalidate_recordset"}
_OF_FIELDS = {"depends", "constrains", "onchange"}
# Decorators by which core finds a method that nobody names
_CALLED_BY_CORE = {"api.autovacuum", "api.constrains", "api.ondelete", "api.onchange"}
# A field that says none of these adds to one of core's
_OF_NEW_FIELD = {"string", "help", "compute", "related"}

_DOCUMENTED = re.compile(r":param (?P<model>[\w.]+) (?P<name>\w+):")


@dataclass(frozen=True)
class Use:
    """A name that the code asks of a model; ``call`` where it is called at once."""

    model: str
    name: str
    place: str
    of_core: bool = False
    call: ast.Call | None = None


@dataclass(frozen=True)
class Method:
    """A method that the addon defines on a model."""

    model: str
    name: str
    place: str
    signature: inspect.Signature
    called_by_core: bool


class AddonSource:
    """The code of one addon: its methods, its uses of names, and all it mentions."""

    def __init__(self, registry: Registry, texts: dict[str, str]) -> None:
        """Parse the texts of Python files, by a name that tells where each is."""
        self.methods: list[Method] = []
        self.uses: list[Use] = []
        #: Private names asked of what no model is known of, with their places
        self.unknown: dict[str, str] = {}
        #: All names that the code asks for or writes as a text
        self.mentioned: set[str] = set()
        self.defined: set[str] = set()
        for file, text in texts.items():
            self._read_module(registry, file, ast.parse(text))

    @classmethod
    def of(cls, registry: Registry, folder: Path) -> AddonSource:
        """Read an addon's folder, without its tests."""
        files = [
            path
            for path in sorted(folder.rglob("*.py"))
            if "tests" not in path.relative_to(folder).parts
        ]
        source = cls(
            registry,
            {str(path.relative_to(folder.parent)): path.read_text() for path in files},
        )
        for pattern in ("*.xml", "*.js", "*.csv"):
            for path in folder.rglob(pattern):
                source.mentioned.update(re.findall(r"\w+", path.read_text()))
        return source

    def _read_module(self, registry: Registry, file: str, module: ast.Module) -> None:
        for node in ast.walk(module):
            self._note_mentioned(node)
        models = {id(c): _model_of_class(c) for c in _all(module, ast.ClassDef)}
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                self._read_class(registry, file, node, models[id(node)])
            elif isinstance(node, ast.FunctionDef):
                self._read_code(_Scope(registry, None, node), file, node)

    def _note_mentioned(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute):
            self.mentioned.add(node.attr)
            if not isinstance(node.ctx, ast.Load):
                self.defined.add(node.attr)
        elif isinstance(node, ast.Name):
            self.mentioned.add(node.id)
            self.defined.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            self.defined.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"\w+", node.value):
                self.mentioned.add(node.value)

    def _read_class(
        self, registry: Registry, file: str, node: ast.ClassDef, model: str | None
    ) -> None:
        for statement in node.body:
            if not isinstance(statement, ast.FunctionDef):
                self._read_attribute(registry, file, statement, model)
                continue
            place = f"{file}:{statement.lineno}"
            if model and not statement.name.startswith("__"):
                self.methods.append(_method_of(statement, model, place))
            scope = _Scope(registry, model, statement)
            self._read_code(scope, file, statement)
            for decorator in filter(_names_fields, statement.decorator_list):
                for path in _texts(decorator.args):
                    self._note_path(scope, model, path, place)

    def _read_attribute(
        self, registry: Registry, file: str, node: ast.stmt, model: str | None
    ) -> None:
        """A field that says nothing of a new one has to be there in core."""
        if model and isinstance(node, ast.Assign) and _extends_field(node.value):
            for target in _all(node, ast.Name):
                if isinstance(target.ctx, ast.Store):
                    place = f"{file}:{node.lineno}"
                    self.uses.append(Use(model, target.id, place, of_core=True))
        self._read_code(_Scope(registry, model, node), file, node)

    def _read_code(self, scope: _Scope, file: str, code: ast.AST) -> None:
        calls = {id(call.func): call for call in _all(code, ast.Call)}
        for node in _all(code, ast.Attribute):
            place = f"{file}:{node.lineno}"
            call = calls.get(id(node))
            model = scope.model_of(node.value)
            if _is_super(node.value) and scope.own:
                self.uses.append(Use(scope.own, node.attr, place, True, call))
            elif model:
                self.uses.append(Use(model, node.attr, place, call=call))
            elif node.attr.startswith("_") and not node.attr.endswith("__"):
                self.unknown.setdefault(node.attr, place)
            if model and call:
                for path in _field_paths(node.attr, call):
                    self._note_path(scope, model, path, place)
        for node in _all(code, ast.Subscript):
            model = scope.model_of(node.value)
            if model and (paths := _texts([node.slice])):
                self._note_path(scope, model, *paths, f"{file}:{node.lineno}")

    def _note_path(
        self, scope: _Scope, model: str | None, path: str, place: str
    ) -> None:
        """Note each field of a path such as ``company_id.name``."""
        for name in path.split("."):
            if model is None:
                return
            self.uses.append(Use(model, name, place))
            model = scope.comodel(model, name)


class _Scope:
    """The variables of a function that are records, as far as the code tells."""

    def __init__(self, registry: Registry, own: str | None, code: ast.AST) -> None:
        self.registry = registry
        self.own = own
        self._names: dict[str, str] = {"self": own} if own else {}
        bound = list(_bindings(code))
        documented = {
            match["name"]: match["model"]
            for match in _DOCUMENTED.finditer(_docstring_of(code))
            if match["model"] in registry
        }
        for _round in range(3):
            models: dict[str, set[str | None]] = {}
            for name, value in bound:
                model = documented.get(name) if value is None else self.model_of(value)
                models.setdefault(name, set()).add(model)
            for name, found in models.items():
                if len(found - {None}) == 1:
                    self._names[name] = next(iter(found - {None}))
        for name, found in models.items():
            if len(found) > 1:
                self._names.pop(name, None)

    def comodel(self, model: str, name: str) -> str | None:
        """The model that a field of a model leads to, if any."""
        if model not in self.registry:
            return None
        field = self.registry[model]._fields.get(name)
        return getattr(field, "comodel_name", None) or None

    def model_of(self, node: ast.AST | None) -> str | None:
        """The model of the records that an expression stands for, if it tells."""
        reader = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        return reader(node) if reader else None

    def _of_name(self, node: ast.Name) -> str | None:
        return self._names.get(node.id)

    def _of_attribute(self, node: ast.Attribute) -> str | None:
        if _is_environment(node.value):
            return _OF_ENVIRONMENT.get(node.attr)
        model = self.model_of(node.value)
        if model is None or node.attr in _SAME_MODEL:
            return model
        return self.comodel(model, node.attr)

    def _of_subscript(self, node: ast.Subscript) -> str | None:
        name = next(iter(_texts([node.slice])), None)
        if _is_environment(node.value):
            return name
        model = self.model_of(node.value)
        return self.comodel(model, name) if model and name else model

    def _of_call(self, node: ast.Call) -> str | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        owner, name = node.func.value, node.func.attr
        if name == "get" and _is_environment(owner):
            return next(iter(_texts(node.args)), None)
        model = self.own if _is_super(owner) else self.model_of(owner)
        if name == "mapped" and model:
            for part in "".join(_texts(node.args)).split("."):
                model = model and self.comodel(model, part)
            return model
        return model if name in _SAME_MODEL else None

    def _of_binop(self, node: ast.BinOp) -> str | None:
        return self.model_of(node.left) or self.model_of(node.right)

    def _of_boolop(self, node: ast.BoolOp) -> str | None:
        return next(filter(None, map(self.model_of, node.values)), None)

    def _of_ifexp(self, node: ast.IfExp) -> str | None:
        return self.model_of(node.body) or self.model_of(node.orelse)

    def _of_namedexpr(self, node: ast.NamedExpr) -> str | None:
        return self.model_of(node.value)


# ----------------------------------------------------------------------
# Reading code
# ----------------------------------------------------------------------


def _all(code: ast.AST, kind: type[ast.AST]) -> list:
    return [node for node in ast.walk(code) if isinstance(node, kind)]


def _texts(nodes: Iterable[ast.AST]) -> list[str]:
    """Those of some expressions that are texts."""
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _model_of_class(node: ast.ClassDef) -> str | None:
    """The model that a class defines or extends."""
    found = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            target = ast.unparse(statement.targets[0])
            found[target] = _texts(ast.walk(statement.value))
    named = found.get("_name") or found.get("_inherit")
    return named[0] if named else None


def _docstring_of(code: ast.AST) -> str:
    known = isinstance(code, ast.FunctionDef)
    return (known and ast.get_docstring(code)) or ""


def _is_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
    )


def _is_environment(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.lstrip("_") in ("env", "registry", "pool")


def _names_fields(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in _OF_FIELDS
    )


def _extends_field(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("fields.")
        and not node.args
        and _OF_NEW_FIELD.isdisjoint(keyword.arg for keyword in node.keywords)
    )


def _bindings(code: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Each name that code binds, with what it is bound to, ``None`` if unknown."""
    each = {}
    for call in _all(code, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in _OF_EACH:
            each.update({id(arg): call.func.value for arg in call.args})
    for node in ast.walk(code):
        if isinstance(node, ast.arguments):
            continue
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from _bound_parameters(node, each.get(id(node)))
        yield from _bound_targets(node)


def _bound_parameters(
    node: ast.FunctionDef | ast.Lambda, records: ast.AST | None
) -> Iterator[tuple[str, ast.AST | None]]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in (*named, arguments.vararg, arguments.kwarg):
        if argument and argument.arg != "self":
            yield argument.arg, records


def _bound_targets(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    value = getattr(node, "iter", None) or getattr(node, "value", None)
    if isinstance(node, ast.withitem):
        targets, value = [node.optional_vars], None
    if isinstance(node, ast.Delete):
        return
    for target in filter(None, targets):
        if isinstance(target, ast.Name):
            yield target.id, value or ast.Constant(None)
        elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
            for name in _all(target, ast.Name):
                yield name.id, None


def _field_paths(name: str, call: ast.Call) -> Iterator[str]:
    """The fields that a call on records names by text."""
    if name in _OF_EACH:
        yield from _texts(call.args[:1])
    for argument in call.args:
        if name in _WITH_VALUES:
            yield from _keys(argument)
        if name in _WITH_DOMAIN:
            yield from _fields_of_domain(argument)
        if name in _WITH_FIELDS and isinstance(argument, ast.List | ast.Tuple):
            yield from _texts(argument.elts)


def _keys(argument: ast.expr) -> list[str]:
    """The keys of values, or of each in a list of values."""
    if isinstance(argument, ast.ListComp):
        argument = argument.elt
    values = argument.elts if isinstance(argument, ast.List) else [argument]
    dicts = [value for value in values if isinstance(value, ast.Dict)]
    return [key for value in dicts for key in _texts(filter(None, value.keys))]


def _fields_of_domain(argument: ast.expr) -> Iterator[str]:
    for node in ast.walk(argument):
        parts = node.elts if isinstance(node, ast.Tuple) else []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Domain":
            parts = node.args
        if len(parts) == 3 and len(_texts(parts[:2])) == 2:
            yield _texts(parts)[0]


def _method_of(node: ast.FunctionDef, model: str, place: str) -> Method:
    decorators = {
        ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list
    }
    called = not _CALLED_BY_CORE.isdisjoint(decorators)
    return Method(model, node.name, place, _signature_of(node), called)


def _signature_of(node: ast.FunctionDef) -> inspect.Signature:
    """The signature of a function that is only read."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    parameters = [
        _parameter(argument, Parameter.POSITIONAL_OR_KEYWORD, number >= required)
        for number, argument in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(_parameter(arguments.vararg, Parameter.VAR_POSITIONAL))
    for argument, default in zip(
        arguments.kwonlyargs, arguments.kw_defaults, strict=True
    ):
        optional = default is not None
        parameters.append(_parameter(argument, Parameter.KEYWORD_ONLY, optional))
    if arguments.kwarg:
        parameters.append(_parameter(arguments.kwarg, Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _parameter(argument: ast.arg, kind: int, optional: bool = False) -> Parameter:
    default = None if optional else Parameter.empty
    return Parameter(argument.arg, kind, default=default)
