"""Which commits set a stage's tag: read from Git once, and carried forward as the branch moves.

What is remembered only saves reads: a version of a file never changes, so neither does what it says. It may be lost at
any time, and is dropped when the policy changes or the branch's history does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.edit import EditRefused, NothingWritten, Reading, read_tag
from bot.domain.model import NOT_SET, Sha, TagChange, TagHistory, Trouble
from bot.domain.policy import Policy, Stage
from bot.domain.trailers import parse_trailers
from bot.ports import FileVersion, Repositories

_MOST_COMMITS = 3200
"""How many commits of a file are read in search of the one that set its tag, before a person is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A history that was read under a version of the policy, up to the commit that was the file's newest then."""

    policy_version: str
    newest: Sha
    tags: TagHistory


@dataclass(slots=True, kw_only=True)
class TagReader:
    """Reads tags of stages. Safe between threads that work on different services."""

    repositories: Repositories
    limit: int = 50
    reading: Reading = field(default_factory=Reading)
    _known: dict[tuple[str, str], Remembered] = field(default_factory=dict)

    def read(self, policy: Policy, stage: Stage, head: Sha) -> TagHistory | Trouble:
        """Read the stage's tag at `head` and the commits that set it, newest first, as far as the limit goes."""
        carried = self._carry_forward(policy, stage, head)
        return carried if carried is not None else self._read_whole(policy, stage, head)

    def _carry_forward(self, policy: Policy, stage: Stage, head: Sha) -> TagHistory | None:
        """Add what is new to what is known; None if nothing is known, or the new does not join it."""
        known = self._known.get((policy.service, stage.name))
        if known is None or known.policy_version != policy.version:
            return None
        repository, file = policy.gitops.repository, stage.edit.file
        history = self.repositories.file_history(repository, head, file, limit=self.limit, since=known.newest)
        if not history.joins:
            return None
        tags = self._tags_of(policy, stage, history.versions)
        if tags and not isinstance(tags[0], str):
            return None
        changes = (*_changes(policy, stage, history.versions, [*tags, known.tags.tag]), *known.tags.changes)
        newest = tags[0] if tags and isinstance(tags[0], str) else known.tags.tag
        found = replace(known.tags, head=head, tag=newest, changes=changes)
        self._remember(policy, stage, history.versions[0].commit if history.versions else known.newest, found)
        return found

    def _read_whole(self, policy: Policy, stage: Stage, head: Sha) -> TagHistory | Trouble:
        limit = self.limit
        while True:
            found = self._read(policy, stage, head, limit)
            # The oldest commit that was read may not be the one that set the tag, only the last that was looked at.
            if isinstance(found, Trouble) or found.complete or len(found.changes) > 1:
                return found
            if limit >= _MOST_COMMITS:
                file = stage.edit.file
                sentence = f"the newest {limit} commits of {file} do not reach the one that set the tag {found.tag}"
                return Trouble(system="Git", sentence=sentence)
            limit *= 4

    def _read(self, policy: Policy, stage: Stage, head: Sha, limit: int) -> TagHistory | Trouble:
        history = self.repositories.file_history(policy.gitops.repository, head, stage.edit.file, limit=limit)
        versions = history.versions
        if not versions and not history.complete:
            sentence = f"the history that is known of {stage.edit.file} does not reach the commit that set its tag"
            return Trouble(system="Git", sentence=sentence)
        if not versions or versions[0].content is None:
            where = f"{policy.gitops.repository} at {head[:7]}"
            sentence = f"{stage.edit.file} does not exist in {where}; check the policy's edit"
            return Trouble(system="Git", sentence=sentence)
        tags = self._tags_of(policy, stage, versions)
        if not isinstance(tags[0], str):
            return Trouble(system="Git", sentence=str(tags[0]))
        changes = _changes(policy, stage, versions, [*tags, None])
        found = TagHistory(head=head, tag=tags[0], changes=changes, complete=history.complete)
        if found.complete or len(changes) > 1:
            self._remember(policy, stage, versions[0].commit, found)
        return found

    def _remember(self, policy: Policy, stage: Stage, newest: Sha, tags: TagHistory) -> None:
        known = Remembered(policy_version=policy.version, newest=newest, tags=tags)
        self._known[policy.service, stage.name] = known

    def _tags_of(self, policy: Policy, stage: Stage, versions: Sequence[FileVersion]) -> list[str | EditRefused | None]:
        named = [version.content for version in versions if version.content is not None]
        texts = self.repositories.read_contents(policy.gitops.repository, named) if named else {}
        return [_tag_of(texts, version, policy, stage, self.reading) for version in versions]


def _tag_of(
    texts: Mapping[Sha, str | None], version: FileVersion, policy: Policy, stage: Stage, reading: Reading
) -> str | EditRefused | None:
    text = texts[version.content] if version.content is not None else None
    if text is None:
        reason = "the file is not UTF-8 text" if version.content is not None else "the file is no regular file"
        return EditRefused(file=stage.edit.file, path="", reason=reason)
    try:
        return read_tag(stage.edit, policy.image, text, reading=reading)
    except NothingWritten:
        return NOT_SET
    except EditRefused as error:
        return error


def _changes(
    policy: Policy, stage: Stage, versions: Sequence[FileVersion], tags: Sequence[str | EditRefused | None]
) -> tuple[TagChange, ...]:
    """Keep the commits at which the tag differs from the one before; what cannot be read counts as no tag.

    `tags` has one more than there are versions: the tag before the oldest of them.
    """
    read = [tag if isinstance(tag, str) else None for tag in tags]
    found = []
    for index, version in enumerate(versions):
        new, old = read[index], read[index + 1]
        if new is None or new == old:
            continue
        trailers = parse_trailers(version.message)
        mine = trailers is not None and (trailers.service, trailers.stage) == (policy.service, stage.name)
        change = TagChange(
            commit=version.commit,
            at=version.at,
            author=version.author,
            old=old or None,
            new=new,
            trailers=trailers if mine else None,
            written_at=version.written_at,
        )
        found.append(change)
    return tuple(found)
