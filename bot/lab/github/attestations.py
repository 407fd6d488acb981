"""Attestations that are handed in, and the storage where their bundles are: packed, behind addresses that expire."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cramjam import snappy
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.domain.model import Digest
from bot.lab.github.nouns import Attestation
from bot.lab.github.world import Repository, World

_SIGNED_FOR = timedelta(hours=1)
_SECRET = b"only this storage knows it"


def keep_attestation(
    world: World, repository: str, subject: Digest, bundle: bytes, *, is_inline: bool = False
) -> Attestation:
    """Keep a bundle as an attestation of `subject`, whatever it says itself; the newest is listed first."""
    with world.lock:
        made = Attestation(
            id=world.new_id(), subject=subject, bundle=bundle, created_at=world.now(), is_inline=is_inline
        )
        world.repository(repository).attestations.insert(0, made)
        return made


def address_of(world: World, repository: Repository, one: Attestation) -> str:
    """Return the address of a bundle, which is good for an hour."""
    path = f"/attestations/{repository.id}/{one.id}.json.sn"
    until = int((world.now() + _SIGNED_FOR).timestamp())
    return f"{world.url}{path}?{urlencode({'se': until, 'sig': _signature(path, str(until))})}"


def _signature(path: str, until: str) -> str:
    return hmac.new(_SECRET, f"{path}\n{until}".encode(), hashlib.sha256).hexdigest()


class BundleBlobs:
    """The storage of one world's bundles. Nobody needs a token there, and nobody gets in without a signed address."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the one route that there is."""
        return [Route("/attestations/{repository:int}/{number:int}.json.sn", self._blob, methods=["GET"])]

    async def _blob(self, request: Request) -> Response:
        until, signature = request.query_params.get("se", ""), request.query_params.get("sig", "")
        with self._world.lock:
            is_signed = hmac.compare_digest(signature.encode(), _signature(request.url.path, until).encode())
            if not is_signed or datetime.fromtimestamp(int(until), UTC) <= self._world.now():
                return PlainTextResponse("AuthenticationFailed", 403)
            number = request.path_params["number"]
            kept = (one for repository in self._world.repositories.values() for one in repository.attestations)
            found = next((one for one in kept if one.id == number), None)
            if found is None:
                return PlainTextResponse("BlobNotFound", 404)
            return Response(bytes(snappy.compress_raw(found.bundle)), media_type="application/x-snappy")
