"""Books are made in a real database, with kills, and agree; steps can be held."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bookkeeping import run
from workbench import cli
from workbench.odoo_server import OdooServer

DATABASE = "books_test"
#: Stops at the second call of a function.
PROGRAM = """
import sys
from pathlib import Path
from bookkeeping.hold import hold

def step(number):
    print(number, flush=True)

hold("__main__.step", Path(sys.argv[1]), {}, before=sys.argv[2] == "before", skip=1)
for number in range(3):
    step(number)
"""


@pytest.mark.slow
def test_small_books_agree(odoo: OdooServer) -> None:
    options = cli.parse("books", run, ["--small", "--seconds", "900"])
    run.fill_in(options)
    try:
        report = run.keep_books(odoo, DATABASE, options)
        assert report is not None and report.right
        entries = sum(counted["entries"] for counted in report.counts.values())
        assert entries > options.mails
    finally:
        odoo.drop_database(DATABASE)


@pytest.mark.parametrize(("when", "done"), [("before", ["0"]), ("after", ["0", "1"])])
def test_process_is_held_at_a_step_until_it_may_go_on(
    tmp_path: Path, when: str, done: list[str]
) -> None:
    mark, output = tmp_path / "mark", tmp_path / "output"
    command = [sys.executable, "-c", PROGRAM, str(mark), when]
    with open(output, "w") as said, subprocess.Popen(command, stdout=said) as process:
        try:
            watched, deadline = psutil.Process(process.pid), time.monotonic() + 20
            while watched.status() != psutil.STATUS_STOPPED:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.01)
            assert mark.read_text() == "__main__.step"
            assert output.read_text().split() == done
            watched.resume()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert output.read_text().split() == ["0", "1", "2"]
