"""Trees and commits of the Git database: objects that stand on no branch until somebody moves a ref.

A commit of an app's installation that names no author, committer or signature is signed by GitHub and shown as
verified; so it is here, by a signature that only this lab takes for one.

Not here, because the bot never asks for it: entries that name a subtree or a submodule (422), and signatures of the
caller's own, which are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.lab.github.call import Call, Endpoint, Refusal, Reply, invalid
from bot.lab.github.git import Commit, Person, Signature, TreeEntry
from bot.lab.github.merging import person
from bot.lab.github.sealing import sealed
from bot.lab.github.shapes import objects as show

_REPO = "/repos/{owner}/{repo}"
_FILE_MODES = frozenset({"100644", "100755", "120000"})
_OTHER_MODES = frozenset({"040000", "160000"})
_OWN_WORDS = frozenset({"author", "committer", "signature"})
_CONTENT_OR_SHA = "Must supply either tree.sha or tree.content. Request will be rejected if both are present."

# --- trees -----------------------------------------------------------------------------------------------------------


def _create_tree(call: Call) -> Reply:
    bare, base = call.repository.bare, call.text("base_tree")
    if base is not None and bare.kind(base) != "tree":
        raise invalid(message="base_tree is not a valid tree oid")
    wanted = call.body.get("tree")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        raise invalid(message="Invalid tree info")
    sha = bare.change_tree(base, [_entry(call, base, one) for one in wanted])
    body = show.git_tree(call.world, call.repository, sha)
    return Reply(body=body, status=201, headers={"Location": str(body["url"])})


def _entry(call: Call, base: str | None, one: Mapping[str, object]) -> TreeEntry:
    path, mode = _checked_path(one.get("path")), one.get("mode")
    if not isinstance(mode, str) or mode not in _FILE_MODES | _OTHER_MODES:
        raise invalid(message="Must supply a valid tree.mode")
    if "sha" in one and one["sha"] is None and "content" not in one:
        return _deletion(call, base, path, mode)
    if mode in _OTHER_MODES:
        raise invalid(message="A subdirectory may not have content")
    return TreeEntry(path=path, mode=mode, sha=_blob(call, one))


def _checked_path(path: object) -> str:
    if not isinstance(path, str) or not path:
        raise invalid(message="Must supply a valid tree.path")
    if path.startswith("/"):
        raise invalid(message="tree.path cannot start with a slash")
    if "\0" in path or any(part.lower() in ("", ".", "..", ".git") for part in path.split("/")):
        raise invalid(message="tree.path contains a malformed path component")
    return path


def _deletion(call: Call, base: str | None, path: str, mode: str) -> TreeEntry:
    if base is None or call.repository.bare.blob(base, path) is None:
        raise invalid(message="GitRPC::BadObjectState")
    return TreeEntry(path=path, mode=mode, sha=None)


def _blob(call: Call, one: Mapping[str, object]) -> str:
    content, sha = one.get("content"), one.get("sha")
    if (content is None) == (sha is None):
        raise invalid(message=_CONTENT_OR_SHA)
    if isinstance(content, str):
        return call.repository.bare.write_blob(content)
    if not isinstance(sha, str) or call.repository.bare.kind(sha) != "blob":
        raise invalid(message=f"tree.sha {sha} is not a valid blob")
    return sha


# --- commits ---------------------------------------------------------------------------------------------------------


def _create_commit(call: Call) -> Reply:
    bare = call.repository.bare
    message, tree = call.required("message", "Commit"), call.required("tree", "Commit")
    if bare.kind(tree) != "tree":
        raise invalid(message="Tree SHA does not exist")
    parents = call.texts("parents")
    if not all(bare.kind(parent) == "commit" for parent in parents):
        raise invalid(message="Parent SHA does not exist or is not a commit object")
    sha = bare.write_commit(tree, parents, message, _signature(call))
    body = show.git_commit(call.world, call.repository, _sealed(call, sha))
    return Reply(body=body, status=201, headers={"Location": str(body["url"])})


def _signature(call: Call) -> Signature:
    """Take what is given; else the caller wrote it now, and who wrote it committed it."""
    author, authored_at = _named(call, "author", (person(call.actor), call.world.now()))
    committer, at = _named(call, "committer", (author, authored_at))
    return Signature(author=author, committer=committer, at=at, authored_at=authored_at)


def _named(call: Call, field: str, otherwise: tuple[Person, datetime]) -> tuple[Person, datetime]:
    given = call.body.get(field)
    if given is None:
        return otherwise
    name, email = (given.get("name"), given.get("email")) if isinstance(given, dict) else (None, None)
    if not isinstance(given, dict) or not isinstance(name, str) or not isinstance(email, str):
        raise invalid({"resource": "Commit", "field": field, "code": "invalid"})
    return Person(name=name, email=email), _instant(given.get("date"), call.world.now())


def _instant(given: object, otherwise: datetime) -> datetime:
    if given is None:
        return otherwise
    try:
        found = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise Refusal(422, f"Invalid request.\n\n{given!r} is not a date/time.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sealed(call: Call, sha: str) -> Commit:
    """Return the commit, signed if it is an app's own."""
    bare = call.repository.bare
    if call.credential is None or call.credential.app is None or _OWN_WORDS & call.body.keys():
        return bare.commit(sha)
    return bare.commit(sealed(call.world, call.repository, sha))


ENDPOINTS = (
    Endpoint(method="POST", path=_REPO + "/git/trees", handle=_create_tree, needs="contents:write"),
    Endpoint(method="POST", path=_REPO + "/git/commits", handle=_create_commit, needs="contents:write"),
)
