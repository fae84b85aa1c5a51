"""Parse bash's report of its state, the output of ``declare`` and ``alias``; pure.

A report has five sections, separated by NUL, which no value of a shell can contain: the working
directory, and the output of ``declare -p``, ``declare -F``, ``declare -f`` and ``alias -p``. If the
shell ended inside a function, its report begins with ``INSIDE``. Its global variables then have the
attribute t; variables without it are locals, or could not be marked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from shellwire.shell.dialect import SECRETS, Report
from shellwire.shell.quoting import unquote
from shellwire.shell.state import OUR_PREFIX, Function, State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE = b"inside"

RESTORED = OUR_PREFIX + b"r"
"""A variable that the last line of a restore sets: if it is missing, the restore has failed."""

# Variables that bash sets itself (bash(1), Shell Variables); they are no part of the state.
# POSIXLY_CORRECT is another name of the option posix.
_OWN = re.compile(
    rb"(?:BASH.*|COMP_.*|PS\d|READLINE_.*|COPROC|DIRSTACK|EPOCHREALTIME|EPOCHSECONDS|EUID|FUNCNAME"
    rb"|GROUPS|HISTCMD|HOSTTYPE|IFS|LINENO|MACHTYPE|OPTARG|OPTERR|OPTIND|OSTYPE|PIPESTATUS"
    rb"|POSIXLY_CORRECT|PPID|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_)\Z"
)
_OWN_UNLESS_EXPORTED = frozenset({b"HOSTNAME", b"TERM", b"SHELL", b"LINES", b"COLUMNS"})
# Bash declares and exports it at every start.
_OWN_UNLESS_SET = frozenset({b"OLDPWD"})

_DECLARE = re.compile(rb"declare -(\S+) ([^=\n]+)(?:=([^\n]*))?")
_MAX_CACHED_LINE = 512
_DECLARE_F = re.compile(rb"declare -f(\w*) ([^\n]+)\n")
_ELEMENT = re.compile(
    rb"""\[(?:"(?:[^"\\]|\\.)*"|\$'(?:[^'\\]|\\.)*'|[^]"$]+)\]="""
    rb"""(?:"(?:[^"\\]|\\.)*"|\$'(?:[^'\\]|\\.)*') """
)
# Bash prints ``function`` before a name that is a reserved word.
_HEADER = re.compile(rb"^(?:function )?(\S+) \(\) \n", re.MULTILINE)
# A single quote alone is printed as \'; any other value is printed in single quotes.
_ALIAS = re.compile(rb"alias (?:-- )?([^=\n]+)=(\\'|'[^']*(?:'\\''[^']*)*')\n")


def parse(payload: bytes) -> Report | None:
    """Return the parsed report, or None if it can't be parsed."""
    inside = payload.startswith(INSIDE)
    sections = payload.removeprefix(INSIDE).split(b"\0")
    if len(sections) != 5 or not sections[0].startswith(b"/"):
        return None
    cwd, variables, names, bodies, aliases = sections
    unknown: set[bytes] = set()
    try:
        state = State(
            cwd=cwd.removesuffix(b"\n"),
            variables=dict(_variables(variables, unknown, inside=inside)),
            functions=_functions(names, bodies),
            aliases=_aliases(aliases),
        )
    except ValueError:
        return None
    whole = b" " + RESTORED + b"=" in variables
    return Report(state, frozenset(unknown), whole=whole)


def ignored(name: bytes, flags: str) -> bool:
    """Whether a variable belongs to bash or to shellwire, not to the state."""
    return (
        _OWN.match(name) is not None
        or name in SECRETS
        or name.startswith(OUR_PREFIX)
        or ("x" not in flags and name in _OWN_UNLESS_EXPORTED)
    )


def _variables(
    section: bytes, unknown: set[bytes], *, inside: bool
) -> Iterator[tuple[bytes, Variable]]:
    *lines, rest = section.split(b"\n")
    if rest:
        raise ValueError("a variable that can't be read")
    for line in lines:
        declared = _declared_cached(line) if len(line) <= _MAX_CACHED_LINE else _declared(line)
        if declared is None:
            continue
        name, variable = declared
        if inside and "t" not in variable.flags:
            unknown.add(name)
            continue
        if inside:
            variable = Variable(variable.value, variable.flags.replace("t", ""))
        if "r" in variable.flags:
            unknown.add(name)
        elif variable.value is not None or (variable.flags and name not in _OWN_UNLESS_SET):
            yield name, variable


def _declared(line: bytes) -> tuple[bytes, Variable] | None:
    """Return the name and the variable that a line declares; None if it is ignored."""
    match = _DECLARE.fullmatch(line)
    if match is None:
        raise ValueError("a variable that can't be read")
    letters, name, text = match.groups()
    flags = letters.decode().replace("-", "")
    if ignored(name, flags):
        return None
    return name, Variable(None if text is None else _value(text, flags), flags)


# Most lines of two successive reports are the same.
_declared_cached = lru_cache(maxsize=2048)(_declared)


def _value(text: bytes, flags: str) -> bytes:
    if "A" in flags:
        # Bash prints the elements in no defined order: another order is no change.
        ordered = b"(" + b"".join(sorted(_ELEMENT.findall(text))) + b")"
        return ordered if len(ordered) == len(text) else text
    return text if "a" in flags else unquote(text)


def _functions(names: bytes, bodies: bytes) -> dict[bytes, Function]:
    listed = {name: b"x" in flags for flags, name in _DECLARE_F.findall(names)}
    # A here-document may contain a line like another function's header. If the headers don't match
    # the list of names, the report is rejected.
    headers = [match for match in _HEADER.finditer(bodies) if match.group(1) in listed]
    if [match.group(1) for match in headers] != list(listed):
        raise ValueError("functions whose definitions can't be told apart")
    functions: dict[bytes, Function] = {}
    ends = [match.start() for match in headers[1:]] + [len(bodies)]
    for match, end in zip(headers, ends, strict=False):
        name = match.group(1)
        text = bodies[match.start() : end].removesuffix(b"declare -fx " + name + b"\n")
        if name == b"exit" and OUR_PREFIX in text:
            continue
        if b"=" in name:
            # Without the word ``function`` it would be read back as an assignment.
            text = b"function " + text
        functions[name] = Function(text, listed[name])
    return functions


def _aliases(section: bytes) -> dict[bytes, bytes]:
    aliases: dict[bytes, bytes] = {}
    position = 0
    for match in _ALIAS.finditer(section):
        if match.start() != position:
            break
        position = match.end()
        aliases[match.group(1)] = unquote(match.group(2))
    if position != len(section):
        raise ValueError("an alias that can't be read")
    return aliases
