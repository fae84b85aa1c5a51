"""Where each file of the daemon's home is."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from shellwire.errors import HomeError
from shellwire.home.ownership import check_owner, check_path_owner

_PRIVATE = 0o700


@dataclass(frozen=True)
class Home:
    """The directory that holds what one daemon keeps. ``root`` is absolute."""

    root: Path

    @classmethod
    def locate(cls) -> Home:
        """Return ``$SHELLWIRE_HOME``, or ``~/.shellwire`` where that is unset or empty.

        Nothing is made yet. Raises HomeError if there is no home directory to look in, or if the
        directory, or a symlink on the way to it, belongs to another user than us and root.
        """
        chosen = os.environ.get("SHELLWIRE_HOME") or "~/.shellwire"
        expanded = os.path.expanduser(chosen)
        # An empty HOME would make it a directory in the root.
        is_lost = chosen.startswith("~/") and os.environ.get("HOME") == ""
        if is_lost or expanded.startswith("~"):
            raise HomeError(f"can't tell where {chosen} is: set HOME or SHELLWIRE_HOME")
        try:
            root = Path(os.path.abspath(expanded))
        except FileNotFoundError as error:
            raise HomeError(
                f"SHELLWIRE_HOME is {chosen}, and the directory it starts from is gone"
            ) from error
        check_path_owner(root)
        return cls(root)

    def ensure(self) -> None:
        """Make the directory if it is missing, and 0700 in any case.

        Raises HomeError, also if a file in it belongs to another user: one who could write here
        before may have left a token or a pid file of his own.
        """
        try:
            self.root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            status = self.root.stat()
            check_owner(self.root, status)
            mode = status.st_mode
            if mode & stat.S_ISVTX or self.root == self.root.parent:
                # /tmp by mistake, say: nobody else could work with it if it became private.
                raise HomeError(f"can't use {self.root} as home: others use it too")
            # The umask may have narrowed the mode just given, and an older release gave 0755.
            if stat.S_IMODE(mode) != _PRIVATE:
                self.root.chmod(_PRIVATE)
            with os.scandir(self.root) as entries:
                for entry in entries:
                    check_owner(self.root / entry.name, entry.stat(follow_symlinks=False))
        except FileExistsError as error:
            raise HomeError(f"{self.root} is not a directory") from error
        except OSError as error:
            raise HomeError(f"can't use {self.root} as home: {_reason(error)}") from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise HomeError(f"can't use {self.root} as home: it is not writable")

    @property
    def token_file(self) -> Path:
        """The secret that clients authenticate with."""
        return self.root / "auth.token"

    @property
    def clients_file(self) -> Path:
        """Known clients, and which of them are revoked."""
        return self.root / "clients.json"

    @property
    def config_file(self) -> Path:
        """The settings that its user has written down."""
        return self.root / "config.toml"

    @property
    def hosts_file(self) -> Path:
        """The daemons that its user has logged in to, with their tokens."""
        return self.root / "hosts.json"

    @property
    def pid_file(self) -> Path:
        """The running daemon's pid, start time and address."""
        return self.root / "daemon.pid"

    @property
    def log_file(self) -> Path:
        """The daemon's log; older ones have a number appended."""
        return self.root / "daemon.log"

    @property
    def socket_file(self) -> Path:
        """The Unix socket; ``socket_address`` gives an address of it that is short enough."""
        return self.root / "daemon.sock"

    @property
    def journal_file(self) -> Path:
        """The jobs that run now; only while a daemon runs, or when one was killed."""
        return self.root / "jobs.journal"

    @property
    def lock_file(self) -> Path:
        """Held by the daemon as long as it lives."""
        return self.root / "daemon.lock"

    @property
    def tempfiles_directory(self) -> Path:
        """A symlink to each temporary file that is being written."""
        return self.root / "unfinished"

    @property
    def manifests_directory(self) -> Path:
        """What `sync` knows of each pair of directories from the last time."""
        return self.root / "manifests"

    @property
    def write_lock_file(self) -> Path:
        """Held by whoever reads a file in order to change it."""
        return self.root / "write.lock"


def _reason(error: OSError) -> str:
    # chmod(2) by who is not the owner
    if error.errno == errno.EPERM:
        return "it belongs to another user"
    return error.strerror or str(error)
