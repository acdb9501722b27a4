"""Tests of the addon."""

from . import test_crashes
from . import test_parallel
from . import test_outcomes
