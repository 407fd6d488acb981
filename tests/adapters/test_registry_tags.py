"""What tags there are, and what each points at now."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bot.adapters.registry import OciRegistry
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Artifact
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.registryparts import (
    IMAGE,
    REPOSITORY,
    a_config,
    a_manifest,
    a_registry,
    manifest_path,
    publish,
)
from tests.adapters.scripted import Scripted, an_answer, serving

PATH = f"/v2/{REPOSITORY}/tags/list"
CONFIG = a_config()
MANIFEST, MOVED = a_manifest(CONFIG), a_manifest(CONFIG, moved="yes")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


def a_page(*tags: object, link: str = "") -> Response:
    return an_answer({"name": REPOSITORY, "tags": list(tags)}, headers={"link": link} if link else None)


def methods(server: Scripted, path: str) -> list[str]:
    return [asked.method for asked in server.asked if asked.path == path]


# --- the list --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        f'<{PATH}?n=2&last=b>; rel="next"',
        f"<{PATH}?n=2&last=b>;rel=next",
        f'<https://127.0.0.1{PATH}?n=2&last=b>; title="a, b"; rel="next"',
        f'<{PATH}?p=1>; rel="prev", <{PATH}?n=2&last=b>; rel="next"',
        '<list?n=2&last=b>; rel="next"',
    ],
    ids=["relative", "bare", "absolute with another scheme", "several", "relative to the list"],
)
def test_tags_are_read_page_by_page(registry: OciRegistry, server: Scripted, link: str) -> None:
    server.plan(PATH, a_page("a", "b", link=link), a_page("c"))
    assert registry.list_tags(IMAGE) == ("a", "b", "c")
    assert [asked.query for asked in server.asked] == ["n=1000", "n=2&last=b"]


def test_a_link_that_leads_to_no_next_page_is_no_page(registry: OciRegistry, server: Scripted) -> None:
    server.plan(PATH, a_page("a", link=f'<{PATH}?p=1>; rel="prev"'))
    assert registry.list_tags(IMAGE) == ("a",)


def test_a_repository_without_tags_has_none(registry: OciRegistry, server: Scripted) -> None:
    server.plan(PATH, an_answer({"name": REPOSITORY, "tags": None}))
    assert registry.list_tags(IMAGE) == ()


def test_names_that_are_no_tags_are_left_out_and_counted(registry: OciRegistry, server: Scripted) -> None:
    hostile = ["../x", "", "-x", "a b", "x" * 129, "a\n", "ü", 5, None, ["a"], "<b>"]
    server.plan(PATH, a_page("1.0", *hostile, "null", "1.10"))
    tags = registry.read_tags(IMAGE)
    assert tags.names == ("1.0", "null", "1.10")
    assert tags.left_out == len(hostile)


def test_a_tag_that_stands_on_two_pages_is_told_once(registry: OciRegistry, server: Scripted) -> None:
    server.plan(PATH, a_page("a", "b", link=f'<{PATH}?last=b>; rel="next"'), a_page("b", "c"))
    assert registry.list_tags(IMAGE) == ("a", "b", "c")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example"])
def test_a_next_page_of_another_host_is_not_asked_for(registry: OciRegistry, server: Scripted, host: str) -> None:
    server.plan(PATH, a_page("a", link=f'<http://{host}{PATH}?last=a>; rel="next"'))
    with pytest.raises(Permanent, match=rf"for the next page of the tags of {REPOSITORY}, which is not followed"):
        registry.list_tags(IMAGE)
    assert len(server.asked) == 1


@pytest.mark.parametrize("piece", ["<", ">", "<>", "<a>;", ";", " ", '"', ";rel=", '<a>;rel="', "<a>; ", ";a ", ","])
def test_any_link_is_read_in_no_time(registry: OciRegistry, server: Scripted, piece: str) -> None:
    server.plan(PATH, a_page("a", link="<x>;" + piece * (60_000 // len(piece)) + "x"))
    began = time.monotonic()
    assert registry.list_tags(IMAGE) == ("a",)
    assert time.monotonic() - began < 3


def test_a_list_that_leads_to_itself_is_refused(registry: OciRegistry, server: Scripted) -> None:
    server.plan(PATH, a_page("a", link=f'<{PATH}?last=a>; rel="next"'))
    with pytest.raises(Permanent, match=f"tells the tags of {REPOSITORY} in pages without an end"):
        registry.list_tags(IMAGE)
    assert len(server.asked) == 2


def test_more_tags_than_are_read_are_an_error_and_never_cut(registry: OciRegistry, server: Scripted) -> None:
    pages = iter(range(100))

    def page(_: Request) -> Response:
        number = next(pages)
        return a_page(*(f"{number}-{n}" for n in range(1001)), link=f'<{PATH}?p={number}>; rel="next"')

    server.plan(PATH, page)
    with pytest.raises(Permanent, match=f"has more than the 20000 tags of {REPOSITORY} that are read"):
        registry.list_tags(IMAGE)
    assert len(server.asked) == 20


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(status_code=404), f"knows no repository {REPOSITORY}"),
        (Response(status_code=403), "does not allow the token to list the tags"),
        (Response(b"<html>"), "content that is no JSON"),
        (Response(b"[]"), "JSON that is no object"),
        (Response(b'{"tags": "abc"}'), "something that is no list"),
        (Response(b'{"tags": ' + b"[" * 900 + b"]" * 900 + b"}"), "nested deeper than 64 levels"),
        (Response(status_code=503), "failed (HTTP 503)"),
    ],
    ids=["404", "403", "HTML", "a list", "a text", "deep", "503"],
)
def test_what_is_no_list_of_tags_is_told(registry: OciRegistry, server: Scripted, answer: Response, said: str) -> None:
    server.plan(PATH, answer)
    with pytest.raises(OutsideError) as caught:
        registry.list_tags(IMAGE)
    assert said in caught.value.sentence
    assert isinstance(caught.value, Transient) == (answer.status_code == 503)


def test_tags_of_no_configured_registry_have_no_answer(registry: OciRegistry) -> None:
    with pytest.raises(Permanent, match=r"no registry is configured for quay\.io"):
        registry.list_tags("quay.io/acme/checkout")


# --- what a tag points at --------------------------------------------------------------------------------------------


def test_a_digest_is_told_by_the_headers_alone(registry: OciRegistry, server: Scripted) -> None:
    publish(server, "1.0.1", MANIFEST)
    assert registry.find_digest(IMAGE, "1.0.1") == digest_of(MANIFEST)
    assert methods(server, manifest_path("1.0.1")) == ["HEAD"]


@pytest.mark.parametrize("told", ["", "sha512:" + "a" * 128, "sha256:abc", "nonsense"])
def test_without_a_usable_header_the_digest_is_that_of_the_bytes(
    registry: OciRegistry, server: Scripted, told: str
) -> None:
    server.plan(manifest_path("1.0.1"), Response(MANIFEST, headers={"docker-content-digest": told} if told else None))
    if told == "sha256:abc":
        with pytest.raises(Permanent, match="does not match its digest"):
            registry.find_digest(IMAGE, "1.0.1")
    else:
        assert registry.find_digest(IMAGE, "1.0.1") == digest_of(MANIFEST)
    assert methods(server, manifest_path("1.0.1")) == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_a_registry_that_refuses_to_tell_headers_only_is_asked_for_all(
    registry: OciRegistry, server: Scripted, status: int
) -> None:
    def reply(request: Request) -> Response:
        return Response(status_code=status) if request.method == "HEAD" else Response(MANIFEST)

    server.plan(manifest_path("1.0.1"), reply)
    assert registry.find_digest(IMAGE, "1.0.1") == digest_of(MANIFEST)


def test_an_unknown_tag_has_no_digest(registry: OciRegistry) -> None:
    with pytest.raises(Permanent, match=r"has no tag 1\.0\.1 of acme/checkout"):
        registry.find_digest(IMAGE, "1.0.1")


def test_an_image_of_no_configured_registry_has_no_digest(registry: OciRegistry) -> None:
    assert registry.find_digest("quay.io/acme/checkout", "1.0.1") is None


def test_a_digest_of_text_that_is_no_tag_is_not_asked_for(registry: OciRegistry, server: Scripted) -> None:
    with pytest.raises(Permanent, match="is no image tag"):
        registry.find_digest(IMAGE, "../blobs/x")
    assert server.asked == []


@pytest.mark.parametrize("status", [429, 500])
def test_a_registry_that_is_overloaded_is_not_asked_for_all_instead(
    registry: OciRegistry, server: Scripted, status: int
) -> None:
    server.plan(manifest_path("1.0.1"), Response(status_code=status))
    with pytest.raises(Transient):
        registry.find_digest(IMAGE, "1.0.1")
    assert set(methods(server, manifest_path("1.0.1"))) == {"HEAD"}


def test_a_tag_that_was_read_is_asked_for_by_its_headers(registry: OciRegistry, server: Scripted) -> None:
    publish(server, "1.0.1", MANIFEST, blobs=(CONFIG,))
    found = [registry.find_artifact(IMAGE, "1.0.1") for _ in range(3)]
    assert found == [Artifact(digest=digest_of(MANIFEST))] * 3
    assert methods(server, manifest_path("1.0.1")) == ["GET", "HEAD", "HEAD"]


def test_the_bytes_of_a_tag_that_moved_are_read_before_they_are_believed(
    registry: OciRegistry, server: Scripted
) -> None:
    publish(server, "1.0.1", MANIFEST, blobs=(CONFIG,))
    registry.find_artifact(IMAGE, "1.0.1")
    publish(server, "1.0.1", MOVED)
    assert registry.find_artifact(IMAGE, "1.0.1") == Artifact(digest=digest_of(MOVED))
    assert methods(server, manifest_path("1.0.1")) == ["GET", "HEAD", "GET"]


def test_a_digest_that_only_headers_told_is_not_believed(registry: OciRegistry, server: Scripted) -> None:
    publish(server, "1.0.1", MANIFEST, blobs=(CONFIG,))
    registry.find_artifact(IMAGE, "1.0.1")
    server.plan(manifest_path("1.0.1"), Response(MOVED, headers={"docker-content-digest": digest_of(b"never seen")}))
    with pytest.raises(Permanent, match="does not match its digest"):
        registry.find_artifact(IMAGE, "1.0.1")


def test_a_tag_that_was_deleted_is_missed(registry: OciRegistry, server: Scripted) -> None:
    publish(server, "1.0.1", MANIFEST, blobs=(CONFIG,))
    registry.find_artifact(IMAGE, "1.0.1")
    server.plan(manifest_path("1.0.1"), Response(status_code=404))
    with pytest.raises(Permanent, match="has no tag"):
        registry.find_artifact(IMAGE, "1.0.1")
