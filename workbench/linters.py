"""The linters: pre-commit with hooks that find their programs in PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from . import locks, paths, python_env, stamps
from .steps import StepFailed, run, say
from .system_packages import find_program

#: The oldest Node.js on which the pinned eslint and prettier run.
OLDEST_NODE = (20, 19)
NODE_FILES = ("package.json", "package-lock.json", ".npmrc")


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
        command = [
            *(str(python_env.python_of(paths.LINT_VENV)), "-m", "pre_commit"),
            *("run", "--all-files", "--show-diff-on-failure"),
            *("--color", "always" if sys.stdout.isatty() else "never"),
        ]
        result = subprocess.run(
            command,
            cwd=paths.REPO,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    return result.returncode == 0


def correct_files() -> None:
    """Let the formatters and linters correct what they can.

    :raise StepFailed: they could not be installed
    """
    with locks.exclusive("linters"):
        variables = {**os.environ, **_environment()}
        say("==> Correct the files")
        listed = subprocess.run(
            ["git", "ls-files", "*.xml", "*.css", "*.scss", "*.js", "*.cjs"],
            cwd=paths.REPO,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        commands = [
            ["oca-checks-odoo-module", "--fix", f"{paths.ADDON_NAME}/__manifest__.py"],
            ["ruff", "check", "--fix", "."],
            ["ruff", "format", "."],
            ["prettier", "--write", "--log-level=warn", *listed],
            ["eslint", "--fix", "--no-warn-ignored", "."],
        ]
        for command in commands:
            subprocess.run(command, cwd=paths.REPO, env=variables, check=False)
    say("Start ./test to see what is left.")


def _environment() -> dict[str, str]:
    """Install the linters; return the variables by which the hooks find them."""
    own_node = not _has_node()
    python = python_env.ensure_lint_environment(own_node)
    folders = [str(python.parent), str(paths.NODE / "node_modules" / ".bin")]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    _ensure_node_packages(path)
    return {
        "PATH": path,
        "NODE_PATH": str(paths.NODE / "node_modules"),
        "PRE_COMMIT_HOME": str(paths.WORK / "pre-commit"),
        "RUFF_CACHE_DIR": str(paths.WORK / "ruff-cache"),
        "PYLINTHOME": str(paths.WORK / "pylint"),
        # The clone may belong to somebody else, as in a container.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(paths.REPO),
    }


def _has_node() -> bool:
    node, npm = find_program("node"), find_program("npm")
    if not node or not npm:
        return False
    answer = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=False
    )
    return is_node_recent(answer.stdout)


def is_node_recent(version: str) -> bool:
    """Tell whether what ``node --version`` printed is recent enough.

    >>> is_node_recent("v22.20.0"), is_node_recent("v18.19.0"), is_node_recent("")
    (True, False, False)
    """
    found = re.match(r"v(\d+)\.(\d+)", version)
    return bool(found) and (int(found[1]), int(found[2])) >= OLDEST_NODE


def _ensure_node_packages(path: str) -> None:
    """Install the npm packages that package-lock.json pins, unless they are there."""
    files = [paths.REPO / name for name in NODE_FILES]
    wanted, stamp = stamps.fingerprint(*files), paths.NODE / "installed"
    if stamps.is_current(stamp, wanted):
        return
    shutil.rmtree(paths.NODE, ignore_errors=True)
    paths.NODE.mkdir()
    for file in files:
        shutil.copy(file, paths.NODE)
    npm = shutil.which("npm", path=path) or "npm"
    run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        title="Install prettier and eslint",
        log="npm",
        how_to_go_on="The npm registry must be reachable; or use --no-lint.",
        env={"PATH": path, "npm_config_cache": str(paths.WORK / "npm-cache")},
        cwd=paths.NODE,
    )
    stamp.write_text(wanted)
