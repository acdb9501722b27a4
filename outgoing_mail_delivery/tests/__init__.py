"""Tests of the addon."""

from . import test_crashes
