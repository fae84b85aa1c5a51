"""``A && B &`` as it is meant: A in the foreground, only B in the background.

To a shell it is one list, all of which runs in a background subshell: a ``cd`` in it is lost, and
so is the word that A failed. It becomes ``A && { B & };``, on the same line. Only a list that
stands at the top of the command is touched, with operators of one kind; what the grammar can't
parse without an error runs as it is.
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

LONGEST = 64 * 1024
"""Bytes of a command beyond which it runs as it is: everybody waits while it is parsed."""

_OPERATORS = frozenset({"&&", "||"})

# A shell forgets the ! of a pipeline that is in the background by itself.
_NOT_ALONE = frozenset({"negated_command", "function_definition"})

# The grammar takes these for the names of commands where they make no sense.
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
    """Whether the grammar is installed. Looks for it without loading it."""
    from importlib.util import find_spec

    return find_spec("tree_sitter") is not None and find_spec("tree_sitter_bash") is not None


def rewrite(command: bytes) -> bytes:
    """Return ``command`` with each list that ends in ``&`` put as it is meant.

    The same bytes where there is no such list. The grammar is loaded when first it is needed.
    """
    if len(command) > LONGEST or not (_LIST.search(command) and _LONE.search(command)):
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
    """Return where the last operand of a list begins; None if it is no list to be rewritten."""
    # The grammar hangs the redirections of the last operand around the list.
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
    if last is None or last.type in _NOT_ALONE or len(operators) != 1:
        return None
    if any(operand is not None and _is_reserved(operand) for operand in operands):
        return None
    return last.start_byte


def _is_reserved(operand: Node) -> bool:
    # A list's text is copied whole: only what may be a word is looked at.
    return operand.end_byte - operand.start_byte <= _LONGEST_WORD and operand.text in _RESERVED
