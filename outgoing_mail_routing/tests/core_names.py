"""Looks up what an addon asks of models: in core, or wherever else it may be.

An override has to take every call that core's method takes, and a method has to take
the arguments that the addon calls it with.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from inspect import Parameter

from odoo import fields
from odoo.api import Environment
from odoo.modules.registry import Registry
from odoo.orm.model_classes import is_model_class

from .addon_source import AddonSource, Method, Use


class CoreNames:
    """Looks up what an addon takes from core; each complaint is a sentence."""

    def __init__(self, registry: Registry, core: Iterable[str]) -> None:
        """Take as core what is Odoo's own, and what is of the addons ``core``."""
        self.registry = registry
        self._core = frozenset(core)
        kinds = (kind for kind in vars(fields).values() if isinstance(kind, type))
        self._private = {
            name
            for owner in (*registry.values(), *kinds, Environment, Registry)
            for name in dir(owner)
        }

    def complaints(self, source: AddonSource) -> list[str]:
        """What is not in core, or not any more as the addon takes it."""
        found = [
            *(self._complain_of_use(use, source) for use in source.uses),
            *(self._complain_of_method(method, source) for method in source.methods),
            *(
                f"{place}: nothing is named {name}"
                for name, place in source.unknown.items()
                if name not in self._private and name not in source.defined
            ),
        ]
        return sorted(set(filter(None, found)))

    def overridden(self, source: AddonSource) -> set[tuple[str, str]]:
        """The methods of the addon that core has too, by model."""
        return {
            (method.model, method.name)
            for method in source.methods
            if self._in_core(method.model, method.name) is not None
        }

    def _in_core(self, model: str, name: str) -> object | None:
        """A method or field of a model as core alone defines it."""
        for cls in self.registry[model].__mro__ if model in self.registry else ():
            if not self._is_core(cls):
                continue
            if name in vars(cls):
                return vars(cls)[name]
            for field in vars(cls).get("_field_definitions", ()):
                if field.name == name:
                    return field
        return None

    def _is_core(self, cls: type) -> bool:
        """Whether core wrote a class; those of the registry are made of all addons."""
        if is_model_class(cls):
            return False
        _odoo, *folders = cls.__module__.split(".")
        return folders[:1] != ["addons"] or folders[1] in self._core

    def _complain_of_use(self, use: Use, source: AddonSource) -> str | None:
        if use.model not in self.registry:
            return None  # of an addon that is not installed
        find = self._in_core if use.of_core else self._anywhere
        member = find(use.model, use.name)
        if member is None:
            if use.of_core and self._is_inherited(use, source):
                return None
            owner = "core's " if use.of_core else ""
            return f"{use.place}: {owner}{use.model} has no {use.name}"
        function = _function_of(member)
        if use.call is None or function is None:
            return None
        if error := _fails_to_take(inspect.signature(function), use.call):
            return f"{use.place}: {use.model}.{use.name}: {error}"
        return None

    def _anywhere(self, model: str, name: str) -> object | None:
        """A member of a model, or of one that inherits from it, by whatever addon."""
        classes = self.registry[model], *self.registry.values()
        for cls in filter(lambda cls: issubclass(cls, classes[0]), classes):
            if (member := cls._fields.get(name, getattr(cls, name, None))) is not None:
                return member
        return None

    def _is_inherited(self, use: Use, source: AddonSource) -> bool:
        """Whether the addon itself has it on a model that this one inherits from."""
        cls = self.registry[use.model]
        return any(
            method.name == use.name
            and method.model != use.model
            and issubclass(cls, self.registry[method.model])
            for method in source.methods
        )

    def _complain_of_method(self, method: Method, source: AddonSource) -> str | None:
        if method.model not in self.registry:
            return None
        member = self._in_core(method.model, method.name)
        if member is None:
            if method.called_by_core or method.name in source.mentioned:
                return None
            return (
                f"{method.place}: nobody calls {method.model}.{method.name}, and it "
                "overrides nothing"
            )
        function = _function_of(member)
        if function is None:
            return None
        if error := _takes_less(method.signature, inspect.signature(function)):
            return f"{method.place}: {method.model}.{method.name}: {error}"
        return None


# ----------------------------------------------------------------------
# Comparing signatures
# ----------------------------------------------------------------------


def _function_of(member: object) -> Callable | None:
    """The function behind a method, ``None`` where it is no method."""
    function = inspect.unwrap(getattr(member, "__func__", member))
    return function if inspect.isfunction(function) else None


def _fails_to_take(signature: inspect.Signature, call: ast.Call) -> str | None:
    """Why a method cannot be called as the code calls it, ``None`` if it can."""
    positional = [None for a in call.args if not isinstance(a, ast.Starred)]
    named = {keyword.arg: None for keyword in call.keywords if keyword.arg}
    is_whole = len(positional) + len(named) == len(call.args) + len(call.keywords)
    bind = signature.bind if is_whole else signature.bind_partial
    try:
        bind(None, *positional, **named)
    except TypeError as error:
        return str(error)
    return None


def _takes_less(ours: inspect.Signature, cores: inspect.Signature) -> str | None:
    """Why ours does not take every call that core's takes, ``None`` if it does."""
    for positional, named in _calls_of(cores):
        try:
            ours.bind(*positional, **dict.fromkeys(named))
        except TypeError as error:
            return f"{error}, and core's is {cores}"
    return None


def _calls_of(signature: inspect.Signature) -> Iterator[tuple[list[None], list[str]]]:
    """The fewest arguments that a method takes, then all by place and all by name."""
    of_kind: dict[int, list[Parameter]] = {kind: [] for kind in range(5)}
    for parameter in signature.parameters.values():
        of_kind[parameter.kind].append(parameter)
    [itself, *by_place] = of_kind[Parameter.POSITIONAL_OR_KEYWORD]
    by_name = [p.name for p in of_kind[Parameter.KEYWORD_ONLY]]
    more = [f"_{p.name}" for p in of_kind[Parameter.VAR_KEYWORD]]
    needed = [p for p in by_place if p.default is Parameter.empty]
    yield (
        [None for _p in (itself, *needed)],
        [n for n in by_name if signature.parameters[n].default is Parameter.empty],
    )
    rest = of_kind[Parameter.VAR_POSITIONAL]
    yield [None for _p in (itself, *by_place, *rest)], [*by_name, *more]
    yield [None], [*(p.name for p in by_place), *by_name, *more]
