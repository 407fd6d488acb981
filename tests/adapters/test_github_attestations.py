"""What GitHub keeps of a digest: found as it is, or refused by a sentence; nothing is verified here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cramjam import snappy
from starlette.responses import Response

from bot.adapters.found_proofs import FoundBundle, ProofLimits
from bot.adapters.github import GitHubAttestations
from bot.adapters.github.bundle_storage import BundleStorage
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Digest
from bot.lab.exchanges import Exchange
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, REPO, Parts, always, parts_for, settings_for
from tests.adapters.githubserver import TOKEN, Answer, FakeGitHub, fake_github
from tests.adapters.scripted import Scripted, serving
from tests.contract.conformance import GITHUB

DIGEST = Digest(f"sha256:{'a' * 64}")
LIST = f"/repos/{REPO}/attestations/{DIGEST}"
BUNDLE = {"mediaType": "x", "dsseEnvelope": {"payload": "ä"}}
CANONICAL = b'{"dsseEnvelope":{"payload":"\\u00e4"},"mediaType":"x"}'
FOUND = FoundBundle(digest=digest_of(CANONICAL), content=CANONICAL)
PATH = "/attestations/1/2026/07/14/77.json.sn"


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


@pytest.fixture(name="storage")
def fixture_storage() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


def packed(content: bytes) -> bytes:
    return bytes(snappy.compress_raw(content))


def keep(github: FakeGitHub, *entries: object, link: str = "", body: object = None) -> None:
    """Let GitHub list these, and show the repository."""
    listed: Answer = (200, {"attestations": list(entries)} if body is None else body, {"Link": link} if link else {})

    def answer(method: str, path: str) -> Answer | None:
        return {LIST: listed, f"/repos/{REPO}": (200, {"id": 1}, {})}.get(path)

    github.before = answer


def found(parts: Parts, **limits: Any) -> list[FoundBundle]:
    attestations = GitHubAttestations(parts.clients, limits=ProofLimits(**limits))
    return list(attestations.find_proofs(REPO, DIGEST))


def refusal(parts: Parts, kind: type[OutsideError], **limits: Any) -> str:
    with pytest.raises(kind) as caught:
        found(parts, **limits)
    assert TOKEN not in caught.value.sentence
    assert "sig=" not in caught.value.sentence
    return caught.value.sentence


def by_address(storage: Scripted, query: str = "se=1&sig=a%2Fb%3D", path: str = PATH) -> dict[str, object]:
    return {"repository_id": 1, "bundle_url": f"{storage.url}{path}?{query}", "initiator": "user", "bundle": None}


# --- the list --------------------------------------------------------------------------------------------------------


def test_each_bundle_is_found_once_whatever_its_spelling(parts: Parts, github: FakeGitHub) -> None:
    other = {"mediaType": "y"}
    keep(github, {"bundle": BUNDLE}, {"bundle": dict(reversed(BUNDLE.items()))}, {"bundle": other, "bundle_url": "?"})
    assert found(parts) == [FOUND, FoundBundle(digest=digest_of(b'{"mediaType":"y"}'), content=b'{"mediaType":"y"}')]


def test_the_request_keeps_to_the_published_description(parts: Parts, github: FakeGitHub) -> None:
    keep(github, {"bundle": BUNDLE})
    found(parts)
    assert [path for _, path in github.requests] == [LIST]
    refused = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
    exchange = Exchange(
        method="GET",
        path=f"{GITHUB.prefix}{LIST}",
        query=github.queries[0],
        request_headers=(),
        request_body=b"",
        status=404,
        response_headers=(("content-type", "application/json"),),
        response_body=json.dumps(refused).encode(),
    )
    assert github.queries == ["per_page=100"]
    assert GITHUB.violations(exchange) == []


def test_a_list_that_did_not_change_is_not_sent_again(parts: Parts, github: FakeGitHub) -> None:
    tagged: list[Answer] = [(200, {"attestations": [{"bundle": BUNDLE}]}, {"ETag": '"1"'}), (304, None, {})]
    github.before = lambda _, path: tagged.pop(0) if path == LIST else None
    attestations = GitHubAttestations(parts.clients)
    assert attestations.find_proofs(REPO, DIGEST) == attestations.find_proofs(REPO, DIGEST) == (FOUND,)
    assert tagged == []


def test_an_empty_list_is_none(parts: Parts, github: FakeGitHub) -> None:
    keep(github)
    assert found(parts) == []


def test_where_github_shows_the_repository_its_404_says_that_there_are_none(parts: Parts, github: FakeGitHub) -> None:
    keep(github)
    shown = github.before
    github.before = lambda method, path: (404, {"message": "Not Found"}, {}) if path == LIST else shown(method, path)
    assert found(parts) == []


@pytest.mark.invariant("I5")
def test_a_repository_that_is_hidden_is_not_one_without_attestations(parts: Parts, github: FakeGitHub) -> None:
    github.before = always((404, {"message": "Not Found"}, {}))
    assert f"could not look at {REPO}: GitHub knows no such thing, or the token may not" in refusal(parts, Permanent)


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (BAD_GATEWAY, Transient, "GitHub failed (HTTP 502)"),
        ((429, {"message": "slow down"}, {"Retry-After": "7"}), Transient, "may be asked again in 7 s"),
        ((403, {"message": "x"}, {"X-RateLimit-Remaining": "0"}), Transient, "GitHub's rate limit is used up"),
        ((403, {"message": "Resource not accessible by integration"}, {}), Permanent, "grant it the right"),
        ((301, {}, {"Location": "https://elsewhere.example/"}), Permanent, "has moved or was renamed"),
        ((0, None, {}), Transient, "GitHub could not be reached"),
        ((200, b"<html>a proxy</html>", {}), Transient, "GitHub's answer was not understood"),
        ((200, b"[" * 100_000, {}), Transient, "GitHub's answer was not understood"),
        ((200, [], {}), Transient, "lacks a fact"),
        ((200, {}, {}), Transient, "lacks a fact that belongs there (attestations)"),
        ((200, {"attestations": {}}, {}), Transient, "lacks a fact that belongs there (attestations)"),
        ((200, {"attestations": [7]}, {}), Transient, "lacks a fact that belongs there (attestations)"),
        ((200, {"attestations": [{"bundle_url": 7}]}, {}), Transient, "lacks a fact that belongs there"),
    ],
)
def test_what_hinders_from_knowing_is_said_and_is_no_lack_of_proofs(
    parts: Parts, github: FakeGitHub, answer: Answer, kind: type[OutsideError], said: str
) -> None:
    github.before = always(answer)
    with pytest.raises(kind) as caught:
        found(parts)
    assert said in caught.value.sentence


def test_more_than_a_page_is_refused(parts: Parts, github: FakeGitHub) -> None:
    keep(github, {"bundle": BUNDLE}, link='<https://api.test/x?after=Y3Vyc29y>; rel="next"')
    assert "more attestations of sha256:aaa" in refusal(parts, Permanent)
    keep(github, *[{"bundle": {"n": number}} for number in range(101)])
    assert f"than the 100 that are read in {REPO}" in refusal(parts, Permanent)
    keep(github, *[{"bundle": {"n": number}} for number in range(100)])
    assert len(found(parts)) == 100


def test_what_is_too_large_is_refused(parts: Parts, github: FakeGitHub) -> None:
    keep(github, {"bundle": {"a": "x" * 80}}, {"bundle": {"b": "x" * 80}})
    assert "more than the 80 bytes of one and 67108864 of all" in refusal(parts, Permanent, most_bytes=80)
    assert "more than the 100 bytes of one and 150 of all" in refusal(parts, Permanent, most_bytes=100, all_bytes=150)
    assert len(found(parts, most_bytes=100, all_bytes=200)) == 2


@pytest.mark.parametrize("bundle", [{}, [], "text", 7, False, {"a": float("nan")}, {"a": "\ud800"}])
def test_whatever_stands_for_a_bundle_is_handed_on_to_the_verifier(
    parts: Parts, github: FakeGitHub, bundle: object
) -> None:
    keep(github, {"bundle": bundle})
    (one,) = found(parts)
    assert one.content == json.dumps(bundle, separators=(",", ":")).encode()


@pytest.mark.parametrize("entry", [{}, {"bundle": None}, {"bundle": None, "bundle_url": ""}])
def test_an_attestation_that_is_nowhere_is_not_passed_over(
    parts: Parts, github: FakeGitHub, entry: dict[str, object]
) -> None:
    keep(github, {"bundle": BUNDLE}, entry)
    assert "without its bundle and without an address of it" in refusal(parts, Permanent)


@pytest.mark.parametrize("repository", ["acme", "acme/..", "acme/x/y", "acme/x?y", "https://github.com/acme/x"])
def test_only_a_repository_is_asked_for(parts: Parts, github: FakeGitHub, repository: str) -> None:
    with pytest.raises(Permanent, match="cannot be used as a repository"):
        GitHubAttestations(parts.clients).find_proofs(repository, DIGEST)
    assert github.requests == []


@pytest.mark.parametrize("digest", ["", "sha256:a", f"sha512:{'a' * 64}", f"{DIGEST}/..", f"{DIGEST}\n"])
def test_only_a_digest_is_asked_for(parts: Parts, github: FakeGitHub, digest: str) -> None:
    with pytest.raises(Permanent, match="is no sha256 digest"):
        GitHubAttestations(parts.clients).find_proofs(REPO, Digest(digest))
    assert github.requests == []


# --- the storage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_bundle_is_fetched_from_its_address_without_the_token_and_read_once(
    parts: Parts, github: FakeGitHub, storage: Scripted, *, is_packed: bool
) -> None:
    written = json.dumps(BUNDLE).encode()
    storage.plan(PATH, Response(packed(written) if is_packed else written))
    attestations = GitHubAttestations(parts.clients)
    keep(github, by_address(storage))
    assert attestations.find_proofs(REPO, DIGEST) == (FOUND,)
    keep(github, by_address(storage, query="se=2&sig=other"))
    assert attestations.find_proofs(REPO, DIGEST) == (FOUND,)
    (asked,) = storage.asked
    assert (asked.method, asked.path, asked.query) == ("GET", PATH, "se=1&sig=a%2Fb%3D")
    assert "authorization" not in asked.headers


def test_bundles_of_different_addresses_are_not_taken_for_each_other(
    parts: Parts, github: FakeGitHub, storage: Scripted
) -> None:
    for number in (1, 2):
        storage.plan(f"/{number}", Response(b'{"n":%d}' % number))
    keep(github, by_address(storage, path="/1"), by_address(storage, path="/2"))
    assert [one.content for one in found(parts)] == [b'{"n":1}', b'{"n":2}']


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Response("AuthenticationFailed", 403), "did not hand out one of the attestations of sha256:aa"),
        (Response("BlobNotFound", 404), "(HTTP 404)"),
        (Response("", 302, {"location": "https://elsewhere.example/?sig=x"}), "(HTTP 302)"),
        (Response("", 503), "failed (HTTP 503)"),
        (Response("<html>a proxy</html>"), "is no JSON, packed by Snappy or not"),
        (Response(b""), "is no JSON, packed by Snappy or not"),
        (Response(b"{"), "is no JSON, packed by Snappy or not"),
        (Response(packed(b"no JSON")), "is no JSON, packed by Snappy or not"),
        (Response(packed(b'{"a":' * 100_000)), "is no JSON, packed by Snappy or not"),
        # It says that it unpacks to four gigabytes.
        (Response(b"\xff\xff\xff\xff\x0f\x00a"), "is no JSON, packed by Snappy or not"),
    ],
)
def test_a_storage_that_does_not_hand_out_a_bundle_hinders_from_knowing(
    parts: Parts, github: FakeGitHub, storage: Scripted, reply: Response, said: str
) -> None:
    storage.plan(PATH, reply)
    keep(github, {"bundle": BUNDLE}, by_address(storage))
    assert said in refusal(parts, Transient)


def test_a_storage_that_sends_too_much_is_refused(parts: Parts, github: FakeGitHub, storage: Scripted) -> None:
    storage.plan(PATH, Response(b"{" + b" " * 200 + b"}"))
    keep(github, by_address(storage))
    assert "answered more than the 100 bytes that are accepted" in refusal(parts, Permanent, most_bytes=100)


def test_a_storage_is_not_waited_for_without_end(parts: Parts, github: FakeGitHub, storage: Scripted) -> None:
    storage.plan(PATH, Response(json.dumps(BUNDLE)))
    keep(github, by_address(storage))
    assert "with all others within 0 s" in refusal(parts, Transient, lasts=timedelta(0))
    assert storage.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "ftp://storage.example/a",
        "file:///etc/passwd",
        "storage.example/a",
        "https:///a",
        "https://storage.example",
        "https://user:secret@storage.example/a",
        "https://storage.example/a b",
        "https://storage.example/a\n",
        "https://storage.example/a#b",
        "https://storage.example\\@elsewhere.example/a",
        "https://störage.example/a",
        f"https://storage.example/{'a' * 4000}",
    ],
)
def test_an_address_that_is_none_is_refused(parts: Parts, github: FakeGitHub, address: str) -> None:
    keep(github, {"bundle": None, "bundle_url": address})
    assert refusal(parts, Permanent).endswith("that is no https URL of a file")


def test_where_github_is_encrypted_its_storage_must_be_too(github: FakeGitHub) -> None:
    settings = replace(settings_for(github), api_url="https://api.github.com")
    storage = BundleStorage(settings, ProofLimits())
    with pytest.raises(Permanent, match="no https URL of a file"):
        storage.read("http://127.0.0.1:1/a", "it", ends=0.0)
