"""Ask one registry: let in where it asks who is there, left alone when it says so, every byte checked.

Blobs may be redirected to another host's storage, which is asked without any credential and by https only; what it
sends is checked all the same. Accepted gap: a registry whose own certificate is of a private authority cannot redirect
to a storage under the same authority.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from bot.adapters.breaker import Breaker, LeftAlone
from bot.adapters.http import Answer, Endpoint, HttpClient, Limits, Question, TooLong, refusal, show_url
from bot.adapters.registry.access import Admission, RegistryAccess
from bot.adapters.registry.challenge import origin
from bot.adapters.registry.manifest import (
    MANIFEST_TYPES,
    BadManifest,
    Descriptor,
    digest_of,
    is_digest,
    require_promised,
)
from bot.adapters.registry.names import SYSTEM
from bot.domain.model import Digest
from bot.ports import Permanent, Transient

T = TypeVar("T")
_ACCEPTED = ", ".join(MANIFEST_TYPES)


class RegistryHost:
    """One configured registry. Its client never sends the token by itself. Safe to share between threads.

    `tells_digests` says whether it told the digest of the last manifest, so that asking for headers is worth a request.
    """

    def __init__(self, name: str, endpoint: Endpoint, access: RegistryAccess, limits: Limits) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._client = HttpClient(replace(endpoint, token=None), limits)
        self._admission = Admission(name, endpoint, access, limits)
        self._breaker = Breaker()
        self._quiet_until = 0.0
        self.tells_digests = False

    @property
    def url(self) -> str:
        """The address that is asked, without a slash at its end."""
        return self._endpoint.base

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def permanent(self, found: str) -> Permanent:
        """Say what a person must change, without the secret."""
        return self._endpoint.permanent(found)

    def transient(self, found: str) -> Transient:
        """Say that the registry cannot be used now, without the secret."""
        return self._endpoint.transient(found)

    # --- content -----------------------------------------------------------------------------------------------------

    def find_manifest(self, repository: str, reference: str) -> bytes | None:
        """Read what a tag or a digest names; None where there is nothing (404)."""
        what = f"{repository}:{reference}"
        question = Question(path=f"/v2/{repository}/manifests/{reference}", headers={"accept": _ACCEPTED})
        answer = self._ask_for(what, repository, question)
        if answer.status == 404:
            return None
        self.require_ok(answer, f"show {what}")
        promised = answer.headers.get("docker-content-digest", "").strip()
        self.tells_digests = is_digest(promised)
        if promised.startswith("sha256:") and promised != digest_of(answer.body):
            raise self.permanent(f"sent a manifest of {what} that does not match its digest")
        return answer.body

    def peek_digest(self, repository: str, reference: str) -> Digest | None:
        """Ask only for the headers of what a tag or a digest names; None where they do not tell its digest.

        What they tell is a hint. None may also mean that there is nothing, or that no such request is answered.
        """
        question = Question(path=f"/v2/{repository}/manifests/{reference}", headers={"accept": _ACCEPTED})
        answer = self.ask(repository, question, headers_only=True)
        told = answer.headers.get("docker-content-digest", "").strip()
        return Digest(told) if answer.status == 200 and is_digest(told) else None

    def find_promised(self, repository: str, promise: Descriptor) -> bytes | None:
        """Read a manifest that was promised; None where it is gone (404)."""
        content = self.find_manifest(repository, promise.digest)
        return None if content is None else self._checked(repository, content, promise)

    def read_promised(self, repository: str, promise: Descriptor) -> bytes:
        """Read a manifest that was promised and must be there."""
        content = self.find_promised(repository, promise)
        if content is None:
            raise self.permanent(f"has no manifest {promise.digest} of {repository}, which it promised")
        return content

    def read_blob(self, repository: str, promise: Descriptor, *, most_bytes: int | None = None) -> bytes:
        """Read a blob that was promised, from the registry or where it redirects to."""
        what = f"{promise.digest} of {repository}"
        most = most_bytes if most_bytes is not None else self._limits.max_bytes
        if promise.size > most:
            raise self.permanent(f"has {what} with {promise.size} bytes, which is more than the {most} accepted")
        question = Question(
            path=f"/v2/{repository}/blobs/{promise.digest}", headers={"accept": "*/*"}, most_bytes=most_bytes
        )
        answer = self._ask_for(what, repository, question)
        if 300 <= answer.status < 400:
            answer = self._read_elsewhere(what, answer.headers.get("location", ""), most)
        self.require_ok(answer, f"show {what}")
        return self._checked(repository, answer.body, promise)

    def require_ok(self, answer: Answer, tried: str) -> None:
        """Raise what an answer that is no success means."""
        refused = refusal(self._endpoint, answer, tried=tried)
        if refused is not None:
            raise self._admission.strike(refused)

    def _checked(self, repository: str, content: bytes, promise: Descriptor) -> bytes:
        try:
            require_promised(content, promise)
        except BadManifest as error:
            raise self.permanent(f"sent for {repository} {error}") from error
        return content

    def _ask_for(self, what: str, repository: str, question: Question) -> Answer:
        """Ask for content; an answer that is too long is told with what it was for."""
        try:
            return self.ask(repository, question)
        except TooLong as error:
            raise TooLong(error.system, f"{error.sentence} for {what}") from error

    def _read_elsewhere(self, what: str, url: str, most_bytes: int) -> Answer:
        """Read a blob from the storage that a registry redirects to, without any credential, by https only."""
        scheme, name, _ = origin(url)
        if scheme != "https" or not name:
            raise self.permanent(f"redirects a blob to {show_url(url)}, which is not followed")
        parts = urlsplit(url)
        storage = Endpoint(system=SYSTEM, url=urlunsplit((scheme, parts.netloc.rpartition("@")[2], "", "", "")))
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        with HttpClient(storage, replace(self._limits, max_bytes=most_bytes)) as client:
            try:
                return client.read(Question(path=target))
            except TooLong as error:
                raise TooLong(error.system, f"{error.sentence} for {what}") from error

    # --- asking ------------------------------------------------------------------------------------------------------

    def ask(self, repository: str, question: Question, *, headers_only: bool = False) -> Answer:
        """Ask with what was let in before; if the registry wants to know more, tell it and ask once more."""
        kept = self._admission.kept(repository)
        answer = self._ask_as(question, kept, headers_only)
        if kept is not None and answer.status in (401, 403):
            # Some registries answer 403 when a password has run out, and only nobody is told how to be let in.
            self._admission.forget(repository)
            answer = answer if answer.status == 401 else self._ask_as(question, None, headers_only)
        if answer.status != 401:
            return answer
        refused = answer
        authorization = self._leaving_alone(lambda: self._admission.authorize(repository, refused))
        return answer if authorization is None else self._ask_as(question, authorization, headers_only)

    def _ask_as(self, question: Question, authorization: str | None, headers_only: bool) -> Answer:  # noqa: FBT001 - private
        headers = {**question.headers, **({"authorization": authorization} if authorization else {})}
        asked = replace(question, headers=headers)
        read = self._client.read_headers if headers_only else self._client.read
        return self._leaving_alone(lambda: read(asked))

    def _leaving_alone(self, call: Callable[[], T]) -> T:
        """Call, unless the registry asked to be left alone (429) or failed several times in a row just now."""
        left = self._quiet_until - time.monotonic()
        if left > 0:
            raise self._later(f"asked to slow down, so it is asked again in {left:.0f} s only", left)
        try:
            with self._breaker.call():
                return call()
        except LeftAlone as alone:
            found = f"failed {alone.failures} times in a row, so it is asked again in {alone.seconds:.0f} s only"
            raise self._later(found, alone.seconds) from alone
        except Transient as error:
            if error.retry_after:
                self._quiet_until = time.monotonic() + error.retry_after.total_seconds()
            raise

    def _later(self, found: str, seconds: float) -> Transient:
        return self._endpoint.transient(found, retry_after=timedelta(seconds=seconds))
