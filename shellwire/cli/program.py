"""Whatever goes wrong costs the user one line."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import click

from shellwire.errors import ShellwireError
from shellwire.home.paths import Home
from shellwire.output import printable

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_BROKEN_PIPE = 141  # 128 + SIGPIPE


class Program(click.Group):
    """A group of commands whose errors end in ``Error: …`` on stderr, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what it raises into an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click's own, which it shows itself
        except ShellwireError as error:
            _fail(ctx, str(error))
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            _abandon_output()
            ctx.exit(_BROKEN_PIPE)
        except Exception as error:
            _abandon_output()
            if os.environ.get("SHELLWIRE_LOG_LEVEL", "").upper() == "DEBUG":
                traceback.print_exc()
            _fail(ctx, f"unexpected {type(error).__name__}: {error}{_where_to_look()}")


def _fail(ctx: click.Context, reason: str) -> NoReturn:
    click.echo(f"Error: {printable(reason)}", err=True)
    ctx.exit(1)


def _where_to_look() -> str:
    hint = "SHELLWIRE_LOG_LEVEL=DEBUG shows where"
    try:
        return f" ({hint}; the daemon's log is {Home.locate().log_file})"
    except ShellwireError:
        return f" ({hint})"


def _abandon_output() -> None:
    """Let what stdout still holds go to nobody, lest the interpreter trip over it at exit."""
    if sys.stdout is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
