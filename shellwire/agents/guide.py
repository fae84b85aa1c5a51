"""The text that teaches a model the tools: the server's instructions, and the skill's body."""

from __future__ import annotations

GUIDE = """\
shellwire runs commands in a real shell on this machine, through a daemon that outlives this
conversation.

- State persists. run_command saves the directory, variables, functions and aliases for the next
  run_command: run `cd`, `export` and `source .venv/bin/activate` once. (A plain POSIX sh saves only
  the directory and exported variables. Options such as `set -e` and traps are never saved.)
  `committed: false` in a result means that the command's changes were not saved.
- run_command is for commands that end by themselves. It waits for the end. After `timeout` seconds
  (default 120) it ends the command, and `reason` is `timed_out`. Of long output it returns the head
  and the tail, with `truncated: true`: redirect output that you need whole to a file.
- start_process is for servers, watchers, REPLs and programs that ask questions. It returns an `id`
  at once, for send_input, read_output and kill_process. The process starts from the state that
  run_command saved, and does not change it.
- To wait until a server is ready: start_process, then read_output with `until` set to the text that
  the server prints when ready, and `wait` in seconds. `matched: true` means ready. An `exit_code`
  means that it has ended; the output says why. Continue reading from `cursor`.
- To leave a process running, do nothing: processes of start_process keep running after this
  conversation. The daemon ends one after seven days without input, output or requests about it
  (the user can change the time). For longer, run it in the background with run_command:
  `server >server.log 2>&1 &`. When the daemon stops, everything ends. list_processes shows all
  running processes, also those of earlier conversations.
- read_file, write_file, edit_file and search_files need no quoting. Relative paths start at the
  saved directory.
- Few processes run at a time (default 4). TOO_MANY_PROCESSES names those that run; commands wait
  for a free slot.
- A named `context` is a separate state, for a second project or environment. Its commands run one
  at a time; commands in `default` may run in parallel.
"""
