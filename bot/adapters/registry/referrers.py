"""List the manifests that name an image as their subject: by the registry's list, else by the index that clients keep.

Sources: OCI distribution specification 1.1, "Listing Referrers" and "Unavailable Referrers API".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.adapters.http import Answer, Question
from bot.adapters.registry.manifest import INDEX_TYPES, BadManifest, Descriptor, parse_index
from bot.adapters.registry.pages import Patience, walk_pages
from bot.domain.model import Digest

_NO_SUCH_LIST = (400, 404, 405, 406)
"""What registries answer to an address that they do not know; GitHub's and Docker's answer 404."""
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is listed. `is_typed` where the registry itself read the types from the manifests."""

    entries: tuple[Descriptor, ...]
    is_typed: bool


def tag_of(digest: Digest) -> str:
    """Return the tag under which clients keep what belongs to a digest."""
    return digest.replace(":", "-")


def list_referrers(waiting: Patience, repository: str, digest: Digest) -> Listing:
    """Return all referrers of a digest; none where neither list is there."""
    entries: list[Descriptor] = []
    for page in _pages(waiting, repository, digest):
        if page is None:
            return Listing(entries=_kept_by_clients(waiting, repository, digest), is_typed=False)
        entries += page
        _require_few(waiting, len(entries))
    return Listing(entries=tuple(entries), is_typed=True)


def _pages(waiting: Patience, repository: str, digest: Digest) -> Iterator[tuple[Descriptor, ...] | None]:
    """Yield the pages of the registry's list; None, once, where it has no such list.

    No filter is asked for: types are told wrongly often enough, and a filter would then hide a proof.
    """
    question = Question(path=f"/v2/{repository}/referrers/{digest}", headers={"accept": INDEX_TYPES[0]})
    is_first = True
    for answer in walk_pages(waiting, repository, question):
        if is_first and answer.status in _NO_SUCH_LIST:
            yield None
            return
        waiting.host.require_ok(answer, f"list {waiting.what}")
        page = _parse_page(waiting, answer)
        if page is None and not is_first:
            raise waiting.host.permanent(f"sent a page that is no index, of the list of {waiting.what}")
        yield page
        if page is None:
            return
        is_first = False


def _parse_page(waiting: Patience, answer: Answer) -> tuple[Descriptor, ...] | None:
    """Return what a page lists; None where a web page or the like was sent instead of an index."""
    if answer.headers.get("oci-filters-applied", "").strip():
        raise waiting.host.permanent(f"sent a filtered list of {waiting.what}, though the whole one was asked for")
    is_index = answer.headers.get("content-type", "").partition(";")[0].strip().lower() in INDEX_TYPES
    try:
        page = parse_index(answer.body)
    except BadManifest as error:
        if not is_index:
            return None
        raise waiting.host.permanent(f"sent as a list of {waiting.what} {error}") from error
    if page is None and is_index:
        raise waiting.host.permanent(f"sent as a list of {waiting.what} an index without manifests")
    return page


def _kept_by_clients(waiting: Patience, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
    """Read the index under the digest's tag; a manifest of another kind there lists nothing, as the source says."""
    waiting.require()
    tag = tag_of(digest)
    content = waiting.host.find_manifest(repository, tag)
    if content is None:
        return ()
    try:
        entries = parse_index(content) or ()
    except BadManifest as error:
        raise waiting.host.permanent(f"sent for {repository}:{tag}, which lists {waiting.what}, {error}") from error
    _require_few(waiting, len(entries))
    return entries


def _require_few(waiting: Patience, listed: int) -> None:
    if listed > _MOST_LISTED:
        raise waiting.host.permanent(f"lists more than {_MOST_LISTED} manifests where {waiting.what} are looked for")
