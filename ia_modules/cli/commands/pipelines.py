"""``ia-modules pipelines``: registered pipelines, and pipeline files."""

import dataclasses
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from ia_modules.cli.options.confirmation import DryRun, Yes, confirm
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.pipeline import (
    FileCheck,
    FileFormat,
    FileOrSlug,
    NewVersion,
    check_file,
    definition_of_file,
    is_file,
    listed,
    refusals,
)
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.output.terminal import (
    AsJson,
    ExitStatus,
    ago,
    not_started,
    plain,
    print_json,
    print_table,
    run,
    status_text,
    warn,
)
from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import (
    EFFECTS,
    Effect,
    PipelineRecord,
    PipelineSummary,
    PipelineVersionRecord,
    RegisteredVersion,
    effect_text,
)
from ia_modules.pipeline.document.definition import PipelineDefinition, definition_schema
from ia_modules.pipeline.document.merge import rules_text
from ia_modules.pipeline.drawing.diagram import dot, mermaid
from ia_modules.pipeline.drawing.shape import shape
from ia_modules.pipeline.inputs import input_schema_of
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.offers import DefinitionOwner
from ia_modules.worker.folders import kept_line, register_file

app = typer.Typer(
    name="pipelines",
    help="Registered pipelines, and pipeline files: list, import, check, draw, archive, delete.",
    epilog="Example: ia-modules pipelines validate pipelines/*.json",
    rich_markup_mode=None,
    add_completion=False,
)


Registered = Annotated[str, typer.Argument(metavar="SLUG", help="The slug of a registered pipeline, or its id.")]


