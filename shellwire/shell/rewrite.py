"""Rewrite ``A && B &`` so that A runs in the foreground, and only B in the background.

A shell runs the whole list in a background subshell: a ``cd`` in it is lost, and a failure of A
stays unseen. The list becomes ``A && { B & };``, on the same line. Only lists at the top level of
the command, with one kind of operator, are rewritten. A command that does not parse is unchanged.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

log = logging.getLogger(__name__)

_LIST = re.compile(rb"&&|\|\|")
# Neither &&, nor part of a redirection (>& <& &>), of |& or of a case's ;&.
_LONE = re.compile(rb"(?<![&><|;])&(?![&>])")

MAX_BYTES = 64 * 1024
"""Longest command that is rewritten, in bytes: all clients wait while it is parsed."""

_OPERATORS = frozenset({"&&", "||"})

# A shell ignores the ! of a background pipeline.
_NOT_AS_LAST = frozenset({"negated_command", "function_definition"})

# In a wrong place the grammar parses these as command names.
_RESERVED = frozenset({b"do", b"done", b"elif", b"else", b"esac", b"fi", b"in", b"then", b"}"})
_LONGEST_WORD = max(map(len, _RESERVED))


@cache
def _parser() -> Parser | None:
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def is_available() -> bool:
    """Whether the grammar is installed; does not load it."""
    from importlib.util import find_spec

    return find_spec("tree_sitter") is not None and find_spec("tree_sitter_bash") is not None


def rewrite(command: bytes) -> bytes:
    """Return ``command`` with each list that ends in ``&`` rewritten.

    Returns the same bytes if there is no such list. The grammar is loaded on first use.
    """
    if len(command) > MAX_BYTES or not (_LIST.search(command) and _LONE.search(command)):
        return command
    parser = _parser()
    if parser is None:
        return command
    root = parser.parse(command).root_node
    if root.has_error:
        return command
    out: list[bytes] = []
    done = 0
    for statement, ampersand in zip(root.children, root.children[1:], strict=False):
        start = _last_operand(statement) if ampersand.type == "&" else None
        if start is not None:
            out += [command[done:start], b"{ ", command[start : ampersand.start_byte], b"& };"]
            done = ampersand.end_byte
    out.append(command[done:])
    return b"".join(out)


def _last_operand(statement: Node) -> int | None:
    """Return the offset of a list's last operand; None if the list must not be rewritten."""
    # The grammar puts the redirections of the last operand around the whole list.
    node = statement.child(0) if statement.type == "redirected_statement" else statement
    if node is None or node.type != "list":
        return None
    last = node.child(node.child_count - 1)
    operators: set[str] = set()
    operands = [last]
    while node is not None and node.type == "list":
        operators |= {child.type for child in node.children} & _OPERATORS
        node = node.child(0)
        operands.append(node)
    if last is None or last.type in _NOT_AS_LAST or len(operators) != 1:
        return None
    if any(operand is not None and _is_reserved(operand) for operand in operands):
        return None
    return last.start_byte


def _is_reserved(operand: Node) -> bool:
    # Reading a node's text copies all of it, so the length is checked first.
    return operand.end_byte - operand.start_byte <= _LONGEST_WORD and operand.text in _RESERVED
