"""The tools by name, with the words that a model reads."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from shellwire.agents import arguments, file_arguments, file_tools, results, tools

Effect = Literal["reads", "changes", "destroys"]


@dataclass(frozen=True)
class Tool:
    """One tool: its name is that of ``act``."""

    run: Callable[[Any, Any, Any], Awaitable[Struct]]
    arguments_type: type[Struct]
    result_type: type[Struct]
    effect: Effect
    description: str

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.run.__name__


_TABLE = (
    Tool(
        tools.run_command,
        arguments.RunCommand,
        results.CommandResult,
        "destroys",
        "Run a shell command to its end and return its exit code, stdout and stderr. State carries"
        " over: the directory, variables, functions and aliases that it leaves are there for the"
        " next command, so `cd`, `export` or `source venv/bin/activate` are needed once. For what"
        " ends by itself; it is ended after `timeout` seconds (120), and gets no terminal. For"
        " servers, watchers and what asks questions use start_process.",
    ),
    Tool(
        tools.start_process,
        arguments.StartProcess,
        results.Started,
        "destroys",
        "Start a process that goes on by itself, such as a server, a watcher or a REPL, and return"
        " its id at once. It starts from the state that run_command left, and changes nothing of"
        " it. To wait until a server is ready: read_output with `until` set to what it prints then"
        " and `wait` in seconds. It goes on when you are gone; kill_process ends it.",
    ),
    Tool(
        tools.send_input,
        arguments.SendInput,
        results.Sent,
        "destroys",
        "Type into a process of start_process: text as it is, so end a line with a newline. Its"
        " answer comes by read_output.",
    ),
    Tool(
        tools.read_output,
        arguments.ReadOutput,
        results.Page,
        "reads",
        "Return what a process has written since `cursor`, without its escape sequences. With"
        " `until` it waits for that text (`matched: true`), for the end of the process"
        " (an `exit_code`) or for `wait` seconds, whichever comes first; so"
        " you learn that a server is ready, or has failed. Go on with the `cursor` of the result.",
    ),
    Tool(
        tools.list_processes,
        arguments.ListProcesses,
        results.Processes,
        "reads",
        "List all processes and commands that run or wait, and the last 10 that ended, also those"
        " that earlier conversations and other clients of the user have started.",
    ),
    Tool(
        tools.kill_process,
        arguments.KillProcess,
        results.Killed,
        "destroys",
        "End a process or a command with all that it has started, and wait until it is gone:"
        " SIGTERM, and SIGKILL after 2 seconds.",
    ),
    Tool(
        tools.get_context,
        arguments.GetContext,
        results.ContextState,
        "reads",
        "Tell in which directory and with which exported variables the next command will start.",
    ),
    Tool(
        tools.set_context,
        arguments.SetContext,
        results.ContextState,
        "changes",
        "Change the directory and variables that the next commands start with. run_command with"
        " `cd` and `export` does the same; this does it without a shell.",
    ),
    Tool(
        file_tools.read_file,
        file_arguments.ReadFile,
        file_arguments.FileContent,
        "reads",
        "Return a file's text, or `length` bytes of it from `offset` on; go on with `next_offset`"
        " until `eof`. The `hash` of a whole file makes write_file refuse if it has changed since.",
    ),
    Tool(
        file_tools.write_file,
        file_arguments.WriteFile,
        file_arguments.FileWritten,
        "destroys",
        "Give a file a new content, in one step: nobody sees half of it. It and directories on the"
        " way need not exist; mode and owner of one that does are kept. Text arrives as it is,"
        " without a shell's quoting.",
    ),
    Tool(
        file_tools.edit_file,
        file_arguments.EditFile,
        file_arguments.FileWritten,
        "destroys",
        "Replace a text that stands in a file exactly once. It refuses, and changes nothing, if"
        " `old` is not there or there more than once, or if the file changes meanwhile. In a file"
        " whose every line ends with CRLF, line feeds in `old` and `new` stand for CRLF.",
    ),
    Tool(
        file_tools.search_files,
        file_arguments.SearchFiles,
        file_arguments.FileMatches,
        "reads",
        "Find the lines of files that hold a text, or match a regular expression, at or below a"
        " path. It ends after 5 seconds with what it has found by then (`truncated`).",
    ),
)

TOOLS = {tool.name: tool for tool in _TABLE}
"""All tools, by name."""
