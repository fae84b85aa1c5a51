"""``shellwire skill``: install instructions for AI agents."""

from __future__ import annotations

import click

from shellwire.cli.printing import print_line

_AGENTS = ("claude", "codex", "cursor", "copilot", "opencode")
_SAID = {
    "new": ("wrote {}", "would write {}:"),
    "updated": ("wrote {} anew", "would write {} anew:"),
    "unchanged": ("{} is up to date", "{} is up to date"),
}


@click.group("skill")
def skill_group() -> None:
    """Install instructions for AI agents.

    \b
    Example:
      shellwire skill install claude
    """


@skill_group.command("install")
@click.argument("agent", type=click.Choice(_AGENTS))
@click.option(
    "--dry-run", is_flag=True, help="Show what would be written and where; write nothing."
)
def install_command(agent: str, dry_run: bool) -> None:
    """Write a skill or rules file where an agent looks for it.

    For claude, codex and opencode the file is in your home directory, for cursor and copilot in the
    project of the current directory. An existing file is replaced only if shellwire wrote it and
    nobody has edited it.

    \b
    Example:
      shellwire skill install claude --dry-run
    """
    from shellwire.agents.skill import skill_for

    skill = skill_for(agent)  # type: ignore[arg-type]
    change = skill.change() if dry_run else skill.install()
    print_line(_SAID[change][dry_run].format(skill.path))
    if dry_run and change != "unchanged":
        click.echo(f"\n{skill.text}", nl=False)
