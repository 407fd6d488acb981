"""`liftlock policy new`: look at a GitOps repository, ask what it does not say, and write a first policy.

Each question is an option, too. Without a terminal, or with --yes, nothing is asked: what was found for certain is
taken, and for what is missing the command ends with the option that says it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.adapters.git.clone import LocalClone
from bot.adapters.log import configure_logging
from bot.cli.asker import MOST_SHOWN, Asker
from bot.cli.faults import BAD_NEWS, refusal, told_in_one_sentence
from bot.cli.findings import Format, render_findings
from bot.domain.edit import visible
from bot.domain.text import join_words, parse_duration
from bot.draft import Draft, DraftStage, Survey, Wanted, images_near, stages_of, survey, write_policy
from bot.draft.places import Place
from bot.draft.stages import Found, chained, goes_back, stage_name, with_deployers
from bot.draft.texts import MOST_FILES, is_wanted, read_checkout
from bot.policy import PolicyError, parse_policy
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import Severity
from bot.policy.grammar import APPLICATION, IMAGE, NAME, OWNER_AND_NAME, parse_branch, parse_path
from bot.policy.templates import shipped_gate_templates
from bot.ports import Permanent
from bot.settings import Settings, load_settings

_SETTINGS = Path("liftlock.toml")
_POLICIES = Path("policies")
_SCHEMA = "policy.schema.json"
_ORIGIN = re.compile(r"[/:](?P<name>[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}?)(?:\.git)?/?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repository:
    """The GitOps repository, with the texts of its files."""

    name: str
    branch: str
    texts: Mapping[str, str]


_Checkout = Annotated[
    Path | None,
    typer.Option(help="A checkout of the GitOps repository. Without it the settings say how to get it."),
]
_RepositoryName = Annotated[
    str | None, typer.Option(metavar="OWNER/NAME", help="The GitOps repository; a checkout's origin says it, too.")
]
_Stages = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[=FILE],…", help="The stages in the order of releases, with files where paths do not tell."
    ),
]
_Applications = Annotated[str | None, typer.Option(metavar="STAGE=APP,…", help="The Argo CD applications of stages.")]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="The file; SERVICE.yaml beside the others.")]
_Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
    ),
]


def new(  # noqa: PLR0917 - Typer makes each argument an option, by name
    service: Annotated[str, typer.Argument(help="What the service is to be called.", show_default=False)],
    checkout: _Checkout = None,
    repository: _RepositoryName = None,
    branch: Annotated[str | None, typer.Option(help="The branch that Argo CD follows.")] = None,
    image: Annotated[str | None, typer.Option(help="The service's image, without a tag.")] = None,
    stages: _Stages = None,
    argocd: _Applications = None,
    namespace: Annotated[
        str | None, typer.Option(metavar="STAGE=NAME,…", help="The namespaces whose series are the stages'.")
    ] = None,
    output: _Output = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take what was found.")] = False,
    config: _Config = None,
) -> None:
    """Look at a GitOps repository and write a first policy, which is then checked.

    Ends with 0 if a policy was written without faults, 1 if with some; 2 if it cannot be written, and why.
    """
    asker = Asker(asks=is_terminal() and not yes)
    configure_logging(level="error", as_json=False)
    with told_in_one_sentence():
        _matches(NAME, service, "SERVICE", "a name of a-z, 0-9 and -")
        settings = _settings(config)
        file = output or ((settings.bot.policies if settings else None) or _POLICIES) / f"{service}.yaml"
        if file.exists() and not force:
            raise refusal(f"{visible(str(file))} is there already; --force overwrites it")
        source = _open(asker, settings, checkout, repository, branch)
        chosen = image or _image(asker, source, service)
        _matches(IMAGE, chosen, "--image", "an image without tag or digest, such as ghcr.io/acme/checkout")
        seen = survey(source.texts, chosen)
        drafts = _stages(asker, seen, service, chosen, _wanted(stages))
        drafts = _deployed(asker, seen, source, drafts, _pairs(argocd, "--argocd"), _pairs(namespace, "--namespace"))
    draft = Draft(
        service=service,
        image=chosen,
        repository=source.name,
        branch=source.branch,
        stages=drafts,
        has_schema=(file.parent / _SCHEMA).is_file(),
    )
    text = write_policy(draft)
    _refuse_what_is_none(text, file)
    _show(seen, drafts, service)
    if not asker.confirm(f"Write {visible(str(file))}?"):
        raise refusal("nothing is written")
    _write(file, text, force=force)
    _check(file)


def is_terminal() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _matches(pattern: str, text: str, option: str, expected: str) -> None:
    if re.fullmatch(pattern, text) is None:
        raise refusal(f"{option} {text!r}: expected {expected}")


# --- the repository --------------------------------------------------------------------------------------------------


def _settings(config: Path | None) -> Settings | None:
    path = config or (_SETTINGS if _SETTINGS.exists() else None)
    return None if path is None else load_settings(path)


def _open(
    asker: Asker, settings: Settings | None, checkout: Path | None, name: str | None, branch: str | None
) -> _Repository:
    """Return the repository: a checkout, or what the settings' forge has."""
    if checkout is None and (settings is None or name is None):
        why = "no checkout of the GitOps repository is named, and no settings say how to get it"
        checkout = Path(asker.ask("Where is a checkout of the GitOps repository?", "--checkout PATH", why=why))
    if checkout is not None and not checkout.is_dir():
        raise refusal(f"--checkout {visible(str(checkout))}: there is no such directory")
    if checkout is not None and name is None:
        _refuse_inside(checkout)
    origin, default = ("", "") if checkout is None else _origin(checkout)
    name = name or asker.ask(
        "What is the GitOps repository called?", "--repository OWNER/NAME", default=origin,
        why="" if origin else _no_name(checkout),
    )  # fmt: skip
    _matches(OWNER_AND_NAME, name, "--repository", "a repository as owner/name")
    followed = branch or asker.ask("Which branch does Argo CD follow?", "--branch NAME", default=default or "main")
    try:
        parse_branch(followed)
    except ValueError:
        raise refusal(f"--branch {followed!r}: expected a branch name") from None
    texts = read_checkout(checkout) if checkout is not None else _mirrored(settings, name, followed)
    return _Repository(name=name, branch=followed, texts=texts)


