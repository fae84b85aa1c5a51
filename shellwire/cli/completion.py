"""``shellwire completion``: what a shell must know to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_COMMANDS = ("shellwire", "sw")


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes `shellwire` and `sw` in SHELL.

    \b
    bash: source <(shellwire completion bash)      in ~/.bashrc; bash 4.4 or newer
    zsh:  source <(shellwire completion zsh)       in ~/.zshrc, after compinit
    fish: shellwire completion fish | source       in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click brings all three
    for name in _COMMANDS:
        # Not its source(), which starts a shell to learn its version.
        script = kind(ctx.find_root().command, {}, name, f"_{name.upper()}_COMPLETE")
        click.echo(kind.source_template % script.source_vars())
