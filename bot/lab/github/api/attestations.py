"""Attestations by the digest of what they are about."""

from __future__ import annotations

import json

from bot.lab.github.attestations import address_of
from bot.lab.github.call import Call, Endpoint, Json, Reply, not_found
from bot.lab.github.nouns import Attestation

_BY_DIGEST = "/repos/{owner}/{repo}/attestations/{digest}"


def _list(call: Call) -> Reply:
    """List one page. Pages follow by a cursor: the number of the last one that was told."""
    found = [one for one in call.repository.attestations if one.subject == call.parameters["digest"]]
    if not found:
        raise not_found()
    told, after, asked = [str(one.id) for one in found], call.query.get("after", ""), call.query.get("per_page", "")
    begin = told.index(after) + 1 if after in told else 0
    size = min(max(int(asked), 1), 100) if asked.isdigit() else 30
    page = found[begin : begin + size]
    headers = {}
    if begin + size < len(found):
        link = f"{call.world.api}{call.path}?per_page={size}&after={page[-1].id}"
        headers["Link"] = f'<{link}>; rel="next"'
    return Reply(body={"attestations": [_shown(call, one) for one in page]}, headers=headers)


def _shown(call: Call, one: Attestation) -> Json:
    """GitHub's `attestation`. Since version 2026-03-10 it has no `bundle`; github.com tells null in older ones, too."""
    bundle: Json = {"bundle": json.loads(one.bundle)} if one.is_inline else {}
    address = address_of(call.world, call.repository, one)
    return {"repository_id": call.repository.id, "bundle_url": address, "initiator": "user", **bundle}


ENDPOINTS = (Endpoint(method="GET", path=_BY_DIGEST, handle=_list, needs="attestations:read"),)
