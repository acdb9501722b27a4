"""Holds a process at a step, so that somebody may kill it there, or have it go on.

A step is a method by its dotted path: of a model, as in ``mail.delivery.run._claim``,
or of what Python finds by such a name, as in ``smtplib.SMTP.quit``.
"""

from __future__ import annotations

import functools
import os
import pkgutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def hold(
    step: str, mark: Path, models: Mapping[str, Any], *, before: bool, skip: int = 0
) -> None:
    """Have this process stop at a step, once, as SIGSTOP stops it.

    It writes the step into a file first, and goes on with SIGCONT.

    :param models: the models' classes by their names: the registry
    :param before: whether it stops before the step; else after it
    :param skip: how often the step is done before
    """
    path, _dot, name = step.rpartition(".")
    owner = models[path] if path in models else pkgutil.resolve_name(path)
    original = getattr(owner, name)
    left = iter(range(skip + 1))

    @functools.wraps(original)
    def held(*arguments: Any, **options: Any) -> Any:
        stops = next(left, None) == skip
        if stops and before:
            _stop(step, mark)
        result = original(*arguments, **options)
        if stops and not before:
            _stop(step, mark)
        return result

    setattr(owner, name, held)


def _stop(step: str, mark: Path) -> None:
    mark.write_text(step)
    os.kill(os.getpid(), signal.SIGSTOP)
