"""The help of `start` and `run`: everyday options, or all of them, by subject."""

from __future__ import annotations

from typing import Any

import click

from shellwire.cli.options import SUBJECTS
from shellwire.cli.presets import SettingsCommand
from shellwire.cli.printing import print_line
from shellwire.cli.setting import Setting

_ALL = f"{__name__}.all"


def _print_all(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        for line in ctx.get_help().splitlines():
            print_line(line)
        ctx.exit()


class StartCommand(SettingsCommand):
    """A command whose options are settings: ``--help`` shows some, ``--help-all`` all."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._help_all = click.Option(
            ["--help-all"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_all,
            help="Show all options and exit.",
        )

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Add ``--help-all`` before ``--help``."""
        *params, last = super().get_params(ctx)
        return [*params, self._help_all, last]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their subjects, and those that are no settings at the end."""
        everything = bool(ctx.meta.get(_ALL))
        params = self.get_params(ctx)
        settings = [each for each in params if isinstance(each, Setting)]
        shown = [each for each in settings if everything or each.everyday]
        for subject in SUBJECTS:
            table = f", [{subject.table}] in config.toml" if subject.table else ""
            of_subject = [each for each in shown if each.subject is subject]
            _write_section(ctx, formatter, f"{subject.title}{table}", of_subject)
        others = [each for each in params if not isinstance(each, Setting)]
        _write_section(ctx, formatter, "Other options", others)
        if len(shown) < len(settings):
            formatter.write_paragraph()
            formatter.write_text(f"--help-all shows {len(settings) - len(shown)} more options.")


def _write_section(
    ctx: click.Context, formatter: click.HelpFormatter, title: str, params: list[Any]
) -> None:
    records = [each.get_help_record(ctx) for each in params]
    rows = [record for record in records if record is not None]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
