"""The edits that promotions and rollbacks make, as texts: made when they are pushed, and made again to be compared.

A pull request is trusted only if its diff is exactly the planned edit (I2, I17). So what `apply` writes and what
`observe` compares with must be one function of the file's text, and these are it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.edit import Edited, EditRefused, Reading, Wanted, Written, read_image, undo_image, write_image
from bot.domain.model import Release, Sha
from bot.domain.policy import Policy, Stage
from bot.ports import Permanent, Repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans edits of one stage's file."""

    repositories: Repositories
    policy: Policy
    stage: Stage
    reading: Reading

    def promotion(self, parent: Sha, release: Release) -> Edited:
        """Plan the file at `parent` with the release set, and its digest where the file or the policy pins one."""
        wanted = Wanted(tag=release.tag, digest=release.digest)
        return write_image(self.stage.edit, self.policy.image, self.text_at(parent), wanted, reading=self.reading)

    def revert(self, parent: Sha, *, promotion: Sha, release: Release, back_to: Release) -> Edited:
        """Plan the file at `parent` with what the promotion did taken back, to the byte where that fits still.

        Where the promotion did not come from the release that is gone back to, or the file was built anew since, that
        release is set as a promotion would set it. Raise EditRefused where somebody changed the same value since.
        """
        now, texts = self.text_at(parent), self._around(promotion)
        said = self._said(now)
        if said.tag != release.tag:
            reason = f"the file says {said.shown} now, not {release.tag} as the promotion left it"
            raise EditRefused(file=self.stage.edit.file, path="", reason=reason)
        undone = self._undone(*texts, now) if texts is not None else None
        if undone is not None and self._said(undone.text).tag == back_to.tag:
            return undone
        wanted = Wanted(tag=back_to.tag, digest=back_to.digest)
        return write_image(self.stage.edit, self.policy.image, now, wanted, reading=self.reading)

    def _undone(self, before: str, after: str, now: str) -> Edited | None:
        """Take back what was done between two texts; None where the texts are too different for that."""
        stands, became = self._said(now), self._said(after)
        if (stands.tag, stands.digest) != (became.tag, became.digest):
            reason = f"the file says {stands.shown} now, not {became.shown} as the promotion left it"
            raise EditRefused(file=self.stage.edit.file, path="", reason=reason)
        try:
            undone = undo_image(
                self.stage.edit, self.policy.image, before=before, after=after, now=now, reading=self.reading
            )
            # Whatever runs the image beside what the promotion changed must go back with it.
            return undone if self._said(undone.text) == self._said(before) else None
        except EditRefused:
            return None

    def text_at(self, commit: Sha) -> str:
        """Return the stage's file at a commit; raise `Permanent` if there is none."""
        repository, file = self.policy.gitops.repository, self.stage.edit.file
        text = self.repositories.read_file(repository, commit, file)
        if text is None:
            raise Permanent("Git", f"{file} is gone from {repository} at {commit[:7]}")
        return text

    def _around(self, promotion: Sha) -> tuple[str, str] | None:
        """Return the file before and after a promotion; None if it was not there before."""
        repository, file = self.policy.gitops.repository, self.stage.edit.file
        versions = self.repositories.file_history(repository, promotion, file, limit=2).versions
        if len(versions) < 2 or versions[0].commit != promotion or None in (versions[0].content, versions[1].content):
            return None
        named = [version.content for version in versions if version.content is not None]
        texts = self.repositories.read_contents(repository, named)
        after, before = texts[named[0]], texts[named[1]]
        return None if before is None or after is None else (before, after)

    def _said(self, text: str) -> Written:
        return read_image(self.stage.edit, self.policy.image, text, reading=self.reading)
