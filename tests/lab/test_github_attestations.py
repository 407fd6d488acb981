"""Attestations of the lab's GitHub: who is shown them, page by page, and the storage behind their addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cramjam import snappy

from bot.domain.model import Digest
from bot.lab.github.attestations import keep_attestation
from tests.lab.github_world import REPO, GitHubWorld, running_github

DIGEST, OTHER = Digest(f"sha256:{'a' * 64}"), Digest(f"sha256:{'b' * 64}")
LIST = f"/repos/{REPO}/attestations/{DIGEST}"
BUNDLE = b'{"mediaType":"x"}'


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def keep(world: GitHubWorld, bundle: bytes = BUNDLE, *, is_inline: bool = False, subject: Digest = DIGEST) -> None:
    keep_attestation(world.lab.world, REPO, subject, bundle, is_inline=is_inline)


def listed(world: GitHubWorld, query: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = world.http.get(LIST + query).raise_for_status().json()["attestations"]
    return found


def test_a_digest_without_attestations_is_answered_like_a_repository_that_is_hidden(world: GitHubWorld) -> None:
    keep(world, subject=OTHER)
    assert world.http.get(LIST).status_code == 404
    keep(world)
    with world.client(world.lab.token_of("stranger")) as stranger:
        assert stranger.get(LIST).status_code == 404


def test_a_bundle_stands_in_the_list_or_is_behind_an_address_that_needs_no_token(world: GitHubWorld) -> None:
    keep(world, is_inline=True)
    keep(world)
    by_address, inline = listed(world)
    assert inline["bundle"] == {"mediaType": "x"}
    assert "bundle" not in by_address
    blob = httpx.get(str(by_address["bundle_url"]), trust_env=False)
    assert blob.headers["content-type"] == "application/x-snappy"
    assert bytes(snappy.decompress_raw(blob.content)) == BUNDLE


def test_an_address_is_good_for_an_hour_and_for_one_bundle_only(world: GitHubWorld) -> None:
    keep(world)
    address = httpx.URL(str(listed(world)[0]["bundle_url"]))
    other = address.path.replace("/attestations/", "/attestations/9")
    assert httpx.get(address.copy_with(path=other), trust_env=False).status_code == 403
    assert httpx.get(address.copy_with(query=None), trust_env=False).status_code == 403
    world.clock.advance(timedelta(minutes=59))
    assert httpx.get(address, trust_env=False).status_code == 200
    world.clock.advance(timedelta(minutes=1))
    assert httpx.get(address, trust_env=False).status_code == 403


def test_the_newest_come_first_and_further_pages_by_a_cursor(world: GitHubWorld) -> None:
    for number in range(5):
        keep(world, b'{"n":%d}' % number, is_inline=True)
    found, address = [], f"{LIST}?per_page=2"
    while address:
        page = world.http.get(address)
        found += [one["bundle"]["n"] for one in page.json()["attestations"]]
        address = page.links.get("next", {}).get("url", "")
    assert found == [4, 3, 2, 1, 0]
    assert len(listed(world, "?per_page=x&page=2")) == 5
