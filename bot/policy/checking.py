"""Check files of policies and templates offline: all that the bot would refuse, and what it would take to no avail.

Each file is read as the bot reads it, with the team's own templates of its directory. Nothing is asked and nothing is
changed; what is wrong with one file hides nothing of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.tenancy import Tenancy
from bot.policy.cautions import check_meaning
from bot.policy.directory import second_of
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import read_text, yaml_files
from bot.policy.findings import Finding
from bot.policy.floor import Floor, ReadPolicy, faults_below
from bot.policy.own_templates import FOLDER, OwnTemplates, read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.promql_checks import Text, check_entries, check_template
from bot.policy.reading import Faults
from bot.policy.source_checks import check_sources
from bot.policy.templates import GateTemplates, read_template
from bot.policy.tree import Value, read_tree
from bot.policy.waves import expand_waves
from bot.policy.weakening import Earlier, EarlierOf


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPolicy:
    """A policy without faults, the tree that it was read from, and the name by which whoever asked knows its file."""

    policy: Policy
    tree: Value
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found, in the order of the files, and in how many files; the policies where they were to be kept."""

    files: int
    findings: tuple[Finding, ...]
    policies: tuple[KeptPolicy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What policies are held against: how often metrics are scraped, a floor, and what they were before.

    `tenancies` are what the settings force at each data source, None where the settings are not known.
    """

    scrape: timedelta
    floor: Floor | None = None
    earlier: EarlierOf = lambda _: {}
    tenancies: Mapping[str, Tenancy] | None = None


def check_policies(
    places: Sequence[Path],
    templates: GateTemplates,
    *,
    measures: Measures,
    keeps_policies: bool = False,
) -> Checked:
    """Check files, and all policies and own templates of directories, by what `measures` say.

    Two files with one service are found where both are checked, and a service that was there `earlier` and is gone
    where its directory is. The own templates are those of the shipped `templates` and of the folder `gates` beside a
    policy. A directory that cannot be read is a finding of its own.
    """
    directories: dict[Path, _Directory] = {}
    findings: dict[Path, Sequence[Finding]] = {}
    kept: list[KeptPolicy] | None = [] if keeps_policies else None

    def at(home: Path) -> _Directory:
        return directories.setdefault(home, _Directory(path=home, templates=templates, measures=measures, kept=kept))

    for place in places:
        names, unread = _names(place) if place.is_dir() else ([place], [])
        findings.update({place: unread} if unread else {})
        for path in names:
            if path not in findings:
                findings[path] = [finding.in_file(str(path)) for finding in at(_home(path)).check(path)]
    found = [*findings.values(), *(at(place).gone() for place in dict.fromkeys(places) if place.is_dir())]
    return Checked(
        files=len(findings),
        findings=tuple(finding for some in found for finding in sorted(set(some))),
        policies=tuple(kept or ()),
    )


def _names(directory: Path) -> tuple[list[Path], list[Finding]]:
    """Return the files of a directory, those of its templates behind the others; and what cannot be read of it."""
    found: list[Path] = []
    unread: list[Finding] = []
    folders = [directory, *([directory / FOLDER] if (directory / FOLDER).is_dir() else [])]
    for folder in folders:
        try:
            found += [folder / name for name in yaml_files(folder, expected="a directory of policies")]
        except PolicyError as error:
            unread += _of_policy(error.faults)
    return found, unread


def _home(path: Path) -> Path:
    """Return the directory of the policies that a file belongs to."""
    folder = path.parent
    return folder.parent if _is_of_templates(folder) else folder


def _is_of_templates(folder: Path) -> bool:
    return folder.resolve().name == FOLDER


def _of_policy(faults: Iterable[PolicyFault]) -> list[Finding]:
    return [Finding(fault=fault, rule="policy") for fault in faults]


@dataclass(slots=True, kw_only=True)
class _Directory:
    """A directory of policies while its files are checked: its own templates, and which file has which service."""

    path: Path
    templates: GateTemplates
    measures: Measures
    kept: list[KeptPolicy] | None
    _own: OwnTemplates | None = None
    _before: Earlier | None = None
    _owners: dict[str, str] = field(default_factory=dict)
    _broken: dict[str, PolicyError] = field(default_factory=dict)

    @property
    def own(self) -> OwnTemplates:
        """The team's own templates, read once."""
        if self._own is None:
            self._own = read_own_templates(self.path)
        return self._own

    @property
    def before(self) -> Earlier:
        """What the policies were before, read once."""
        if self._before is None:
            self._before = Earlier.of(self.measures.earlier(self.path))
        return self._before

    def gone(self) -> list[Finding]:
        """Return the services that are there no more, once all files of the directory are checked."""
        found = self.before.gone(self._owners, self._broken)
        return [finding.in_file(str(self.path / file)) for file, finding in found]

    def check(self, path: Path) -> Iterator[Finding]:
        """Give what is found in a file, under its name in the directory."""
        is_template = _is_of_templates(path.parent)
        name = f"{FOLDER}/{path.name}" if is_template else path.name
        try:
            text = read_text(path, file=name)
            yield from self._template(text, name) if is_template else self._policy(text, name, path)
        except PolicyError as error:
            self._broken[name] = error
            yield from _of_policy(error.faults)

    def _template(self, text: str, name: str) -> Iterator[Finding]:
        second = self.own.errors.get(name)
        if second is not None:
            raise second
        faults = Faults(file=name)
        tree = read_tree(text, file=name, faults=faults.found)
        template = read_template(tree, faults)
        yield from check_template(tree, template, Text(file=name, lines=text.splitlines()))

    def _policy(self, text: str, name: str, path: Path) -> Iterator[Finding]:
        faults = Faults(file=name)
        tree = expand_waves(read_tree(text, file=name, faults=faults.found), faults)
        templates = {**self.templates, **self.own.templates}
        yield from check_entries(tree, _whole(templates, self.own.broken), Text(file=name, lines=text.splitlines()))
        policy = read_policy(tree, text, faults=faults, templates=templates, broken=self.own.broken)
        owner = self._owners.setdefault(policy.service, name)
        if owner != name:
            yield from _of_policy([second_of(policy.service, name, owner)])
        if self.kept is not None:
            self.kept.append(KeptPolicy(policy=policy, tree=tree, file=str(path)))
        yield from self._judged(policy, tree, templates)

    def _judged(self, policy: Policy, tree: Value, templates: GateTemplates) -> Iterator[Finding]:
        """Give what is found of a policy that the bot takes."""
        measures = self.measures
        if measures.floor is not None:
            read = ReadPolicy(policy=policy, tree=tree, templates=templates, own=self.own.texts.keys())
            yield from (Finding(fault=fault, rule="below-floor") for fault in faults_below(read, measures.floor))
        yield from self.before.since(policy, tree)
        yield from check_meaning(policy, tree, scrape=measures.scrape)
        if measures.tenancies is not None:
            yield from (caution.at(tree, policy.file) for caution in check_sources(policy, tree, measures.tenancies))


def _whole(templates: GateTemplates, broken: Mapping[str, str]) -> GateTemplates:
    return {name: template for name, template in templates.items() if name not in broken}
