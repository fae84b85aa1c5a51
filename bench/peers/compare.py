"""Run each line of the comparison with each peer and its baseline."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.measure import Effort, median
from bench.peers.environment import Missing
from bench.peers.openssh import OpenSSH
from bench.peers.peer import Peer, Unsupported
from bench.peers.shellwire import Current, Release014
from bench.peers.swerex import SweRex, SweRexServer
from bench.peers.terminado import Terminado
from bench.peers.work import GROUPS, Group

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS: tuple[type[Peer], ...] = (Current, Release014, SweRex, SweRexServer, OpenSSH, Terminado)
"""The peers, ours first."""


@dataclass
class Cell:
    """One peer's result in one line: the figures of each turn, or the reason why it has none."""

    values: list[float] = field(default_factory=list)
    reason: str = ""
    note: str = ""

    def stored(self) -> dict[str, Any]:
        """Return the cell in its stored form."""
        value = median(self.values) if self.values and not self.reason else None
        return {"value": value, "reason": self.reason, "note": self.note}


class Column:
    """A peer of the comparison, made and started again after a failure."""

    def __init__(self, kind: type[Peer]) -> None:
        self.kind = kind
        self.missing = ""
        self.version = ""
        self._peer: Peer | None = None

    def fresh(self) -> Peer:
        """Return a new, unstarted peer.

        Raises:
            Missing: the peer is not available here.
        """
        self.close()
        self._peer = self.kind()
        return self._peer

    def started(self) -> Peer:
        """Return the running peer; start it if needed."""
        if not self._peer:
            self.fresh().start()
            assert self._peer
            self.version = self._peer.version()
        return self._peer

    def close(self) -> None:
        """Stop the peer."""
        if self._peer:
            self._peer.close()
            self._peer = None


def compare(effort: Effort, only: Iterable[str] = ()) -> dict[str, Any]:
    """Run all peers, or only the named ones. Returns versions and lines in their stored form."""
    wanted = [kind for kind in KINDS if not only or kind.name in only]
    columns = [Column(kind) for kind in wanted]
    lines: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for column in columns:
            stack.callback(column.close)
            _begin(column)
        for group in GROUPS:
            print(time.strftime("%H:%M:%S"), group.lines[0].what, file=sys.stderr, flush=True)
            cells = [[Cell() for _ in group.lines] for _ in columns]
            for _ in range(group.turns):
                for column, row in zip(columns, cells, strict=True):
                    _measure(group, column, row, effort)
            for index, line in enumerate(group.lines):
                stored = {
                    column.kind.name: row[index].stored()
                    for column, row in zip(columns, cells, strict=True)
                }
                lines.append({**asdict(line), "cells": stored})
    return {
        "versions": {column.kind.name: column.missing or column.version for column in columns},
        "lines": lines,
    }


def _begin(column: Column) -> None:
    try:
        column.started()
    except Missing as missing:
        column.missing = _short(missing)
    except Exception as error:
        column.missing = f"does not start: {_short(error)}"
        column.close()


def _measure(group: Group, column: Column, cells: list[Cell], effort: Effort) -> None:
    """Add one turn's figures to ``cells``. A failure is noted there and does not end the run."""
    if column.missing or cells[0].reason:
        for cell in cells:
            cell.reason = cell.reason or "missing"
        return
    try:
        peer = column.fresh() if group.fresh else column.started()
        figures = group.measure(peer, effort)
    except Unsupported as reason:
        _fill(cells, str(reason))
    except Exception as error:
        _fill(cells, f"failed: {_short(error)}")
        column.close()  # its state is unknown: the next line begins with a new peer
    else:
        for line, cell, figure in zip(group.lines, cells, figures, strict=True):
            cell.values.append(figure)
            cell.note = column.kind.notes.get(line.key, "")
    if group.fresh:
        column.close()


def _fill(cells: list[Cell], reason: str) -> None:
    for cell in cells:
        cell.reason = reason


def _short(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].replace("|", "¦")[:80]
