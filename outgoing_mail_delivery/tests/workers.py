"""Worker processes of tests: forked, held at a step, killed, or let go on."""

import os
import signal
import time
import traceback
from contextlib import contextmanager

from odoo import sql_db

SECONDS = 30
# What the parent's connections are kept from being closed by, in a child
_kept = []


class Worker:
    """A process of its own that does something in a database of the test.

    :param case: the test
    :param work: called in the process, with an environment
    :param hold: of :func:`before` or :func:`after`: where the process stops itself
    """

    def __init__(self, case, work, hold=None):
        self._case = case
        self._ended = None
        self.pid = os.fork()
        if not self.pid:
            self._be_the_child(work, hold)
        case.addCleanup(self.kill)

    def _be_the_child(self, work, hold):
        status = 1
        try:
            _leave_connections(self._case.registry)
            if hold:
                hold()
            with self._case.records() as env:
                work(env)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def wait_until_held(self):
        """Wait until the process has stopped at its step."""
        status = self._wait(os.WUNTRACED)
        self._case.assertTrue(os.WIFSTOPPED(status), f"ended with {status}")

    def wait_until_done(self):
        """Wait until the process has ended well."""
        self._case.assertEqual(self.wait(), 0)

    def wait(self):
        """Wait until the process has ended; return its status."""
        return self._wait(0)

    def go_on(self):
        """Let a process go on that was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        """Stop the process where it is."""
        os.kill(self.pid, signal.SIGSTOP)
        self.wait_until_held()

    def kill(self):
        """End the process as a crash would; its connections are gone then, too."""
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)
            _pid, self._ended = os.waitpid(self.pid, 0)
            _await_disconnected(self._case, self.pid)

    def _wait(self, options):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, options | os.WNOHANG)
            if pid:
                if not os.WIFSTOPPED(status):
                    self._ended = status
                return status
            time.sleep(0.005)
        raise TimeoutError(f"process {self.pid} takes too long")


def run_queue(env):
    """What a worker does for the scheduled action."""
    env["mail.delivery.run"]._process()


def before(owner, name, when=lambda *_args: True):
    """Have a process stop itself before a method, once it is so called."""
    return lambda: _hold(owner, name, when, is_before=True)


def after(owner, name, when=lambda *_args: True):
    """Have a process stop itself after a method, once it answered so."""
    return lambda: _hold(owner, name, when, is_before=False)


def _hold(owner, name, when, is_before):
    original = getattr(owner, name)

    def stop():
        setattr(owner, name, original)  # once is enough
        os.kill(os.getpid(), signal.SIGSTOP)

    def held(*args, **kwargs):
        if is_before and when(*args):
            stop()
        answer = original(*args, **kwargs)
        if not is_before and when(*args, answer):
            stop()
        return answer

    setattr(owner, name, held)


def _leave_connections(registry):
    """Use none of the parent's connections, nor close one."""
    _kept.extend((sql_db._Pool, sql_db._Pool_readonly, registry._db))
    sql_db._Pool = sql_db._Pool_readonly = None
    registry._db = sql_db.db_connect(registry.db_name)


def _await_disconnected(case, pid):
    """Wait until PostgreSQL knows that a process is gone."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with case.records() as env:
            env.cr.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = %s",
                [f"odoo-{pid}"],
            )
            if not env.cr.rowcount:
                return
        time.sleep(0.005)
    raise TimeoutError(f"process {pid} is still connected")


@contextmanager
def held(case, hold, work=run_queue):
    """A worker that has stopped at a step; it is killed in the end."""
    worker = Worker(case, work, hold)
    worker.wait_until_held()
    try:
        yield worker
    finally:
        worker.kill()
