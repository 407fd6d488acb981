"""What an image says of itself, and what of it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from bot.adapters.registry import OciRegistry
from bot.adapters.registry.facts import parse_facts
from bot.adapters.registry.manifest import BadManifest, digest_of, parse_object
from bot.adapters.registry.remembered import Remembered
from bot.domain.model import Digest, ImageFacts, Sha
from bot.ports import OutsideError, Permanent
from tests.adapters.registryparts import (
    IMAGE,
    REPOSITORY,
    a_config,
    a_manifest,
    a_registry,
    an_index,
    blob_path,
    encode,
    manifest_path,
    serve,
)
from tests.adapters.scripted import Scripted, serving

KEYS = "org.opencontainers.image."
COMMIT = Sha("c" * 40)
ALL = {
    KEYS + "revision": COMMIT,
    KEYS + "source": "https://github.com/acme/checkout",
    KEYS + "version": "1.0.1",
    KEYS + "created": "2026-03-01T12:00:00.123456789Z",
}
CREATED = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
FACTS = ImageFacts(
    revision=COMMIT, source="https://github.com/acme/checkout", version="1.0.1", created=CREATED, built_at=None
)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


def publish(server: Scripted, manifest: bytes, *more: bytes, config: bytes = b"") -> Digest:
    serve(server, manifest, *more)
    server.plan(blob_path(config), Response(config))
    return digest_of(manifest)


def test_facts_stand_in_the_labels_and_the_configuration(registry: OciRegistry, server: Scripted) -> None:
    config = encode({"created": "2026-02-28T13:00:00+01:00", "config": {"Labels": ALL}})
    digest = publish(server, a_manifest(config), config=config)
    facts = registry.read_facts(IMAGE, digest)
    assert (facts.revision, facts.source, facts.version, facts.created) == (
        COMMIT,
        "https://github.com/acme/checkout",
        "1.0.1",
        CREATED,
    )
    assert facts.built_at == datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


def test_an_annotation_goes_before_a_label_one_by_one(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**{KEYS + "version": "of the label", KEYS + "source": "label"})
    image = a_manifest(config, **{KEYS + "version": "of the image", KEYS + "revision": COMMIT})
    index = an_index((image, "linux", "amd64"), **{KEYS + "version": "of the index"})
    facts = registry.read_facts(IMAGE, publish(server, index, image, config=config))
    assert facts == ImageFacts(revision=COMMIT, version="of the index", source="label")


def test_facts_of_a_digest_are_read_once(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**ALL)
    digest = publish(server, a_manifest(config), config=config)
    assert registry.read_facts(IMAGE, digest) == registry.read_facts(IMAGE, digest) == FACTS
    assert len(server.asked) == 2


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\x00", "a\u202eb", "a\u200bb", "x" * 129, 5, None, ["1"], {}])
def test_a_version_that_cannot_be_seen_or_is_long_is_left_out(value: object) -> None:
    assert parse_facts({KEYS + "version": value}).version is None


def test_the_longest_texts_are_kept_whole() -> None:
    facts = parse_facts({KEYS + "version": "v" * 128, KEYS + "source": "s" * 500})
    assert (facts.version, facts.source) == ("v" * 128, "s" * 500)
    assert parse_facts({KEYS + "source": "s" * 501}).source is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-13-01T12:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "2026-03-01T12:00:00Z\n",
        "2026-W09-1T12:00:00Z",
        "２026-03-01T12:00:00Z",
        1772366400,
    ],
)
def test_an_instant_that_is_none_is_left_out(value: object) -> None:
    assert parse_facts({KEYS + "created": value}).created is None


@given(st.dictionaries(st.sampled_from(sorted(ALL)), st.text() | st.integers() | st.none()))
def test_whatever_labels_say_can_be_read_and_shown(labels: dict[str, object]) -> None:
    facts = parse_facts(labels)
    assert all(text is None or text.isprintable() for text in (facts.source, facts.version, facts.revision))


@given(st.binary(max_size=200))
def test_bytes_are_a_json_object_or_refused(content: bytes) -> None:
    try:
        parse_object(content)
    except BadManifest:
        return


def test_content_that_is_not_the_asked_digest_is_refused(registry: OciRegistry, server: Scripted) -> None:
    digest = digest_of(b"something else")
    server.plan(manifest_path(digest), Response(a_manifest(b"")))
    with pytest.raises(Permanent, match=f"sent for {digest} of {REPOSITORY} content that does not match"):
        registry.read_facts(IMAGE, digest)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<html>", "content that is no JSON"), (b"{}", "a kind that is not known"), (None, "has no sha256:")],
    ids=["HTML", "no kind", "nothing"],
)
def test_a_digest_without_a_manifest_has_no_facts(
    registry: OciRegistry, server: Scripted, content: bytes | None, said: str
) -> None:
    digest = digest_of(content or b"")
    if content is not None:
        server.plan(manifest_path(digest), Response(content))
    with pytest.raises(Permanent, match=f"{said}"):
        registry.read_facts(IMAGE, digest)


def test_a_configuration_that_is_too_large_is_not_asked_for(registry: OciRegistry, server: Scripted) -> None:
    config = b"{}" + b" " * 60_000
    digest = publish(server, a_manifest(config), config=config)
    with pytest.raises(Permanent, match=f"has {digest_of(config)} of {REPOSITORY} with 60002 bytes"):
        registry.read_facts(IMAGE, digest)
    assert len(server.asked) == 1


def test_an_image_that_an_index_promises_must_be_there(registry: OciRegistry, server: Scripted) -> None:
    image = a_manifest(b"")
    digest = publish(server, an_index((image, "linux", "amd64")))
    with pytest.raises(Permanent, match=f"has no manifest {digest_of(image)} of {REPOSITORY}, which it promised"):
        registry.read_facts(IMAGE, digest)


def test_facts_that_could_not_be_read_are_asked_for_again(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**ALL)
    digest = publish(server, a_manifest(config), config=config)
    server.plan(blob_path(config), Response(status_code=500), Response(status_code=500), Response(status_code=500))
    with pytest.raises(OutsideError):
        registry.read_facts(IMAGE, digest)
    server.plan(blob_path(config), Response(config))
    assert registry.read_facts(IMAGE, digest) == FACTS


def test_an_index_of_no_image_says_only_what_it_is_annotated_with(registry: OciRegistry, server: Scripted) -> None:
    digest = publish(server, an_index((b"x", "unknown", "unknown"), **ALL))
    assert registry.read_facts(IMAGE, digest) == FACTS


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    remembered: Remembered[str, int] = Remembered(2)
    for number, key in enumerate("ab"):
        remembered.put(key, number)
    assert remembered.get("a", -1) == 0
    remembered.put("c", 2)
    assert ["a" in remembered, "b" in remembered, "c" in remembered] == [True, False, True]
    assert remembered.get("b", -1) == -1
