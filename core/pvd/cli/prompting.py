"""What a teacher is asked, word by word: prompt, prompt render."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd.cli.running import run_options, settings_from
from pvd.errors import UnknownName

if TYPE_CHECKING:
    from pvd.protocols import Teacher
    from pvd.records import Slate


@click.group(invoke_without_command=True)
@click.pass_context
def prompt(ctx: click.Context) -> None:
    """List the prompts that come with pvd; or show what would be sent."""
    if ctx.invoked_subcommand is None:
        from pvd.prompting import prompts

        for name in prompts():
            click.echo(name)


@prompt.command()
@run_options
@click.option("--persona", metavar="ID", help="Whom the question is about; else the first.")
def render(config: Path | None, recipe: str, persona: str | None, **given: Any) -> None:
    """Show exactly what the teacher would be sent about the first items; asks and pays nothing."""
    from pvd import catalog
    from pvd.asking import opened
    from pvd.discovery import unknown
    from pvd.records import Slate

    settings = settings_from(config, recipe, given)
    items = catalog.read(settings.catalog)[: settings.train.size]
    people = {p.id: p for p in catalog.read_personas(settings.personas)}
    chosen = persona if persona is not None else next(iter(people))
    if chosen not in people:
        raise UnknownName(unknown("persona", chosen, people))
    with opened(settings.teacher, settings.stream("teacher")) as teacher:
        show(teacher, Slate(people[chosen], tuple(items)))


def show(teacher: Teacher, slate: Slate) -> None:
    """Print what this teacher would be sent about a slate."""
    from pvd.prompting import PromptedTeacher
    from pvd.protocols import CompositeTeacher

    if isinstance(teacher, CompositeTeacher):
        questions = teacher.questions(slate)
        click.echo(f"{teacher.label} asks {len(questions)} questions about a slate; the first:\n")
        show(questions[0].teacher, questions[0].slate)
        return
    request = teacher.request(slate)
    if isinstance(teacher, PromptedTeacher):
        said = teacher.prompt_for(slate)
        click.echo(f"--- system\n{said.system}\n\n--- pictures")
        pictures = zip(said.letters, said.items, teacher.pictures(said), strict=True)
        for letter, item, data in pictures:
            click.echo(f"[{letter}] {item.where}, sent as JPEG of {len(data):,} bytes")
        click.echo(f"\n--- question\n{said.question}\n\n--- schema\n{json.dumps(said.schema)}")
        click.echo(f"\n--- model {teacher.model}, parameters\n{json.dumps(teacher.parameters())}")
    else:
        click.echo(json.dumps(request.body, indent=1, ensure_ascii=False))
    click.echo(f"\n--- key in the store\n{request.digest}")
