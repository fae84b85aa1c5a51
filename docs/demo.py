"""Record the demo of README: a real session in a real terminal, drawn as two SVG files.

    python docs/demo.py            # writes demo-light.svg and demo-dark.svg beside this file
    python docs/demo.py DIRECTORY  # writes them there

It starts a daemon in a temporary home, types the commands of SESSION into a bash on a terminal,
and draws what the terminal shows. Only numbers that differ from run to run (pid, port, job id) are
replaced, and the typing speed is made up; so two runs draw the same picture.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import tempfile
import textwrap
import time
from html import escape
from pathlib import Path
from typing import NamedTuple

from ptyprocess import PtyProcess

from shellwire.output import strip_ansi

OUTER, INNER = "$ ", "box:~$ "
COLUMNS = 92

# What is typed, and the text after which the next line is typed.
SESSION = [
    ("# Directory and variables last from one command to the next.", OUTER),
    ("shellwire exec -s build 'cd /usr && export CC=clang'", OUTER),
    ("shellwire exec -s build 'echo $CC in $PWD; exit 3' || echo \"exit code $?\"", OUTER),
    ("# Open a shell, start something long, and leave with ~.", OUTER),
    ("shellwire shell --name work", INNER),
    ("for i in 1 2 3 4 5; do echo step $i; sleep 1; done", "step 2\n"),
    ("~.", OUTER),
    ("# The shell keeps running. Come back: nothing is lost.", OUTER),
    ("shellwire attach work", "step 5\n" + INNER),
    ("exit", OUTER),
]

SECONDS = 60.0
"""The longest wait for one text."""

# Numbers that differ from run to run, and what is drawn in their place.
_VARYING = [
    (re.compile(r"\b[0-9a-f]{12}\b"), "7f3a9c21d4e8"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "7842"),
    (re.compile(r"(?<=pid )\d+"), "4242"),
]


class Theme(NamedTuple):
    """Colours of one picture."""

    name: str
    background: str
    border: str
    text: str
    typed: str
    prompt: str
    comment: str


LIGHT = Theme("light", "#ffffff", "#d0d7de", "#424a53", "#1f2328", "#1a7f37", "#656d76")
DARK = Theme("dark", "#0d1117", "#30363d", "#b1bac4", "#f0f6fc", "#3fb950", "#8b949e")


class Terminal:
    """A bash on a terminal, in ``home``, and everything that it has shown."""

    def __init__(self, environment: dict[str, str], home: Path) -> None:
        bash = ["bash", "--norc", "--noprofile"]
        self._pty = PtyProcess.spawn(bash, cwd=str(home), env=environment, dimensions=(40, COLUMNS))
        self._bytes = b""
        self._seen = 0

    @property
    def text(self) -> str:
        """What it has shown so far, without escape sequences."""
        return strip_ansi(self._bytes.decode(errors="replace")).replace("\r", "")

    def wait(self, expected: str) -> None:
        """Read until ``expected`` comes, after what was waited for before."""
        deadline = time.monotonic() + SECONDS
        while (found := self.text.find(expected, self._seen)) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._pty.fd], [], [], left)[0]:
                raise TimeoutError(f"no {expected!r} after:\n{self.text}")
            self._bytes += os.read(self._pty.fd, 65536)
        self._seen = found + len(expected)

    def play(self, typed: str, expected: str) -> None:
        """Type a line, wait for its echo and then for what it leads to."""
        if typed == "~.":  # a key of shellwire: it is not shown, and needs no Enter
            self._pty.write(typed.encode())
        else:
            self._pty.write(typed.encode() + b"\n")
            self.wait(typed + "\n")
        self.wait(expected)

    def close(self) -> None:
        """End the bash."""
        self._pty.close(force=True)


def record() -> list[str]:
    """Play SESSION with a daemon of its own; return the lines that the terminal has shown."""
    with tempfile.TemporaryDirectory(prefix="shellwire-demo-") as directory:
        home = Path(directory)
        (home / ".bashrc").write_text(f"PS1='{INNER}'\n", encoding="utf-8")
        environment = {
            "HOME": directory,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PS1": OUTER,
            "SHELLWIRE_PORT": "0",
            "TERM": "dumb",
        }
        shellwire = [sys.executable, "-m", "shellwire"]
        _run(*shellwire, "start", "--daemon", environment=environment)
        try:
            with contextlib.closing(Terminal(environment, home)) as terminal:
                terminal.wait(OUTER)
                for typed, expected in SESSION:
                    terminal.play(typed, expected)
                shown = terminal.text
        finally:
            _run(*shellwire, "stop", environment=environment)
    for pattern, instead in _VARYING:
        shown = pattern.sub(instead, shown)
    lines = [line for line in shown.removesuffix(OUTER).splitlines() if line]
    return [part for line in lines for part in textwrap.wrap(line, COLUMNS) or [""]]


def _run(*command: str, environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def draw(lines: list[str], theme: Theme) -> str:
    """Return the SVG: the lines appear one after the other, and stay."""
    width, height, left, step = 812, 34 + 20 * len(lines), 18, 20
    at, drawn = 0.4, list[str]()
    for number, line in enumerate(lines):
        prompt = next((each for each in (OUTER, INNER) if line.startswith(each)), "")
        rest = line.removeprefix(prompt)
        kind = "comment" if prompt and rest.startswith("#") else "typed" if prompt else "text"
        drawn.append(
            f'<text x="{left}" y="{34 + step * number}" style="animation-delay:{at:.1f}s">'
            f'<tspan class="prompt">{escape(prompt, quote=False)}</tspan>'
            f'<tspan class="{kind}">{escape(rest, quote=False)}</tspan></text>'
        )
        at += 1.1 if prompt else 0.4
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-labelledby="title">
<title id="title">A session with shellwire</title>
<!-- Written by docs/demo.py from a real session. -->
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre; animation: appear 0.01s both; }}
.prompt {{ fill: {theme.prompt}; }}
.typed {{ fill: {theme.typed}; font-weight: 600; }}
.comment {{ fill: {theme.comment}; font-style: italic; }}
.text {{ fill: {theme.text}; }}
@keyframes appear {{ from {{ opacity: 0; }} }}
@media (prefers-reduced-motion: reduce) {{ text {{ animation: none; }} }}
</style>
<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" \
fill="{theme.background}" stroke="{theme.border}"/>
{chr(10).join(drawn)}
</svg>
"""


def main(*words: str) -> None:
    """Record the session, and write both pictures."""
    directory = Path(words[0]) if words else Path(__file__).parent
    lines = record()
    for theme in (LIGHT, DARK):
        file = directory / f"demo-{theme.name}.svg"
        file.write_text(draw(lines, theme), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
