"""The linters: pre-commit with hooks that find their programs in PATH."""

import os
import shutil
import subprocess
import sys

from . import locks, paths, python_env
from .steps import run, step

NODE = paths.WORK / "node"
LOCK_FILE = "package-lock.json"


def run_linters() -> bool:
    """Run every hook over every file that git knows; return whether all passed."""
    with locks.exclusive("linters"):
        python = python_env.ensure(paths.WORK / "lint-venv", "lint")
        # mypy has to see the packages that the code imports
        folders = [python.parent, paths.VENV / "bin", NODE / "node_modules" / ".bin"]
        variables = {
            "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
            "NODE_PATH": str(NODE / "node_modules"),
            "npm_config_cache": str(paths.WORK / "npm-cache"),
            "PRE_COMMIT_HOME": str(paths.WORK / "pre-commit"),
            "RUFF_CACHE_DIR": str(paths.WORK / "ruff-cache"),
            "PYLINTHOME": str(paths.WORK / "pylint"),
            # the clone may belong to somebody else, as in a container
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": str(paths.REPO),
        }
        _ensure_node_packages(variables)
        with step("Run the linters"):
            done = subprocess.run(
                ["pre-commit", "run", "--all-files", "--show-diff-on-failure"],
                cwd=paths.REPO,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                check=False,
            )
    return done.returncode == 0


def _ensure_node_packages(variables: dict[str, str]) -> None:
    """Install the npm packages that package-lock.json pins, unless they are there."""
    wanted, installed = paths.REPO / LOCK_FILE, NODE / "installed" / LOCK_FILE
    if installed.is_file() and installed.read_text() == wanted.read_text():
        return
    shutil.rmtree(NODE, ignore_errors=True)
    installed.parent.mkdir(parents=True)
    for name in ("package.json", LOCK_FILE, ".npmrc"):
        shutil.copy(paths.REPO / name, NODE)
    run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        title="Install prettier and eslint",
        log="npm",
        remedy="The npm registry must be reachable; or use --no-lint.",
        env=variables,
        cwd=NODE,
    )
    shutil.copy(wanted, installed)


if __name__ == "__main__":
    sys.exit(not run_linters())
