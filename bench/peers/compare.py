"""Runs each line of the comparison with each peer, beside its yardstick."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.measure import Effort, median
from bench.peers.environment import Missing
from bench.peers.openssh import OpenSSH
from bench.peers.peer import Cannot, Peer
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
    """What one peer did in one line: the figures of each turn, or why there is none."""

    values: list[float] = field(default_factory=list)
    reason: str = ""
    note: str = ""

    def stored(self) -> dict[str, Any]:
        """Return it as it is kept in the results."""
        value = median(self.values) if self.values and not self.reason else None
        return {"value": value, "reason": self.reason, "note": self.note}


class Column:
    """A peer, made and started anew when it has failed."""

    def __init__(self, kind: type[Peer]) -> None:
        self.kind = kind
        self.missing = ""
        self.version = ""
        self._peer: Peer | None = None

    def fresh(self) -> Peer:
        """Return a peer that is not started.

        Raises:
            Missing: it can't be had here.
        """
        self.close()
        self._peer = self.kind()
        return self._peer

    def started(self) -> Peer:
        """Return the peer that runs."""
        if not self._peer:
            self.fresh().start()
            assert self._peer
            self.version = self._peer.version()
        return self._peer

    def close(self) -> None:
        """End it."""
        if self._peer:
            self._peer.close()
            self._peer = None


def compare(effort: Effort, only: Iterable[str] = ()) -> dict[str, Any]:
    """Run everything, or only the peers named. Returns versions and lines, ready to be stored."""
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
    """Add one turn's figures to ``cells``. What goes wrong stands in them, and ends nothing."""
    if column.missing or cells[0].reason:
        for cell in cells:
            cell.reason = cell.reason or "missing"
        return
    try:
        peer = column.fresh() if group.fresh else column.started()
        figures = group.measure(peer, effort)
    except Cannot as reason:
        _fill(cells, str(reason))
    except Exception as error:
        _fill(cells, f"failed: {_short(error)}")
        column.close()  # whatever state it is in, the next line begins with a new one
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
