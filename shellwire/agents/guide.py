"""What a model must know to work with the tools: the server's instructions, the skill's body."""

from __future__ import annotations

GUIDE = """\
shellwire runs commands in a real shell on this machine, through a daemon that outlives this
conversation.

- State carries over. The directory, variables, functions and aliases that run_command leaves are
  there for the next run_command: `cd`, `export` and `source .venv/bin/activate` are needed once.
  (In a plain POSIX sh only the directory and exported variables. Options such as `set -e` and traps
  never carry over.) `committed: false` in a result says that a command's changes were not kept.
- run_command is for what ends by itself. It waits for the end, 120 seconds unless `timeout` says
  otherwise; what takes longer is ended then, and `reason` is `timed_out`. Of long output the head
  and the tail are kept, and `truncated` is true: write to a file what you need whole.
- start_process is for what does not end by itself or asks questions: servers, watchers, REPLs. It
  returns at once with an `id`; send_input, read_output and kill_process take it. It starts from the
  state that run_command left, and changes nothing of it.
- To wait until a server is ready: start_process, then read_output with `until` set to the text that
  it prints then, and `wait` in seconds. `matched: true`: it is ready. An `exit_code`: it has ended,
  and the output says why. Then go on reading with `cursor`.
- To leave things running: do nothing. A process of start_process goes on when you are gone. It is
  ended after seven days without input, output and questions about it (the user may have set another
  time). What must run longer is put in the background by run_command: `server >server.log 2>&1 &`.
  When the daemon stops, everything ends. list_processes shows what runs, also what earlier
  conversations left.
- read_file, write_file, edit_file and search_files need no quoting; paths count from the last
  directory.
- Few processes run at a time (4 unless the user has set more). TOO_MANY_PROCESSES names what holds
  the places; commands wait for one.
- A named `context` is a state of its own, for a second project or environment. Its commands run one
  after the other; in `default` they may run side by side.
"""
