"""Start a job's process: directory and state, shell, command text and first input."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from shellwire.jobs.model import shown
from shellwire.jobs.run import Run
from shellwire.process import proc
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.shell import Stdio

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import Request
    from shellwire.jobs.output import Output
    from shellwire.jobs.readers import Readers
    from shellwire.shell.context import Context, Origin
    from shellwire.shell.state import State


def origin_of(request: Request, context: Context, readers: Readers) -> Origin:
    """Return the state that ``request`` starts from; notify ``readers`` if its cwd is gone.

    Raises CannotEnter if the request's own cwd does not exist.
    """
    cwd = None
    if request.cwd is not None:
        cwd = os.path.join(context.state.cwd, request.cwd)
        if not os.path.isdir(cwd):
            raise CannotEnter(f"cwd {shown(request.cwd)}: there is no such directory")
    origin, gone = context.make_origin(cwd=cwd, env=request.env, terminal=request.size is not None)
    if gone is not None:
        moved = f"{shown(gone)} is gone; running in {shown(origin.state.cwd)}"
        readers.notify("CWD_GONE", moved)
    return origin


def launch(
    request: Request,
    origin: Origin,
    context: Context,
    engine: Engine,
    output: Output,
    *,
    send: Callable[[Callable[[], None]], None],
    reported: Callable[[], None],
    exited: Callable[[], None],
    changed: Callable[[], None],
) -> Run:
    """Start the process of ``request`` and connect it to ``output``.

    ``send(run)`` must call ``run()``, which gives the shell its command, at once or later. ``Run``
    describes the other callbacks. Raises SpawnError or PtyUnavailable.
    """
    is_command = request.kind == "command"
    stdio = Stdio(
        stdin=not is_command or request.open_stdin or bool(request.stdin_data), size=request.size
    )
    text = _text(request, context.state, engine)
    taken = engine.take(origin.state, context, stdio, report=is_command)
    try:
        began = proc.now()
        # The shell gets its command before the callbacks are set up, which saves time.
        send(partial(taken.shell.run, engine.dialect.script(taken.patch, text)))
        run = Run(
            taken.shell,
            engine,
            began=began,
            budget=output.read_budget,
            received=output.received,
            reported=reported,
            exited=exited,
            changed=changed,
        )
    except BaseException:
        # The shell has no other owner yet.
        engine.discard(taken.shell)
        raise
    output.pump = run.pump
    return run


def send_first_input(request: Request, run: Run) -> None:
    """Send ``stdin_data``, followed by end-of-file unless the request keeps the input open."""
    if request.stdin_data:
        run.write_input(request.stdin_data)
        if request.kind == "command" and not request.open_stdin:
            run.finish_input()


def _text(request: Request, state: State, engine: Engine) -> bytes:
    if request.command is not None:
        return engine.text(request.command)
    program = engine.user_shell(state)
    return engine.dialect.exec_program(program, interactive=request.size is not None)
