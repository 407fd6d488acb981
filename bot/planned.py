"""The edits that promotions and rollbacks make, as texts: made when they are pushed, and made again to be compared.

A pull request is trusted only if its diff is exactly the planned edit (I2, I17). So what `apply` writes and what
`observe` compares with must be one function of the files' texts, and these are it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.domain.edit import (
    Change,
    Edited,
    EditRefused,
    NothingWritten,
    Reading,
    Wanted,
    Written,
    read_image,
    undo_image,
    write_image,
)
from bot.domain.model import NOT_SET, Release, Sha
from bot.domain.policy import Place, Policy, Stage
from bot.ports import Permanent, Repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The files of a stage as they are to be, in the order of the policy, and each value that changes in them.

    A file that says so already is among them, as it is.
    """

    files: Mapping[str, str]
    changes: tuple[Change, ...]

    @property
    def text(self) -> str:
        """The text of the stage's first file."""
        return next(iter(self.files.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans edits of one stage's files."""

    repositories: Repositories
    policy: Policy
    stage: Stage
    reading: Reading

    @property
    def _places(self) -> tuple[Place, ...]:
        return self.policy.places_of(self.stage)

    def promotion(self, parent: Sha, release: Release) -> Planned:
        """Plan the files at `parent` with the release set, and its digest where a file or the policy pins one."""
        texts = self._texts_at(parent)
        changes: list[Change] = []
        for place in self._places:
            edited = write_image(
                place.edit, place.image, texts[place.edit.file], self._wanted(place, release), reading=self.reading
            )
            texts[place.edit.file] = edited.text
            changes += edited.changes
        return Planned(files=texts, changes=tuple(changes))

    def revert(self, parent: Sha, *, promotion: Sha, release: Release, back_to: Release) -> Planned:
        """Plan the files at `parent` with what the promotion did taken back, to the byte where that fits still.

        Where the promotion did not come from the release that is gone back to, or a file was built anew since, that
        release is set as a promotion would set it. Raise EditRefused where somebody changed the same value since.
        """
        texts = self._texts_at(parent)
        changes: list[Change] = []
        # What was set last is taken back first, so that each value finds the file as its own change left it.
        for place, around in reversed(self._steps(promotion)):
            one = _One(place=place, reading=self.reading, release=release, back_to=self._wanted(place, back_to))
            edited = one.revert(texts[place.edit.file], around)
            texts[place.edit.file] = edited.text
            changes = [*edited.changes, *changes]
        return Planned(files=texts, changes=tuple(changes))

    def _steps(self, promotion: Sha) -> list[tuple[Place, tuple[str, str] | None]]:
        """Return each value with its file before and after the promotion set it; both None where that is not known.

        Where more than the values was changed in a file with them, each has the whole of that change.
        """
        steps: dict[Place, tuple[str, str] | None] = {}
        for file in dict.fromkeys(place.edit.file for place in self._places):
            around, places = self._around(promotion, file), [one for one in self._places if one.edit.file == file]
            alone = self._one_by_one(places, *around) if around is not None else None
            steps |= dict(zip(places, alone, strict=True)) if alone is not None else dict.fromkeys(places, around)
        return [(place, steps[place]) for place in self._places]

    def _one_by_one(self, places: Sequence[Place], before: str, after: str) -> list[tuple[str, str]] | None:
        """Set the values of a file one after the other as a promotion does; None where that is not what was done."""
        steps: list[tuple[str, str]] = []
        for place in places:
            try:
                said = read_image(place.edit, place.image, after, reading=self.reading)
                wanted = Wanted(tag=said.tag, digest=said.digest)
                edited = write_image(place.edit, place.image, before, wanted, reading=self.reading)
            except EditRefused:
                return None
            steps.append((before, edited.text))
            before = edited.text
        return steps if before == after else None

    def _wanted(self, place: Place, release: Release) -> Wanted:
        """The digest is that of the policy's image; of another one that moves with it none is known."""
        return Wanted(tag=release.tag, digest=release.digest if place.image == self.policy.image else None)

    def apart(self, commit: Sha, tag: str) -> str:
        """Say which of the values that move together does not say `tag` at a commit; empty if all do."""
        first, *others = self._places
        try:
            main = self._read(first, commit)
            for place in others:
                found = self._read(place, commit)
                is_same = place.image == first.image
                pins = {one.digest for one in (main, found) if one is not None and one.digest is not None}
                if (found.tag if found is not None else NOT_SET) != tag or (is_same and len(pins) > 1):
                    says = f"{place.edit.file} says {found.shown if found is not None else 'nothing'} for {place.image}"
                    said = main.shown if main is not None else "nothing"
                    return f"{says}, and {first.edit.file} says {said}: set both to one tag"
        except EditRefused as error:
            return str(error)
        return ""

    def _read(self, place: Place, commit: Sha) -> Written | None:
        """Return what a value says; None where it says nothing yet."""
        try:
            return read_image(place.edit, place.image, self.text_at(commit, place.edit.file), reading=self.reading)
        except NothingWritten:
            return None

    def _texts_at(self, commit: Sha) -> dict[str, str]:
        return {place.edit.file: self.text_at(commit, place.edit.file) for place in self._places}

    def text_at(self, commit: Sha, file: str) -> str:
        """Return one of the stage's files at a commit; raise `Permanent` if there is none."""
        repository = self.policy.gitops.repository
        text = self.repositories.read_file(repository, commit, file)
        if text is None:
            raise Permanent("Git", f"{file} is gone from {repository} at {commit[:7]}")
        return text

    def _around(self, promotion: Sha, file: str) -> tuple[str, str] | None:
        """Return a file before and after a promotion; None if it was not there before, or not changed by it."""
        repository = self.policy.gitops.repository
        versions = self.repositories.file_history(repository, promotion, file, limit=2).versions
        if len(versions) < 2 or versions[0].commit != promotion or None in (versions[0].content, versions[1].content):
            return None
        named = [version.content for version in versions if version.content is not None]
        texts = self.repositories.read_contents(repository, named)
        after, before = texts[named[0]], texts[named[1]]
        return None if before is None or after is None else (before, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """The revert of one value."""

    place: Place
    reading: Reading
    release: Release
    back_to: Wanted

    def revert(self, now: str, around: tuple[str, str] | None) -> Edited:
        said = self._said(now)
        if said.tag != self.release.tag:
            reason = f"the file says {said.shown} now, not {self.release.tag} as the promotion left it"
            raise EditRefused(file=self.place.edit.file, path="", reason=reason)
        undone = self._undone(*around, now) if around is not None else None
        if undone is not None and self._said(undone.text).tag == self.back_to.tag:
            return undone
        return write_image(self.place.edit, self.place.image, now, self.back_to, reading=self.reading)

    def _undone(self, before: str, after: str, now: str) -> Edited | None:
        """Take back what was done between two texts; None where the texts are too different for that."""
        edit, stands, became = self.place.edit, self._said(now), self._said(after)
        if (stands.tag, stands.digest) != (became.tag, became.digest):
            reason = f"the file says {stands.shown} now, not {became.shown} as the promotion left it"
            raise EditRefused(file=edit.file, path="", reason=reason)
        try:
            undone = undo_image(edit, self.place.image, before=before, after=after, now=now, reading=self.reading)
            # Whatever runs the image beside what the promotion changed must go back with it.
            return undone if self._said(undone.text) == self._said(before) else None
        except EditRefused:
            return None

    def _said(self, text: str) -> Written:
        return read_image(self.place.edit, self.place.image, text, reading=self.reading)
