"""Files that a command makes are written, or named, where they are out of date."""

from pathlib import Path

import pytest

from workbench import generated


@pytest.mark.parametrize("check", [True, False])
def test_stale_files_are_named_and_written_unless_checked(
    tmp_path: Path, check: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    current, old = tmp_path / "current", tmp_path / "old"
    new = tmp_path / "folder" / "new"
    current.write_text("text")
    old.write_text("other")
    texts = dict.fromkeys((current, old, new), "text")
    status = generated.bring_up_to_date(texts, check, lambda path: f"[{path.name}]")
    assert status == check
    assert generated.stale(texts) == ([old, new] if check else [])
    printed = capsys.readouterr().out
    assert "[old]" in printed and "[new]" in printed and "[current]" not in printed


def test_current_files_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    assert generated.bring_up_to_date({file: "text"}, check=True) == 0
