"""What a repository's and an organisation's settings say: webhooks, and who is in a team."""

from __future__ import annotations

from bot.lab.github.access import may
from bot.lab.github.call import Call, Endpoint, Refusal, Reply, not_found
from bot.lab.github.shapes import deployments as show

_TEAM = "/orgs/{org}/teams/{slug}/memberships/{username}"


def _webhooks(call: Call) -> Reply:
    credential = call.credential
    if credential is None or not may(call.world, credential, call.repository, "repository_hooks:read"):
        if credential is not None and credential.app is not None:
            raise Refusal(403, "Resource not accessible by integration")
        raise not_found()  # so GitHub answers whoever does not administer the repository
    page, headers = call.page(call.repository.webhooks)
    return Reply(body=[show.webhook(call.world, call.repository, one) for one in page], headers=headers)


def _membership(call: Call) -> Reply:
    organization, slug, login = (call.parameters[name] for name in ("org", "slug", "username"))
    credential, members = call.credential, call.world.team(organization, slug)
    if credential is None:
        raise Refusal(401, "Requires authentication")
    if credential.app is not None and (credential.permissions or {}).get("members", "none") == "none":
        raise Refusal(403, "Resource not accessible by integration")
    role = None if members is None else members.get(login.lower())
    if role is None:
        raise not_found()
    url = f"{call.world.api}/orgs/{organization}/teams/{slug}/memberships/{login}"
    return Reply(body={"url": url, "role": role, "state": "active"})


ENDPOINTS = (
    Endpoint(method="GET", path="/repos/{owner}/{repo}/hooks", handle=_webhooks),
    Endpoint(method="GET", path=_TEAM, handle=_membership, needs=""),
)