def _no_name(checkout: Path | None) -> str:
    if checkout is not None and not (checkout / ".git").exists():
        return f"{visible(str(checkout))} is no Git checkout, whose origin would say the repository"
    return "the checkout has no origin that is a repository of a forge"


def _refuse_inside(checkout: Path) -> None:
    """Refuse a folder of a checkout: the paths in a policy begin at its root."""
    folder = checkout.resolve()
    above = next((one for one in folder.parents if (one / ".git").exists()), None)
    if above is not None and folder.is_dir() and not (folder / ".git").exists():
        raise refusal(f"{visible(str(checkout))} is a folder of a checkout: say --checkout {visible(str(above))}")


def _origin(checkout: Path) -> tuple[str, str]:
    """Return the name of a checkout's repository and its branch; empty where it does not tell."""
    try:
        clone = LocalClone.at(checkout)
    except Permanent:
        return "", ""
    found = _ORIGIN.search(clone.origin())
    return (found["name"] if found else ""), clone.origin_branch()


def _mirrored(settings: Settings | None, name: str, branch: str) -> Mapping[str, str]:
    # What reaches a forge takes a while to be imported, and a checkout needs none of it.
    from bot.compose.whole import compose_repositories  # noqa: PLC0415 - see above

    if settings is None:
        raise refusal(f"no settings say how to get {name}: say --config, or --checkout PATH")
    with ExitStack() as stack:
        repositories = compose_repositories(stack, settings, name, SystemClock())
        head = repositories.refresh(name, branch)
        return repositories.read_texts(name, head, is_wanted, most=MOST_FILES)


def _image(asker: Asker, source: _Repository, service: str) -> str:
    near = images_near(source.texts, service)
    if len(near) > 1:
        why = f"{source.name} has several images called {service}"
        return near[asker.choose("Which one?", "--image NAME", near, why)]
    why = "" if near else f"no file of {source.name} has an image called {service}"
    return asker.ask("Which image does it run?", "--image NAME", default="".join(near), why=why)


