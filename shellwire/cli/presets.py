"""Presets: other defaults of several settings, for one use."""

from __future__ import annotations

import click
from click.core import ParameterSource

from shellwire.home.settings import PRESETS


class SettingsCommand(click.Command):
    """A command whose options are settings: a preset replaces some defaults."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options; then apply the preset to what nobody has set."""
        rest = super().parse_args(ctx, args)
        for name, value in PRESETS.get(ctx.params["preset"], {}).items():
            if is_preset(ctx, name):
                ctx.params[name] = value
        return rest


def is_preset(ctx: click.Context, name: str) -> bool:
    """Whether the value of a setting comes from the preset."""
    is_default = ctx.get_parameter_source(name) is ParameterSource.DEFAULT
    return is_default and name in PRESETS.get(ctx.params["preset"], {})
