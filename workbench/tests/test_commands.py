"""The commands: their arguments, and what starts them."""

import importlib

import pytest

from workbench import cli, demo, paths, run_tests


def test_unknown_option_is_refused_by_a_command_that_takes_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.parse("demo", demo, ["--nonsense"])
    assert "--nonsense" in capsys.readouterr().err


def test_unknown_options_go_to_pytest_in_order() -> None:
    options = cli.parse("test", run_tests, ["-k", "name", "--no-lint", "-x"])
    assert options.more == ["-k", "name", "-x"]
    assert options.no_lint


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_tells_its_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.parse(name, importlib.import_module(cli.COMMANDS[name]), ["--help"])
    assert "--system-postgres" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["test", "demo", "benchmark", "compare", "screenshots", ".ci/run"],
)
def test_launcher_can_be_executed(name: str) -> None:
    launcher = paths.REPO / name
    assert launcher.stat().st_mode & 0o111
    assert launcher.read_text().startswith("#!/")
