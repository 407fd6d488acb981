"""Refs, branches, commits, comparisons and files."""

from __future__ import annotations

import base64
from collections.abc import Callable

from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, invalid, not_found
from bot.lab.github.nouns import Protection
from bot.lab.github.pulls import refs_moved
from bot.lab.github.shapes import commits as show

_REPO = "/repos/{owner}/{repo}"
_MOST_COMMITS = 250


def _full_ref(call: Call) -> str:
    return f"refs/{call.parameters['ref']}"


def _ref(call: Call) -> Reply:
    name = _full_ref(call)
    sha = call.repository.bare.refs(name).get(name)
    if sha is None:
        raise not_found()
    return Reply(body=show.ref(call.world, call.repository, name, sha))


def _matching_refs(call: Call) -> Reply:
    prefix = _full_ref(call)
    found = [
        show.ref(call.world, call.repository, name, sha)
        for name, sha in call.repository.bare.refs().items()
        if name.startswith(prefix)
    ]
    page, headers = call.page(found)
    return Reply(body=page, headers=headers)


def _move(call: Call, change: Callable[[], None]) -> None:
    before = call.repository.bare.branches()
    change()
    refs_moved(call.world, call.repository, before, call.actor)


def _refuse_protected(call: Call, ref: str) -> None:
    protection = call.repository.protections.get(ref.removeprefix("refs/heads/"))
    if protection is None or call.actor.login in protection.may_push:
        return
    if protection.demands_pull_request:
        raise invalid(message="Changes must be made through a pull request.")
    if protection.required_contexts:
        raise invalid(message=f'Required status check "{protection.required_contexts[0]}" is expected.')


def _create_ref(call: Call) -> Reply:
    bare = call.repository.bare
    ref, sha = call.required("ref", "Reference"), call.required("sha", "Reference")
    if not ref.startswith("refs/") or not bare.is_valid_ref(ref):
        raise invalid(message="Reference name is not valid")
    if ref in bare.refs(ref):
        raise invalid(message="Reference already exists")
    if bare.ask("cat-file", "-t", sha) != "commit":
        raise invalid(message="Object does not exist")
    _move(call, lambda: bare.set_ref(ref, sha))
    body = show.ref(call.world, call.repository, ref, sha)
    return Reply(body=body, status=201, headers={"Location": str(body["url"])})


def _update_ref(call: Call) -> Reply:
    bare, ref, sha = call.repository.bare, _full_ref(call), call.required("sha", "Reference")
    old = bare.refs(ref).get(ref)
    if old is None:
        raise invalid(message="Reference does not exist")
    if bare.ask("cat-file", "-t", sha) != "commit":
        raise invalid(message="Object does not exist")
    _refuse_protected(call, ref)
    if call.body.get("force") is not True and not bare.is_ancestor(old, sha):
        raise invalid(message="Update is not a fast forward")
    _move(call, lambda: bare.set_ref(ref, sha))
    return Reply(body=show.ref(call.world, call.repository, ref, sha))


def _delete_ref(call: Call) -> Reply:
    bare, ref = call.repository.bare, _full_ref(call)
    if ref not in bare.refs(ref):
        raise invalid(message="Reference does not exist")
    if ref.removeprefix("refs/heads/") in call.repository.protections:
        raise invalid(message="Cannot delete protected branch")
    if ref == f"refs/heads/{call.repository.default_branch}":
        raise invalid(message="Cannot delete the default branch")
    _move(call, lambda: bare.delete_ref(ref))
    return Reply(status=204)


# --- branches --------------------------------------------------------------------------------------------------------


def _branches(call: Call) -> Reply:
    wanted = {"true": True, "false": False}.get(call.query.get("protected", ""))
    found = [
        show.short_branch(call.world, call.repository, name, sha)
        for name, sha in call.repository.bare.branches().items()
        if wanted is None or (name in call.repository.protections) == wanted
    ]
    page, headers = call.page(found)
    return Reply(body=page, headers=headers)


def _branch_head(call: Call) -> tuple[str, str]:
    name = call.parameters["branch"]
    sha = call.repository.bare.branches().get(name)
    if sha is None:
        raise Refusal(404, "Branch not found")
    return name, sha


def _branch(call: Call) -> Reply:
    name, sha = _branch_head(call)
    return Reply(body=show.branch(call.world, call.repository, name, sha))


def _classic(call: Call) -> tuple[str, Protection]:
    name, _ = _branch_head(call)
    protection = call.repository.protections.get(name)
    if protection is None or protection.ruleset:
        raise Refusal(404, "Branch not protected")
    return name, protection


def _protection(call: Call) -> Reply:
    name, protection = _classic(call)
    return Reply(body=show.protection(call.world, call.repository, name, protection))


def _rules(call: Call) -> Reply:
    protection = call.repository.protections.get(call.parameters["branch"])
    found = [] if protection is None or not protection.ruleset else show.rules(call.repository, protection)
    page, headers = call.page(found)
    return Reply(body=page, headers=headers)


# --- commits ---------------------------------------------------------------------------------------------------------


def resolved(call: Call, name: str) -> str:
    """Return the commit that a path or query names; refuse in GitHub's words."""
    sha = call.repository.bare.resolve(name)
    if sha is None:
        raise invalid(message=f"No commit found for SHA: {name}")
    return sha


