"""What a promotion moves: tags and digests, the edit, the source commits between, and what is known of the artifact."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.edit import Change
from bot.domain.model import Release
from bot.domain.text import join_words
from bot.forge import SourceCommit, Span
from bot.render.escape import code, fenced, plain
from bot.render.links import commit_link, compare_link
from bot.render.views import MoveView

_SHORT = 12
_MOST_CHANGES = 10
_MOST_LINES = 40
_LONGEST_EXCERPT = 4000
_HEAD, _HEAD_MOVED = "| | now | after the merge |", "| | before the merge | after it |"


def what_moves(view: MoveView, commits: int) -> str:
    """Return the section that shows the move, with at most `commits` of the source commits."""
    rows = [
        ("tag", code(view.replaces.tag) if view.replaces.tag else "nothing", code(view.release.tag)),
        ("digest", _digest(view.replaces), _digest(view.release)),
        ("source commit", _revision(view, view.replaces), _revision(view, view.release)),
    ]
    table = "\n".join(f"| {name} | {before} | {after} |" for name, before, after in rows)
    parts = [
        f"### What moves\n\n{_what(view)}:",
        f"{_HEAD_MOVED if view.has_moved else _HEAD}\n|---|---|---|\n{table}",
        edit_lines(view.changes),
        _between(view, commits),
        _excerpt(view.changelog),
    ]
    return "\n\n".join(part for part in parts if part)


def _what(view: MoveView) -> str:
    """Name the images that move, the policy's own first, and the files that say so."""
    images = dict.fromkeys(place.image for place in view.policy.places_of(view.stage))
    first, *others = [code(image) for image in images]
    beside = f", and {join_words(others)} with it," if others else ""
    return f"{first}{beside} in {join_words([code(file) for file in view.stage.files])}"


def edit_lines(changes: Sequence[Change]) -> str:
    """Return a list of the values that the commit changes, each with its line in the file."""
    if not changes:
        return ""
    shown = []
    is_one = len({change.file for change in changes}) == 1
    for change in changes[:_MOST_CHANGES]:
        old = code(change.old) if change.old else "nothing"
        where = f"line {change.line}" if is_one else f"{code(change.file)} line {change.line}"
        shown.append(f"- {where}, {code(change.path)}: {old} → {code(change.new)}")
    if len(changes) > _MOST_CHANGES:
        shown.append(f"- and {len(changes) - _MOST_CHANGES} more")
    return "The commit changes this and nothing else:\n\n" + "\n".join(shown)


def _digest(release: Release) -> str:
    return code(release.digest[: len("sha256:") + _SHORT]) if release.digest else "not known"


def _revision(view: MoveView, release: Release) -> str:
    if release.revision is None:
        return "not known"
    return commit_link(view.forge_url, view.policy.source, release.revision)


# --- the source commits between --------------------------------------------------------------------------------------


def _between(view: MoveView, most: int) -> str:
    compare = compare_link(view.forge_url, view.policy.source, view.replaces.revision, view.release.revision)
    link = f"[Compare the two releases]({compare})" if compare else ""
    span = view.span
    if span is None:
        return link
    if not span.commits:
        return "\n\n".join(part for part in (_direction(span), link) if part)
    listed = "\n".join(_commit(view, one) for one in span.commits[:most])
    total = max(span.total, len(span.commits))
    hidden = total - len(span.commits[:most])
    more = f"- and {hidden:,} more" if hidden else ""
    head = f"<details><summary>{_counted(total)} between the two releases</summary>"
    listing = "\n".join(part for part in (listed, more) if part)
    return "\n\n".join(part for part in (_direction(span), head, listing, "</details>", link) if part)


def _direction(span: Span) -> str:
    if span.is_forward:
        return ""
    return "**It goes back, or sideways**: the new release does not contain all commits of the one that runs now."


def _counted(total: int) -> str:
    return "1 commit" if total == 1 else f"{total:,} commits"


def _commit(view: MoveView, commit: SourceCommit) -> str:
    name = commit_link(view.forge_url, view.policy.source, commit.sha)
    return f"- {name} {plain(commit.title)} ({code(commit.author)})"


def _excerpt(changelog: str) -> str:
    """Return the changelog as it stands in its file: a code block, in which nothing is a link or a mention."""
    if not changelog.strip():
        return ""
    lines = changelog.strip()[:_LONGEST_EXCERPT].splitlines()
    cut = len(lines) > _MOST_LINES or len(changelog.strip()) > _LONGEST_EXCERPT
    text = "\n".join([*lines[:_MOST_LINES], *(["…"] if cut else [])])
    return f"<details><summary>Changelog</summary>\n\n{fenced(text)}\n\n</details>"
