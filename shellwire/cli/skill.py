"""``shellwire skill``: what tells an agent of us."""

from __future__ import annotations

import click

from shellwire.cli.say import say

_AGENTS = ("claude", "codex", "cursor", "copilot", "opencode")
_SAID = {
    "new": ("wrote {}", "would write {}:"),
    "updated": ("wrote {} anew", "would write {} anew:"),
    "unchanged": ("{} is up to date", "{} is up to date"),
}


@click.group("skill")
def skill_group() -> None:
    """Tell agents how to use shellwire."""


@skill_group.command("install")
@click.argument("agent", type=click.Choice(_AGENTS))
@click.option("--dry-run", is_flag=True, help="Only show what would be written, and where.")
def install_command(agent: str, dry_run: bool) -> None:
    """Write a short skill or rules file where AGENT looks for it.

    claude, codex and opencode look in your home, cursor and copilot in the project that this
    directory belongs to. What is there already is replaced only if this has written it and nobody
    has edited it.
    """
    from shellwire.agents.skill import skill_for

    skill = skill_for(agent)  # type: ignore[arg-type]
    change = skill.change() if dry_run else skill.install()
    say(_SAID[change][dry_run].format(skill.path))
    if dry_run and change != "unchanged":
        click.echo(f"\n{skill.text}", nl=False)
