"""What a repository's settings say: its webhooks."""

from __future__ import annotations

from bot.lab.github.access import may
from bot.lab.github.call import Call, Endpoint, Refusal, Reply, not_found
from bot.lab.github.shapes import deployments as show


def _webhooks(call: Call) -> Reply:
    credential = call.credential
    if credential is None or not may(call.world, credential, call.repository, "repository_hooks:read"):
        if credential is not None and credential.app is not None:
            raise Refusal(403, "Resource not accessible by integration")
        raise not_found()  # so GitHub answers whoever does not administer the repository
    page, headers = call.page(call.repository.webhooks)
    return Reply(body=[show.webhook(call.world, call.repository, one) for one in page], headers=headers)


ENDPOINTS = (Endpoint(method="GET", path="/repos/{owner}/{repo}/hooks", handle=_webhooks),)
