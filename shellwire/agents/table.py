"""The table of tools: names, types and the descriptions that a model reads."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from shellwire.agents import arguments, file_arguments, file_tools, results, tools

Effect = Literal["reads", "changes", "destroys"]


@dataclass(frozen=True)
class Tool:
    """One tool, named after its function ``run``."""

    run: Callable[[Any, Any, Any], Awaitable[Struct]]
    arguments_type: type[Struct]
    result_type: type[Struct]
    effect: Effect
    description: str

    @property
    def name(self) -> str:
        """The tool's name in MCP."""
        return self.run.__name__


_TABLE = (
    Tool(
        tools.run_command,
        arguments.RunCommand,
        results.CommandResult,
        "destroys",
        "Run a shell command, wait for its end, and return exit code, stdout and stderr. State"
        " persists: directory, variables, functions and aliases are saved for the next command, so"
        " run `cd`, `export` or `source venv/bin/activate` once. For commands that end by"
        " themselves: after `timeout` seconds (default 120) the command is ended. It has no"
        " terminal. For servers, watchers and programs that ask questions use start_process.",
    ),
    Tool(
        tools.start_process,
        arguments.StartProcess,
        results.Started,
        "destroys",
        "Start a long-running process, such as a server, a watcher or a REPL, and return its id"
        " at once. It starts from the state that run_command saved, and does not change it. To"
        " wait until a server is ready, call read_output with `until` set to the text it prints"
        " when ready, and `wait` in seconds. The process keeps running after this conversation;"
        " kill_process ends it.",
    ),
    Tool(
        tools.send_input,
        arguments.SendInput,
        results.Sent,
        "destroys",
        "Send text to a process started by start_process. The text is sent unchanged, so end a"
        " line with a newline. Read the response with read_output.",
    ),
    Tool(
        tools.read_output,
        arguments.ReadOutput,
        results.Page,
        "reads",
        "Return the output of a process after `cursor`, with escape sequences removed. With"
        " `until`, wait until that text appears (`matched: true`), the process ends (`exit_code`)"
        " or `wait` seconds pass. Use it to learn whether a server is ready or has failed."
        " Continue with the `cursor` of the result.",
    ),
    Tool(
        tools.list_processes,
        arguments.ListProcesses,
        results.Processes,
        "reads",
        "List all running and queued processes and commands, and the last 10 that ended,"
        " including those of earlier conversations and of the user's other clients.",
    ),
    Tool(
        tools.kill_process,
        arguments.KillProcess,
        results.Killed,
        "destroys",
        "End a process or command and everything it started: SIGTERM, then SIGKILL after 2"
        " seconds. Waits until it is gone.",
    ),
    Tool(
        tools.get_context,
        arguments.GetContext,
        results.ContextState,
        "reads",
        "Return the directory and exported variables with which the next command starts.",
    ),
    Tool(
        tools.set_context,
        arguments.SetContext,
        results.ContextState,
        "changes",
        "Set the directory and variables with which the next commands start. Same effect as `cd`"
        " and `export` in run_command, without running a shell.",
    ),
    Tool(
        file_tools.read_file,
        file_arguments.ReadFile,
        file_arguments.FileContent,
        "reads",
        "Read a text file, or `length` bytes of it from `offset` on. Continue with `next_offset`"
        " until `eof`. When the whole file is returned, pass its `hash` to write_file to detect"
        " changes since.",
    ),
    Tool(
        file_tools.write_file,
        file_arguments.WriteFile,
        file_arguments.FileWritten,
        "destroys",
        "Write a file's whole content in one atomic step. Creates the file and missing"
        " directories; keeps mode and owner of an existing file. The text needs no shell quoting.",
    ),
    Tool(
        file_tools.edit_file,
        file_arguments.EditFile,
        file_arguments.FileWritten,
        "destroys",
        "Replace text that occurs exactly once in a file. Fails without changing anything if"
        " `old` is missing or occurs more than once, or if the file changes meanwhile. If every"
        " line of the file ends with CRLF, a line feed in `old` and `new` means CRLF.",
    ),
    Tool(
        file_tools.search_files,
        file_arguments.SearchFiles,
        file_arguments.FileMatches,
        "reads",
        "Find lines that contain a text, or match a regular expression, in the files at or below"
        " a path. Stops after 5 seconds and returns the matches so far, with `truncated: true`.",
    ),
)

TOOLS = {tool.name: tool for tool in _TABLE}
"""All tools by name."""
