"""The development environment of the addon: everything ./test and ./demo set up.

The package runs on the system's Python with the standard library alone until the
virtual environment exists; see :mod:`workbench.cli` for how a command is started.
"""
