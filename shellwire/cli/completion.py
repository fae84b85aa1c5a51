"""``shellwire completion``: print the completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_COMMANDS = ("shellwire", "sw")


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print a completion script for bash, zsh or fish.

    The script completes `shellwire` and `sw`. Add one of these lines to your shell's startup file.

    \b
    Example:
      source <(shellwire completion bash)   # ~/.bashrc; bash 4.4 or newer
      source <(shellwire completion zsh)    # ~/.zshrc, after compinit
      shellwire completion fish | source    # ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click supports all three
    for name in _COMMANDS:
        # click's source() would start a shell to find out its version.
        script = kind(ctx.find_root().command, {}, name, f"_{name.upper()}_COMPLETE")
        click.echo(kind.source_template % script.source_vars())
