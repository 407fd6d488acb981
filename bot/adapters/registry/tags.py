"""List the tags of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.http import Answer, Question
from bot.adapters.registry.host import RegistryHost
from bot.adapters.registry.manifest import BadManifest, parse_object
from bot.adapters.registry.names import is_tag
from bot.adapters.registry.pages import Patience, patience, walk_pages

_A_PAGE = "1000"
_LASTS = timedelta(seconds=60)
MOST_TAGS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The tags in the registry's order, each once; `left_out` counts names that are no tags by the specification."""

    names: tuple[str, ...]
    left_out: int = 0


def read_tags(host: RegistryHost, repository: str, most: int) -> Tags:
    """Return all tags; more than `most` is an error."""
    waiting = patience(host, f"the tags of {repository}", _LASTS)
    question = Question(path=f"/v2/{repository}/tags/list", params={"n": _A_PAGE})
    names: dict[str, None] = {}
    left_out = 0
    for answer in walk_pages(waiting, repository, question):
        if answer.status == 404:
            raise host.permanent(f"knows no repository {repository}")
        host.require_ok(answer, f"list {waiting.what}")
        page = _parse_page(waiting, answer)
        known = [name for name in page if isinstance(name, str) and is_tag(name)]
        left_out += len(page) - len(known)
        names |= dict.fromkeys(known)
        if len(names) + left_out > most:
            raise host.permanent(f"has more than the {most} tags of {repository} that are read")
    return Tags(names=tuple(names), left_out=left_out)


def _parse_page(waiting: Patience, answer: Answer) -> list[object]:
    try:
        page = parse_object(answer.body).get("tags")
    except BadManifest as error:
        raise waiting.host.permanent(f"sent as {waiting.what} {error}") from error
    # A repository without tags has null there.
    if page is not None and not isinstance(page, list):
        raise waiting.host.permanent(f"sent as {waiting.what} something that is no list")
    return page or []