class Format(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


@app.command("list", epilog="Example: ia-modules pipelines list --json")
def list_pipelines(database_url: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """List the registered pipelines with their newest executions."""

    async def work() -> list[PipelineSummary]:
        async with client_of(database_url) as client:
            return await client.pipelines()

    pipelines = run(work())
    if as_json:
        print_json([pipeline.to_dict() for pipeline in pipelines])
    elif not pipelines:
        typer.echo("No pipelines. Register one: ia-modules pipelines import FILE.")
    else:
        rows = ((each.slug, _version(each), _last(each), ago(each.last_created_at), each.name) for each in pipelines)
        print_table(("SLUG", "VERSION", "LAST RUN", "WHEN", "NAME"), rows)


@app.command("import", epilog="Example: ia-modules pipelines import pipelines/nightly.json --new-version")
def import_pipeline(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A pipeline file, JSON or YAML.")],
    new_version: NewVersion = False,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What this version is for, kept with it.")] = None,
    project: Project = None,
    file_format: FileFormat = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Register a pipeline file under its slug, so that it can be run by that. A wrong file is not stored.

    It becomes the current version when the file has changed since it was last imported; a version that was chosen
    since then stays current, and this one is stored beside it. An archived pipeline is active again. Its step modules
    stay where they are, beside the file.
    """
    use_project(project)
    check = check_file(file, strict=True, file_format=file_format)
    if check.pipeline is None:
        raise not_started("\n".join([f"{file} cannot be registered:", *listed(check.errors)]))
    loaded = check.pipeline
    slug = loaded.definition.slug
    for problem in check.warnings:
        warn(f"Warning: {file}: {problem}")

    async def work() -> RegisteredVersion:
        async with client_of(database_url, may_create=True) as client, refusals(client, slug):
            registered = await register_file(
                client.tracker, loaded, file, new_version=new_version, author=client.actor, note=note
            )
            if not (await client.pipeline(slug)).is_active:
                await client.unarchive(slug)
            return registered

    registered = run(work(), status=ExitStatus.NOT_STARTED)
    kept = kept_line(registered, slug, file)
    if as_json:
        print_json({"slug": slug, **registered.to_dict()})
    else:
        typer.echo(f"{slug} is registered, version {registered.version}." if kept is None else kept)
        typer.echo(f"Run it: ia-modules run {slug}")


@app.command(epilog="Example: ia-modules pipelines versions nightly")
def versions(
    slug: Registered,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most this many, the newest.")] = 20,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List the versions of a pipeline: which is current, where each came from, and what is stored beside it.

    Exit status: 0 listed, 2 no such pipeline.
    """

    async def work() -> tuple[PipelineRecord, list[PipelineVersionRecord], DefinitionOwner]:
        async with client_of(database_url) as client, refusals(client, slug):
            pipeline = await client.pipeline(slug)
            listed = await client.versions(pipeline.id, limit=limit)
            return pipeline, listed, await client.definition_owner(pipeline.id)

    pipeline, listed_versions, owner = run(work(), status=ExitStatus.NOT_STARTED)
    if as_json:
        items = [_without_definition(each) for each in listed_versions]
        print_json(
            {"slug": pipeline.slug, "current_version": pipeline.current_version, **owner.to_dict(), "versions": items}
        )
    elif not listed_versions:
        typer.echo("It has no versions: another program runs it and records its executions here.")
    else:
        beside = {each.version for each in owner.beside}
        rows = (
            (
                str(each.version),
                "current" if each.version == pipeline.current_version else "beside" if each.version in beside else "",
                each.origin or "-",
                each.author or "-",
                ago(each.created_at),
                plain(each.note or ""),
            )
            for each in listed_versions
        )
        print_table(("VERSION", "STANDS", "FROM", "BY", "MADE", "NOTE"), rows)
        for line in _owner_lines(pipeline.slug, pipeline.current_version, owner):
            typer.echo(plain(line))


@app.command("make-current", epilog="Example: ia-modules pipelines make-current nightly 7")
def make_current(
    slug: Registered,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="One of its versions.")],
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Choose the version that runs where no other is named, also between one and another that is stored beside it.

    A file that changes later is followed where it held this version; else what it holds is stored beside it.

    Exit status: 0 chosen, 2 no such pipeline or version.
    """

    async def work() -> None:
        async with client_of(database_url) as client, refusals(client, slug):
            await client.make_current(slug, version)

    run(work(), status=ExitStatus.NOT_STARTED)
    typer.echo(f"Version {version} of {slug} is the current one.")


@app.command(epilog="Example: ia-modules pipelines validate pipelines/*.json")
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Pipeline files, JSON or YAML.")],
    project: Project = None,
    file_format: FileFormat = None,
    as_json: AsJson = False,
) -> None:
    """Check pipeline files, and print every problem with its place. Step modules are imported; nothing is run.

    Exit status: 0 all are right, 2 something is wrong.
    """
    use_project(project)
    checks = [check_file(file, strict=True, file_format=file_format) for file in files]
    wrong = [check for check in checks if check.pipeline is None]
    if as_json:
        print_json({"valid": not wrong, "files": [_as_json(check) for check in checks]})
    else:
        for check in checks:
            _print_check(check)
    raise typer.Exit(ExitStatus.NOT_STARTED if wrong else 0)


@app.command(epilog="Example: ia-modules pipelines graph pipelines/nightly.json --format mermaid > nightly.mmd")
def graph(
    source: FileOrSlug,
    form: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="text (its shape), mermaid, or dot (Graphviz).")
    ] = Format.TEXT,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Draw a pipeline: its shape on the terminal, or as Mermaid or DOT for other programs. No code is imported."""
    definition = run(_definition(source, database_url), status=ExitStatus.NOT_STARTED)
    match form:
        case Format.MERMAID:
            typer.echo(plain(mermaid(definition)), nl=False)
        case Format.DOT:
            typer.echo(plain(dot(definition)), nl=False)
        case Format.TEXT:
            merged = ["", f"merge: {rules_text(definition.merge)}"] if definition.merge else []
            lines = [f"{definition.name} ({definition.slug})", "", *shape(definition), *merged, *_effects(definition)]
            typer.echo(plain("\n".join(lines)))


def _effects(definition: PipelineDefinition) -> list[str]:
    """Which steps have which effect, where any step says so; the others may have effects."""
    if all(step.effect is None for step in definition.steps):
        return []
    effects: tuple[Effect | None, ...] = (*EFFECTS, None)
    named: dict[Effect | None, list[str]] = {
        effect: [step.id for step in definition.steps if step.type == "task" and step.effect == effect]
        for effect in effects
    }
    return ["", *(f"{effect_text(effect)}: {', '.join(steps)}" for effect, steps in named.items() if steps)]


def _owner_lines(slug: str, current_version: int | None, owner: DefinitionOwner) -> list[str]:
    """Who owns a definition and what stands beside it, for people; empty where there is nothing to say."""
    lines: list[str] = []
    for each in owner.files:
        if each.version is not None and owner.origin is not None:
            same = "is current" if each.version == current_version else f"is not current: version {current_version} is"
            lines.append(f"{each.path} on {each.host} holds version {each.version}, which {same}.")
    for each in owner.beside:
        place = f"{each.path} on {each.host}" if each.path is not None else f"{each.author} ({each.origin})"
        lines.append(
            f"Version {each.version} of {place} is stored beside version {current_version}. "
            f"Choose one: ia-modules pipelines make-current {slug} VERSION."
        )
    return lines


def _without_definition(version: PipelineVersionRecord) -> dict[str, Any]:
    return {name: value for name, value in version.to_dict().items() if name != "definition"}


def _version(pipeline: PipelineSummary) -> str:
    return "-" if pipeline.current_version is None else str(pipeline.current_version)


def _last(pipeline: PipelineSummary) -> str | Text:
    return "-" if pipeline.last_status is None else status_text(pipeline.last_status)


@app.command(epilog="Example: ia-modules pipelines schema > pipeline.schema.json")
def schema(
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE|SLUG]", help="Whose input; without: the format of pipeline files.")
    ] = None,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Print the JSON Schema of pipeline files, or of a pipeline's input, for editors, forms and other programs.

    No code is imported. Exit status: 0 printed, 2 no such pipeline, or a file that is none.
    """
    if source is None:
        print_json(dict(definition_schema()))
    else:
        print_json(input_schema_of(run(_definition(source, database_url), status=ExitStatus.NOT_STARTED)))


@app.command(epilog="Example: ia-modules pipelines archive nightly")
def archive(
    slug: Registered,
    undo: Annotated[bool, typer.Option("--undo", help="Make an archived pipeline active again.")] = False,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Let a pipeline start no more executions. Its versions and its history stay.

    Exit status: 0 archived, 2 no such pipeline.
    """

    async def work() -> None:
        async with client_of(database_url) as client, refusals(client, slug):
            await (client.unarchive(slug) if undo else client.archive(slug))

    run(work(), status=ExitStatus.NOT_STARTED)
    typer.echo(f"{slug} is {'active again' if undo else 'archived'}.")


@app.command(epilog="Example: ia-modules pipelines delete nightly --with-history --dry-run")
def delete(
    slug: Registered,
    with_history: Annotated[bool, typer.Option("--with-history", help="Its executions too, when it has some.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Delete a pipeline with all its versions. One whose executions run, wait or are pinned is kept.

    Exit status: 0 deleted, 2 nothing was deleted.
    """

    async def work(*, only_count: bool) -> int:
        async with client_of(database_url) as client, refusals(client, slug):
            return await client.delete_pipeline(slug, with_history=with_history, dry_run=only_count)

    executions = run(work(only_count=True), status=ExitStatus.NOT_STARTED)
    history = f" with {executions} execution{'' if executions == 1 else 's'}" if executions else ""
    if not dry_run:
        confirm(f"Delete pipeline {slug}{history}? It cannot be brought back.", yes=yes)
        executions = run(work(only_count=False), status=ExitStatus.NOT_STARTED)
    if as_json:
        print_json({"slug": slug, "executions": executions, "deleted": not dry_run})
    else:
        typer.echo(f"{slug} {'would be' if dry_run else 'is'} deleted{history}.")


async def _definition(source: str, database_url: str) -> PipelineDefinition:
    if is_file(source):
        try:
            return definition_of_file(source)
        except PipelineDefinitionError as wrong:
            lines = [f"{source} is not a pipeline:", *listed(wrong.problems)]
            raise not_started("\n".join(lines)) from None
    async with client_of(database_url) as client, refusals(client, source):
        return definition_of(await client.version(source))


def _print_check(check: FileCheck) -> None:
    if check.pipeline is not None:
        definition = check.pipeline.definition
        steps = f"{len(definition.steps)} step{'s' if len(definition.steps) > 1 else ''}"
        merged = f"; merge: {rules_text(definition.merge)}" if definition.merge else ""
        typer.echo(plain(f"{check.path}: ok ({definition.slug}, {steps}{merged})"))
        for problem in check.warnings:
            warn(f"Warning: {check.path}: {problem}")
        return
    count = len(check.errors)
    typer.echo(plain(f"{check.path}: {count} problem{'s' if count > 1 else ''}"))
    for line in listed(check.errors):
        typer.echo(plain(line))


def _as_json(check: FileCheck) -> dict[str, Any]:
    definition = None if check.pipeline is None else check.pipeline.definition
    return {
        "file": check.path,
        "valid": definition is not None,
        "slug": None if definition is None else definition.slug,
        "steps": None if definition is None else [step.id for step in definition.steps],
        "problems": [_problem(problem) for problem in check.errors],
        "warnings": [_problem(problem) for problem in check.warnings],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    """``line`` and ``column`` count from 1; null where the file could not be read."""
    return dataclasses.asdict(problem)
