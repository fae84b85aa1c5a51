"""Turn exceptions into one-line error messages and exit codes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click
from click.exceptions import Exit, NoArgsIsHelpError

from shellwire.cli.printing import print_line
from shellwire.errors import InvalidAnswer, InvalidSettings, ShellwireError
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAILED = 1
_BAD_OPTIONS = 2
_NO_DAEMON = 255
_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_BROKEN_PIPE = 141  # 128 + SIGPIPE

_CAN_NOT_PRINT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


_HOST = ("-H", "--on")

# A byte that is not UTF-8, as click prints it: it quotes by repr().
_SURROGATE_BYTE = re.compile(r"(?<!\\)\\udc([89a-f][0-9a-f])")


class Failure(ShellwireError):
    """An error with an exit code of its own."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Program(click.Group):
    """A command group that prints errors as ``Error: …`` on stderr, never as a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program. Characters that stdout can't encode are escaped."""
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="backslashreplace")
        return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line; turn errors in it into an exit code."""
        with _in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn its exceptions into an exit code."""
        with _in_one_line():
            return super().invoke(ctx)


def called_as() -> str:
    """Return what a user types to call this program: its name if on PATH, else a path.

    In a checkout that is ``run.sh``, which created the environment of the program. It is derived
    from argv, not passed in a variable: commands inherit the daemon's environment.
    """
    import shutil  # it loads compression libraries

    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return "python -m shellwire"
    found = shutil.which(program.name)
    try:
        if found is not None and program.samefile(found):
            return program.name
        environment = program.absolute().parent.parent
        if not (environment / "shellwire.stamp").exists():
            return str(program)
        script = environment.parent / "run.sh"
        return "./run.sh" if script.parent == Path.cwd() else str(script)
    except OSError:  # the current directory was removed
        return program.name


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (Exit, click.Abort, NoArgsIsHelpError):
        raise  # click handles these; NoArgsIsHelpError prints the help of a group
    except click.ClickException as error:
        _fail(_usage(error), error.exit_code)
    except ShellwireError as error:
        _fail(str(error), _exit_code(error))
    except KeyboardInterrupt:
        raise Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        _redirect_to_null(sys.stdout)
        raise Exit(_BROKEN_PIPE) from None
    except Exception as error:
        _redirect_to_null(sys.stdout)
        if isinstance(error, OSError) and error.errno in _CAN_NOT_PRINT:
            _fail(f"can't write the output: {error.strerror}")
        if os.environ.get("SHELLWIRE_LOG_LEVEL", "").upper() == "DEBUG":
            import traceback

            traceback.print_exc()
        _fail(f"unexpected {type(error).__name__}: {error}{_where_to_look()}")


def _exit_code(error: ShellwireError) -> int:
    if isinstance(error, Failure):
        return error.exit_code
    if isinstance(error, InvalidAnswer):
        return _NO_DAEMON
    return _BAD_OPTIONS if isinstance(error, InvalidSettings) else _FAILED


def _usage(error: click.ClickException) -> str:
    # Some of click's messages have several lines.
    message = " ".join(error.format_message().split())
    message = _SURROGATE_BYTE.sub(r"\\x\1", message)
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption) and error.option_name in _HOST and _is_group(ctx):
        message = f"{message.rstrip('.')} here: it goes after the command."
    if ctx is None:
        return message
    stop = "" if message.endswith((".", "?")) else "."
    words = [called_as(), *ctx.command_path.split()[1:]]
    return f"{message}{stop} See `{' '.join(words)} --help`"


def _is_group(ctx: click.Context | None) -> bool:
    return ctx is not None and isinstance(ctx.command, click.Group)


def _fail(reason: str, code: int = _FAILED) -> NoReturn:
    note(f"Error: {reason}")
    raise Exit(code)


def note(text: str) -> None:
    """Print a last line to stderr; if that fails, the exit code still tells the user."""
    try:
        print_line(text, err=True)
    except OSError:
        _redirect_to_null(sys.stderr)


def _where_to_look() -> str:
    hint = "SHELLWIRE_LOG_LEVEL=DEBUG prints a traceback"
    try:
        return f" ({hint}; the daemon's log is {Home.locate().log_file})"
    except ShellwireError:
        return f" ({hint})"


def _redirect_to_null(stream: TextIO | None) -> None:
    """Redirect a stream to /dev/null: flushing its buffer at exit would fail again."""
    if stream is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
