"""The commands: arguments, and the files that must not name this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from workbench import cli, paths, run_tests


def test_unknown_option_is_refused_by_a_command_that_takes_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, "ACCEPTS_MORE", False)
    with pytest.raises(SystemExit):
        cli.parse("test", run_tests, ["--nonsense"])
    assert "--nonsense" in capsys.readouterr().err


def test_unknown_options_go_to_pytest_in_order() -> None:
    options = cli.parse("test", run_tests, ["-k", "name", "--no-lint", "-x"])
    assert options.more == ["-k", "name", "-x"]
    assert options.no_lint


def test_named_files_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.REPO)
    beside = "outgoing_mail_routing/tests/beside/test_other_addons.py"
    chosen = run_tests.split_arguments(
        [
            *("-x", "./workbench/tests/test_steps.py::test_a"),
            *("outgoing_mail_routing", beside),
        ]
    )
    assert chosen.workbench == [f"{paths.REPO}/workbench/tests/test_steps.py::test_a"]
    assert chosen.addon == [str(paths.ADDON)]
    assert chosen.beside == [str(paths.REPO / beside)]
    assert chosen.options == ["-x"]


@pytest.mark.parametrize(
    "module",
    ["cli", "run_tests", "compare", "environment", "screenshots", "translations"],
)
def test_module_needs_the_standard_library_alone(module: str) -> None:
    program = f"import workbench.{module}"
    command = [sys.executable, "-S", "-c", program]
    result = subprocess.run(
        command, cwd=paths.REPO, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "name", ["test", "demo", "benchmark", "compare", "screenshots", ".ci/run"]
)
def test_launcher_can_be_executed(name: str) -> None:
    launcher = paths.REPO / name
    assert launcher.stat().st_mode & 0o111
    assert launcher.read_text().startswith("#!/")


def test_help_needs_no_set_up(tmp_path: Path) -> None:
    result = subprocess.run(
        [paths.REPO / "test", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "--system-postgres" in result.stdout
