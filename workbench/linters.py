"""The linters: pre-commit with hooks that find their programs in PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from . import locks, paths, python_env
from .addons import NAMES
from .steps import StepFailed, run, say

NODE = paths.WORK / "node"
NODE_FILES = ("package.json", "package-lock.json", ".npmrc")
MARKUP = ("*.xml", "*.css", "*.scss", "*.js", "*.cjs")


def run_linters() -> bool:
    """Run every hook over every file that git knows; return whether all passed.

    :raise StepFailed: the linters could not be installed, or this is no git clone
    """
    if not (paths.REPO / ".git").exists():
        raise StepFailed(
            "Run the linters",
            "this folder is no git clone, and git tells them which files to check",
            "Use a clone, or leave the linters out with --no-lint.",
        )
    with locks.exclusive("linters"):
        variables = _environment()
        say("==> Run the linters")
        color = "always" if sys.stdout.isatty() else "never"
        options = ["--all-files", "--show-diff-on-failure", "--color", color]
        return _call(["pre-commit", "run", *options], variables) == 0


def correct_files() -> None:
    """Let the formatters and linters correct what they can.

    :raise StepFailed: they could not be installed
    """
    with locks.exclusive("linters"):
        variables = _environment()
        say("==> Correct the files")
        listed = subprocess.run(
            ["git", "ls-files", *MARKUP],
            cwd=paths.REPO,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        for name in NAMES:
            manifest = f"{name}/__manifest__.py"
            _call(["oca-checks-odoo-module", "--fix", manifest], variables)
        _call(["ruff", "check", "--fix", "."], variables)
        _call(["ruff", "format", "."], variables)
        _call(["prettier", "--write", "--log-level=warn", *listed], variables)
        _call(["eslint", "--fix", "--no-warn-ignored", "."], variables)
    say("Start ./test to see what is left.")


def _call(command: Sequence[str], variables: dict[str, str]) -> int:
    done = subprocess.run(
        command,
        cwd=paths.REPO,
        env=variables,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode


def _environment() -> dict[str, str]:
    """Install the linters; return the variables by which the hooks find them."""
    python = python_env.ensure(paths.LINT_VENV, ("lint.txt",), "the linters")
    # mypy has to see the packages that the code imports
    typed = python_env.python_of(paths.VENV).parent
    folders = [str(python.parent), str(typed), str(NODE / "node_modules" / ".bin")]
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]),
        "NODE_PATH": str(NODE / "node_modules"),
        "npm_config_cache": str(paths.WORK / "npm-cache"),
        "PRE_COMMIT_HOME": str(paths.WORK / "pre-commit"),
        "RUFF_CACHE_DIR": str(paths.WORK / "ruff-cache"),
        "PYLINTHOME": str(paths.WORK / "pylint"),
        # The clone may belong to somebody else, as in a container.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(paths.REPO),
    }
    _ensure_node_packages(variables)
    return variables


def _ensure_node_packages(variables: dict[str, str]) -> None:
    """Install the npm packages that package-lock.json pins, unless they are there."""
    files = [paths.REPO / name for name in NODE_FILES]
    wanted, stamp = locks.fingerprint(*files), NODE / "installed"
    if locks.is_current(stamp, wanted):
        return
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir()
    for file in files:
        shutil.copy(file, NODE)
    npm = shutil.which("npm", path=variables["PATH"]) or "npm"
    run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        title="Install prettier and eslint",
        log="npm",
        how_to_go_on="The npm registry must be reachable; or use --no-lint.",
        env=variables,
        cwd=NODE,
    )
    stamp.write_text(wanted)
