"""Steps: what they print, what a failed one says, where its log is."""

import sys
from pathlib import Path

import pytest

from workbench import paths, steps
from workbench.steps import StepFailed


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "LOGS", tmp_path)
    return tmp_path


def test_failure_names_step_fault_and_remedy() -> None:
    text = str(StepFailed("Unpack Odoo", "disk full\nno room", "Make room."))
    assert text.splitlines() == [
        "Failed: Unpack Odoo",
        "  What is wrong: disk full",
        "    no room",
        "  How to go on: Make room.",
    ]


def test_step_prints_name_and_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with steps.step("Do something"):
        pass
    first, second = capsys.readouterr().out.splitlines()
    assert first == "==> Do something"
    assert second.startswith("    done in ") and second.endswith(" s")


def test_step_that_fails_is_not_called_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError), steps.step("Do something"):
        raise ValueError
    assert "failed after" in capsys.readouterr().out


def test_long_step_shows_that_it_lives(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, logs: Path
) -> None:
    monkeypatch.setattr(steps, "QUIET_INTERVAL", 0.2)
    steps.run(
        [sys.executable, "-c", "import time; time.sleep(1.5)"],
        title="Wait",
        log="wait",
        how_to_go_on="",
        watch=lambda log_file: "(still waiting)",
    )
    assert "s (still waiting)" in capsys.readouterr().out


def test_failed_command_shows_the_end_of_its_log(logs: Path) -> None:
    lines = "print(*range(100), sep='\\n', flush=True)"
    program = f"{lines}; raise SystemExit('out of luck')"
    with pytest.raises(StepFailed) as failure:
        steps.run(
            [sys.executable, "-c", program],
            title="Try",
            log="try",
            how_to_go_on="Try again.",
        )
    assert "ended with status 1" in failure.value.what
    assert "out of luck" in failure.value.what
    assert "\n50\n" not in failure.value.what
    assert "50\n" in (logs / "try.log").read_text()


def test_missing_program_is_a_failed_step(logs: Path) -> None:
    with pytest.raises(StepFailed, match="no-such-program"):
        steps.run(["no-such-program"], title="Try", log="try", how_to_go_on="")