def _commit(call: Call) -> Reply:
    one = call.repository.bare.commit(resolved(call, call.parameters["ref"]))
    return Reply(body=show.whole_commit(call.world, call.repository, one))


def _commits(call: Call) -> Reply:
    start = call.repository.bare.resolve(call.query.get("sha", call.repository.default_branch))
    if start is None:
        raise not_found()
    arguments = [f"--{name}={call.query[name]}" for name in ("since", "until", "author") if name in call.query]
    paths = [call.query["path"]] if "path" in call.query else []
    found = call.repository.bare.commits(*arguments, start, paths=paths)
    page, headers = call.page(found)
    return Reply(body=[show.commit(call.world, call.repository, one) for one in page], headers=headers)


def _compare(call: Call) -> Reply:
    bare = call.repository.bare
    named = call.parameters["basehead"].split("...")
    if len(named) != 2:
        raise not_found()
    base, head = (bare.resolve(name.rpartition(":")[2]) for name in named)
    if base is None or head is None:
        raise not_found()
    fork = bare.merge_base(base, head)
    if fork is None:
        raise Refusal(404, f"No common ancestor between {named[0]} and {named[1]}.")
    return Reply(body=_comparison(call, base, head, fork))


def _comparison(call: Call, base: str, head: str, fork: str) -> Json:
    bare, repo = call.repository.bare, call.repository
    ahead = bare.commits("--reverse", "--topo-order", f"{base}..{head}")
    behind = len(bare.commits(f"{head}..{base}"))
    status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
    web = f"{call.world.url}/{repo.full_name}/compare/{base}...{head}"
    page, _ = call.page(ahead) if "page" in call.query or "per_page" in call.query else (ahead[:_MOST_COMMITS], {})
    return {
        "url": f"{call.world.api}/repos/{repo.full_name}/compare/{base}...{head}",
        "html_url": web,
        "permalink_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "base_commit": show.commit(call.world, repo, bare.commit(base)),
        "merge_base_commit": show.commit(call.world, repo, bare.commit(fork)),
        "status": status.get((bool(ahead), bool(behind)), "identical"),
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "commits": [show.commit(call.world, repo, one) for one in page],
        "files": [show.file_change(call.world, repo, change, head) for change in bare.changes(fork, head)],
    }


# --- files -----------------------------------------------------------------------------------------------------------


def _contents(call: Call) -> Reply:
    bare, repo = call.repository.bare, call.repository
    at, path = call.query.get("ref", repo.default_branch), call.parameters["path"].strip("/")
    commit = bare.resolve(at)
    if commit is None:
        raise Refusal(404, f"No commit found for the ref {at}")
    entries = bare.entries(commit, path)
    if entries is not None:
        return Reply(body=[_entry(call, f"{path}/{row[4]}".lstrip("/"), at, row) for row in entries])
    data = bare.blob(commit, path)
    if data is None:
        raise not_found()
    sha = bare.run("rev-parse", f"{commit}:{path}").decode().strip()
    shown = show.content(call.world, repo, show.Entry(path=path, at=at, sha=sha, size=len(data), kind="file"))
    return Reply(body={**shown, "content": base64.encodebytes(data).decode(), "encoding": "base64"})


def _entry(call: Call, path: str, at: str, row: tuple[str, str, str, int, str]) -> Json:
    _, kind, sha, size, _ = row
    word = "file" if kind == "blob" else "dir"
    return show.content(call.world, call.repository, show.Entry(path=path, at=at, sha=sha, size=size, kind=word))


ENDPOINTS = (
    Endpoint(method="GET", path=_REPO + "/git/ref/{ref:path}", handle=_ref, needs="contents:read"),
    Endpoint(method="GET", path=_REPO + "/git/matching-refs/{ref:path}", handle=_matching_refs, needs="contents:read"),
    Endpoint(method="POST", path=_REPO + "/git/refs", handle=_create_ref, needs="contents:write"),
    Endpoint(method="PATCH", path=_REPO + "/git/refs/{ref:path}", handle=_update_ref, needs="contents:write"),
    Endpoint(method="DELETE", path=_REPO + "/git/refs/{ref:path}", handle=_delete_ref, needs="contents:write"),
    Endpoint(method="GET", path=_REPO + "/branches", handle=_branches, needs="contents:read"),
    Endpoint(
        method="GET",
        path=_REPO + "/branches/{branch:path}/protection",
        handle=_protection,
        needs="administration:read",
    ),
    Endpoint(method="GET", path=_REPO + "/branches/{branch:path}", handle=_branch, needs="contents:read"),
    Endpoint(method="GET", path=_REPO + "/rules/branches/{branch:path}", handle=_rules),
    Endpoint(method="GET", path=_REPO + "/commits", handle=_commits, needs="contents:read"),
    Endpoint(method="GET", path=_REPO + "/compare/{basehead:path}", handle=_compare, needs="contents:read"),
    Endpoint(method="GET", path=_REPO + "/contents/{path:path}", handle=_contents, needs="contents:read"),
)
LAST = (Endpoint(method="GET", path=_REPO + "/commits/{ref:path}", handle=_commit, needs="contents:read"),)
"""A ref may hold slashes, so that this template also matches what stands below a commit: it is tried last."""
