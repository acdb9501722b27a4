"""A real mail server on loopback that keeps mailboxes: Dovecot, for IMAP and POP3.

Free of Odoo, as ``smtp_server`` is. The process is private: own folder, own ports,
own accounts, and nothing of the system's Dovecot but its programs.
"""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MISSING = "needs Dovecot: install its IMAP and POP3 servers"
_PROGRAM = "dovecot"
_ADMINISTRATION = "/usr/local/sbin:/usr/sbin:/sbin"
_SECONDS_TO_START = 20.0
_SECONDS_TO_STOP = 10.0
_ATTEMPTS = 5
#: What every Dovecot takes that may not become root; the login processes, which would
#: lock themselves up in a folder, stay outside of it.
_SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
auth_mechanisms = plain
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 0
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
#: What series 2.4 writes in another way than those before; it comes first.
_UNTIL_2_3 = """
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = {folder}/accounts
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
"""
_SINCE_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
namespace inbox {{
  inbox = yes
}}
passdb passwd-file {{
  passwd_file_path = {folder}/accounts
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user}}
  }}
}}
"""


def find_program() -> str | None:
    """Return where Dovecot is installed, if it is."""
    path = os.pathsep.join((os.environ.get("PATH", ""), _ADMINISTRATION))
    return shutil.which(_PROGRAM, path=path)


class ImapServer:
    """Mailboxes on free loopback ports, ready when ``start()`` returns.

    :param accounts: passwords by login
    """

    host = "127.0.0.1"

    def __init__(self, accounts: dict[str, str]) -> None:
        self.accounts = dict(accounts)
        self.imap_port = self.pop_port = 0
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ImapServer:
        """Serve; the ports are known from here on.

        :raise RuntimeError: Dovecot is not installed, or does not start
        """
        program = find_program()
        if not program:
            raise RuntimeError(MISSING)
        for _attempt in range(_ATTEMPTS):
            self._folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
            self._configure(_has_new_settings(program))
            self._run(program)
            if self._wait():
                return self
            log = self._log()
            self.stop()
            if "in use" not in log:
                break
        raise RuntimeError(f"Dovecot did not start:\n{log}")

    def stop(self) -> None:
        """End the processes and remove the mailboxes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> ImapServer:
        return self.start()

    def __exit__(self, *_exc) -> None:
        self.stop()

    def login(self, login: str) -> imaplib.IMAP4:
        """A session of the mailbox's owner, which sees the inbox; to be closed."""
        session = imaplib.IMAP4(self.host, self.imap_port, timeout=_SECONDS_TO_START)
        session.login(login, self.accounts[login])
        session.select()
        return session

    def deliver(
        self, login: str, *mails: bytes, flags: str = "", folder: str = "INBOX"
    ) -> None:
        """Put mails into a folder, unread unless the flags say otherwise.

        :param folder: as a command takes it; it is made where there is none
        """
        with self.login(login) as session:
            if folder != "INBOX":
                session.create(folder)  # refused where it is there
            for mail in mails:
                status, answer = session.append(folder, flags, "", mail)
                if status != "OK":
                    raise RuntimeError(f"{login} refuses a mail: {answer}")

    def remove_folder(self, login: str, folder: str) -> None:
        """Remove a folder; one of that name that is made later is another one."""
        with self.login(login) as session:
            session.delete(folder)

    def clear(self, login: str) -> None:
        """Empty an inbox."""
        with self.login(login) as session:
            for number in _all(session):
                session.store(number, "+FLAGS", "\\Deleted")
            session.expunge()

    def flags(self, login: str, folder: str = "INBOX") -> dict[str, set[str]]:
        """The flags of all mails in a folder by their Message-ID.

        What is only of the session that looks (``\\Recent``) is left out.
        """
        found = {}
        with self.login(login) as session:
            session.select(folder)
            header = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
            for number in _all(session):
                _status, data = session.fetch(number, f"(FLAGS {header})")
                flags = {flag.decode() for flag in imaplib.ParseFlags(data[0][0])}
                message_id = data[0][1].decode().partition(":")[2].strip()
                found[message_id] = flags - {"\\Recent"}
        return found

    # ------------------------------------------------------------------

    def _configure(self, has_new_settings: bool) -> None:
        """Write settings and accounts into a folder that belongs to the server."""
        self.imap_port, self.pop_port = _free_ports(self.host, 2)
        uid, gid = _owner()
        dialect = _SINCE_2_4 if has_new_settings else _UNTIL_2_3
        settings = (dialect + _SETTINGS).format(
            folder=self._folder,
            user=pwd.getpwuid(uid).pw_name,
            group=grp.getgrgid(gid).gr_name,
            uid=uid,
            gid=gid,
            imap_port=self.imap_port,
            pop_port=self.pop_port,
        )
        lines = [f"{name}:{{PLAIN}}{word}\n" for name, word in self.accounts.items()]
        (self._folder / "dovecot.conf").write_text(settings)
        (self._folder / "accounts").write_text("".join(lines))
        (self._folder / "log").touch()
        for name in ("run", "state", "mail"):
            (self._folder / name).mkdir()
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, uid, gid)

    def _run(self, program: str) -> None:
        """Start the process, in a group of its own; root gives its rights away."""
        uid, gid = _owner()
        whose = {"user": uid, "group": gid, "extra_groups": []}
        self._process = subprocess.Popen(
            # it ends with the tests, however these end
            ["setpriv", "--pdeathsig", "TERM", program]
            + ["-F", "-c", str(self._folder / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,
            **(whose if os.geteuid() == 0 else {}),
        )

    def _wait(self) -> bool:
        """Whether both ports greet, before the process ends or the time is over."""
        deadline = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._greets(self.imap_port) and self._greets(self.pop_port):
                return True
            time.sleep(0.02)
        return False

    def _greets(self, port: int) -> bool:
        with suppress(OSError):
            with socket.create_connection((self.host, port), timeout=1) as client:
                return client.recv(4)[:1] in (b"*", b"+")
        return False

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


def _has_new_settings(program: str) -> bool:
    """Whether it is Dovecot 2.4 or later, whose settings have other names."""
    answer = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    )
    return tuple(map(int, answer.stdout.split(".")[:2])) >= (2, 4)


def _owner() -> tuple[int, int]:
    """Who the server runs as: us, or instead of root somebody without rights."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _all(session: imaplib.IMAP4) -> list[str]:
    """The numbers of all mails in the inbox."""
    _status, data = session.search(None, "ALL")
    return data[0].decode().split()


def _free_ports(host: str, count: int) -> list[int]:
    sockets = [socket.socket() for _number in range(count)]
    try:
        for listener in sockets:
            listener.bind((host, 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()
