"""Settings that cannot be: each says what is wrong and what to do.

``_lt`` only marks the sentences for translation; the models translate the same texts
with ``env._``. The placeholders are filled from the error's values.
"""

from __future__ import annotations

_lt = str


class SettingError(ValueError):
    """A setting that contradicts itself or another.

    >>> print(NoTries(setting="normal"))
    normal names no tries. Write at least one time, as in "5, 15, 30 min".
    """

    problem = _lt("%(setting)s cannot be used.")
    remedy = _lt("Empty it to go back to what was delivered.")

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(f"{self.problem} {self.remedy}" % values)


class NoTries(SettingError):
    """A mail would never be tried again."""

    problem = _lt("%(setting)s names no tries.")
    remedy = _lt('Write at least one time, as in "5, 15, 30 min".')


class NotATime(SettingError):
    """A part of a text is no duration."""

    problem = _lt('"%(text)s" in %(setting)s is no time.')
    remedy = _lt('Write numbers with s, min, h or days, as in "5, 15, 30 min, 1 h".')


class NotPositive(SettingError):
    """A duration or number that is zero or less."""

    problem = _lt("%(setting)s is %(text)s.")
    remedy = _lt("Write more than zero.")


class Negative(SettingError):
    """A number that may be zero, but no less."""

    problem = _lt("%(setting)s is %(text)s.")
    remedy = _lt("Write zero for no limit, or more.")


class GivesUpTooSoon(SettingError):
    """A mail would be given up before it was tried again."""

    problem = _lt("%(setting)s gives a mail up before its first try again.")
    remedy = _lt("Write a longer time for giving up, or shorter ones for tries.")


class Contradicts(SettingError):
    """A limit that a narrower one never lets be reached."""

    problem = _lt("%(setting)s is %(text)s, less than %(other)s, which is %(value)s.")
    remedy = _lt("Raise the first or lower the second.")


class NotBetween(SettingError):
    """A number that is out of its range."""

    problem = _lt("%(setting)s is %(text)s.")
    remedy = _lt("Write a number from %(least)s to %(most)s.")


def between(setting: str, number: int, least: int, most: int) -> int:
    """The number, where it is one of a range.

    :raise NotBetween: it is not

    >>> between("Parallel Runs", 3, 1, 8)
    3
    >>> try:
    ...     between("Parallel Runs", 9, 1, 8)
    ... except NotBetween as error:
    ...     print(error)
    Parallel Runs is 9. Write a number from 1 to 8.
    """
    if not least <= number <= most:
        raise NotBetween(setting=setting, text=number, least=least, most=most)
    return number