# --- stages ----------------------------------------------------------------------------------------------------------


def _wanted(text: str | None) -> list[Wanted]:
    """Parse `staging,production=apps/a/prod.yaml`."""
    found = []
    for part in text.split(",") if text is not None else ():
        name, sign, file = part.strip().partition("=")
        _matches(NAME, name, "--stages", "names of a-z, 0-9 and -, with =FILE where a path does not tell")
        found.append(Wanted(name=name, file=_path(file) if sign else None))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise refusal(f"--stages {text!r}: expected each stage once")
    return found


def _path(text: str) -> str:
    try:
        return parse_path(text)
    except ValueError:
        raise refusal(f"--stages {text!r}: expected a path in the repository") from None


def _pairs(text: str | None, option: str) -> dict[str, list[str]]:
    """Parse `staging=a,production=b,production=c`."""
    found: dict[str, list[str]] = {}
    for part in text.split(",") if text is not None else ():
        name, sign, value = part.strip().partition("=")
        if not sign or not value:
            raise refusal(f"{option} {part!r}: expected STAGE=NAME")
        found.setdefault(name, []).append(value)
    return found


def _stages(asker: Asker, seen: Survey, service: str, image: str, wanted: Sequence[Wanted]) -> tuple[DraftStage, ...]:
    if not seen.places:
        raise refusal(_nothing(seen, image))
    found = stages_of(seen, service, wanted)
    if not found.candidates:
        files = [place.edit.file for place in seen.places]
        why = f"no path of a file that sets {image} names a stage"
        if not asker.asks:
            asker.choose("", "--stages NAME=FILE,…", list(dict.fromkeys(files)), why)
        said = asker.ask("Which stages, in the order of releases?", "--stages NAME=FILE,…", why=f"{why}: {files}")
        return _stages(asker, seen, service, image, _wanted(said))
    if not wanted:
        found = _asked_again(asker, found, seen, service)
    chosen = {name: _place(asker, name, places, seen, image) for name, places in found.candidates.items()}
    _refuse_shared(chosen)
    return chained(chosen, found.ranks)


def _asked_again(asker: Asker, found: Found, seen: Survey, service: str) -> Found:
    """Let people change the stages that were found, where there are people."""
    names = ",".join(found.candidates)
    said = asker.ask("Which stages, in the order of releases?", "--stages NAME,…", default=names)
    return found if said == names else stages_of(seen, service, _wanted(said))


def _nothing(seen: Survey, image: str) -> str:
    said = f"no file sets a tag of {image}"
    if not seen.unclear:
        return f"{said}: say --image NAME, as the files name it"
    why = [f"{visible(one.file)}: {one.reason}" for one in seen.unclear[:3]]
    return f"{said} that can be read: {'; '.join(why)}"


def _place(asker: Asker, name: str, places: Sequence[Place], seen: Survey, image: str) -> Place:
    """Return the place of a stage; ask where there is none, or more than one."""
    option = f"--stages …,{name}=FILE"
    if len(places) == 1:
        return places[0]
    if places:
        shown = [_shown(place) for place in places]
        if len({place.edit.file for place in places}) == 1 and not asker.asks:
            listed = join_words(shown)
            raise refusal(f"{name} has its tag in several places, {listed}: write edit into a policy by hand")
        return places[asker.choose(f"Which one is {name}?", option, shown, f"several files may be the stage {name}")]
    why = f"no file that sets {image} is plainly of the stage {name}"
    number = asker.choose(f"Which one is {name}?", option, [_shown(place) for place in seen.places], why)
    return seen.places[number]


def _shown(place: Place) -> str:
    return f"{place.edit.file} ({place.edit.kind}, {place.tag} now)"


def _refuse_shared(chosen: Mapping[str, Place]) -> None:
    """No two stages may share a value: there would be nothing to promote."""
    seen: dict[object, str] = {}
    for name, place in chosen.items():
        other = seen.setdefault(place.edit, name)
        if other != name:
            raise refusal(
                f"{other} and {name} are the same value of {visible(place.edit.file)}: say --stages NAME=FILE,…"
            )


