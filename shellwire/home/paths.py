"""The daemon's home directory, and the paths of the files in it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from shellwire.errors import HomeError
from shellwire.home.ownership import INSECURE, check_owner, check_path_owner, is_insecure_allowed

_PRIVATE = 0o700


@dataclass(frozen=True)
class Home:
    """The directory with all files of one daemon. ``root`` is absolute."""

    root: Path

    @classmethod
    def locate(cls) -> Home:
        """Return ``$SHELLWIRE_HOME``, or ``~/.shellwire`` if that is unset or empty.

        Creates nothing. Raises HomeError if the user's home directory is unknown, or if the
        directory, or a symlink on the way to it, belongs to a user other than us and root.
        """
        chosen = os.environ.get("SHELLWIRE_HOME") or "~/.shellwire"
        expanded = os.path.expanduser(chosen)
        # With an empty HOME it would be /.shellwire.
        is_lost = chosen.startswith("~/") and os.environ.get("HOME") == ""
        if is_lost or expanded.startswith("~"):
            raise HomeError(f"can't tell where {chosen} is: set HOME or SHELLWIRE_HOME")
        try:
            root = Path(os.path.abspath(expanded))
        except FileNotFoundError as error:
            raise HomeError(
                f"SHELLWIRE_HOME is the relative path {chosen}, and the current directory is gone"
            ) from error
        check_path_owner(root)
        return cls(root)

    def ensure(self) -> None:
        """Create the directory if it is missing, and set its mode to 0700 in any case.

        Raises HomeError, also if a file in it belongs to another user: a user who could write
        here before may have left a token or a pid file of his own.
        """
        try:
            self.root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            status = self.root.stat()
            check_owner(self.root, status)
            mode = status.st_mode
            if mode & stat.S_ISVTX or self.root == self.root.parent:
                # For example /tmp by mistake: no other user could use it once it is private.
                raise HomeError(f"can't use {self.root} as home: others use it too")
            # The umask may have reduced the mode above, and an older release used 0755.
            if stat.S_IMODE(mode) != _PRIVATE:
                self.root.chmod(_PRIVATE)
                self._check_private()
            with os.scandir(self.root) as entries:
                for entry in entries:
                    check_owner(self.root / entry.name, entry.stat(follow_symlinks=False))
        except FileExistsError as error:
            raise HomeError(f"{self.root} is not a directory") from error
        except OSError as error:
            raise HomeError(f"can't use {self.root} as home: {_reason(error)}") from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise HomeError(f"can't use {self.root} as home: it is not writable")

    def _check_private(self) -> None:
        """Raise HomeError if others can enter the directory although its mode was set.

        chmod(2) succeeds without any effect on some file systems, such as vfat (mount(8), quiet).
        """
        if sys.platform == "win32" or is_insecure_allowed():
            return
        if stat.S_IMODE(self.root.stat().st_mode) & 0o077:
            raise HomeError(
                f"can't use {self.root} as home: its file system does not keep it private (set"
                f" SHELLWIRE_HOME to a directory on another one, or {INSECURE}=1 to accept that)"
            )

    @property
    def token_file(self) -> Path:
        """The secret that clients authenticate with."""
        return self.root / "auth.token"

    @property
    def tokens_file(self) -> Path:
        """The tokens given to others, as SHA-256, with their principals and roles."""
        return self.root / "tokens.json"

    @property
    def clients_file(self) -> Path:
        """Known clients, and which of them are revoked."""
        return self.root / "clients.json"

    @property
    def config_file(self) -> Path:
        """The settings file, which the user writes."""
        return self.root / "config.toml"

    @property
    def hosts_file(self) -> Path:
        """The daemons that the user has logged in to, with their tokens."""
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
        """The Unix socket; ``socket_address`` gives a path of it that is short enough."""
        return self.root / "daemon.sock"

    @property
    def journal_file(self) -> Path:
        """The live jobs; exists only while a daemon runs, or after one was killed."""
        return self.root / "jobs.journal"

    @property
    def lock_file(self) -> Path:
        """The lock that the daemon holds as long as it lives."""
        return self.root / "daemon.lock"

    @property
    def tempfiles_directory(self) -> Path:
        """A symlink to each temporary file that is being written."""
        return self.root / "unfinished"

    @property
    def manifests_directory(self) -> Path:
        """The state of each pair of directories after its last `sync`."""
        return self.root / "manifests"

    @property
    def write_lock_file(self) -> Path:
        """The lock held while a file is read, changed and written back."""
        return self.root / "write.lock"


def _reason(error: OSError) -> str:
    # chmod(2) gives EPERM to a user who is not the owner.
    if error.errno == errno.EPERM:
        return "it belongs to another user"
    return error.strerror or str(error)