def _deployed(
    asker: Asker,
    seen: Survey,
    source: _Repository,
    stages: Sequence[DraftStage],
    applications: Mapping[str, Sequence[str]],
    namespaces: Mapping[str, Sequence[str]],
) -> tuple[DraftStage, ...]:
    names = [stage.name for stage in stages]
    for option, said in (("--argocd", applications), ("--namespace", namespaces)):
        unknown = [name for name in said if name not in names]
        if unknown:
            raise refusal(f"{option} {unknown[0]}=…: there is no such stage; there are {join_words(names)}")
    whole = [with_deployers(one, seen.deployers, repository=source.name, branch=source.branch) for one in stages]
    whole = [replace(one, applications=tuple(applications.get(one.name, one.applications))) for one in whole]
    missing = [one for one in whole if not one.applications]
    found: list[DraftStage] = []
    for stage in whole:
        apps = stage.applications or (_ask_for_application(asker, seen, stage, missing),)
        for name in apps:
            _matches(rf"(?:[a-z0-9-]+:)?{APPLICATION}", name, "--argocd", "[server:][namespace/]name")
        label = (*namespaces.get(stage.name, ()), stage.namespace)[0]
        found.append(replace(stage, applications=apps, namespace=label))
    return tuple(found)


def _ask_for_application(asker: Asker, seen: Survey, stage: DraftStage, missing: Sequence[DraftStage]) -> str:
    sets = f"; {visible(seen.sets[0])} is an ApplicationSet, which names its own" if seen.sets else ""
    why = f"no Application in the repository deploys {visible(stage.place.edit.file)}{sets}"
    question = f"Which Argo CD application deploys {stage.name}?"
    option = f"--argocd {','.join(f'{one.name}=APP' for one in missing)}"
    return asker.ask(question, option, why=why)


# --- the file --------------------------------------------------------------------------------------------------------


def _show(seen: Survey, stages: Sequence[DraftStage], service: str) -> None:
    """Say what was found; and what was left out, where it may have been a stage: a base has no tag, and needs none."""
    for stage in stages:
        after = f" after {stage.source}" if stage.source else ""
        apps = join_words(list(stage.applications))
        typer.echo(visible(f"{stage.name}{after}: {_shown(stage.place)}, deployed by {apps}"))
    for stage in filter(goes_back, stages):
        typer.echo(f"mind: releases go from {stage.source} on to {stage.name}; --stages names stages in their order")
    for one in [one for one in seen.unclear if stage_name(one.file, service) is not None][:MOST_SHOWN]:
        typer.echo(visible(f"left out: {one.file}: {one.reason}"))


def _refuse_what_is_none(text: str, file: Path) -> None:
    """Refuse what the bot would not read, such as a path with characters that nobody sees, before it is written."""
    try:
        parse_policy(text, file=file.name, templates=shipped_gate_templates())
    except PolicyError as error:
        raise refusal(f"what was found makes no policy: {visible(str(error.faults[0]))}") from None


def _write(file: Path, text: str, *, force: bool) -> None:
    """Write a file that was not there; with force in the place of one that was."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not force:
            with file.open("x", encoding="utf-8", newline="\n") as opened:
                opened.write(text)
            return
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(file)
    except FileExistsError:
        raise refusal(f"{visible(str(file))} is there already; --force overwrites it") from None
    except OSError as error:
        raise refusal(f"{visible(str(file))} cannot be written: {error.strerror}") from None


def _check(file: Path) -> None:
    """Check what was written, as anybody would, and say what comes next."""
    checked = check_policies([file], shipped_gate_templates(), measures=Measures(scrape=parse_duration("15s")))
    typer.echo(f"{visible(str(file))} is written")
    typer.echo(render_findings(checked, Format.TEXT))
    if any(finding.severity is Severity.FAULT for finding in checked.findings):
        raise typer.Exit(BAD_NEWS)
    name = visible(str(file))
    typer.echo(f"next: write tests, for `liftlock policy test {name}`: docs/writing-a-policy.md says how")
    typer.echo(f"with settings that name your servers: liftlock policy check --live {name}")
