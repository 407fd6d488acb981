"""One REST call: who asks, what for, and the answer. Endpoints are functions from `Call` to `Reply`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bot.lab.github.nouns import Account, Credential, Pull
from bot.lab.github.world import Repository, World

Json = dict[str, object]
_T = TypeVar("_T")
_DOCS = "https://docs.github.com/rest"


class Refusal(Exception):
    """GitHub's answer to a call that it does not fulfil."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.body: Json = {"message": message, **more, "documentation_url": _DOCS, "status": str(status)}


def not_found() -> Refusal:
    """What does not exist, or what the caller may not know of."""
    return Refusal(404, "Not Found")


def invalid(*errors: Json | str, message: str = "Validation Failed") -> Refusal:
    """Refuse a well-formed request whose values cannot be: 422 with GitHub's error objects."""
    return Refusal(422, message, errors=list(errors)) if errors else Refusal(422, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A fulfilled call's answer; `body` None means an empty one."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that passed authentication. `repo` is set for paths below a repository that the caller may see."""

    world: World
    credential: Credential | None
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    bearer: str = ""
    repo: Repository | None = None

    @property
    def repository(self) -> Repository:
        """The repository of the path."""
        if self.repo is None:
            raise not_found()
        return self.repo

    @property
    def actor(self) -> Account:
        """Who asks; refuse where nobody is logged in."""
        if self.credential is None:
            raise Refusal(401, "Requires authentication")
        return self.credential.account

    def number(self, name: str) -> int:
        """Return a numeric part of the path."""
        value = self.parameters[name]
        if not value.isascii() or not value.isdigit():
            raise not_found()
        return int(value)

    def pull(self) -> Pull:
        """Return the pull request of the path."""
        found = self.repository.pulls.get(self.number("number"))
        if found is None:
            raise not_found()
        return found

    def text(self, name: str) -> str | None:
        """Return an optional string of the body; refuse any other type."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(message=f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def required(self, name: str, resource: str) -> str:
        """Return a string of the body that must be there."""
        value = self.text(name)
        if not value:
            raise invalid({"resource": resource, "field": name, "code": "missing_field"})
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of strings of the body; empty if it is not there."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid(message=f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not an array.")
        return [str(one) for one in value]

    def numbers(self, name: str) -> list[int]:
        """Return a list of numbers of the body; empty if it is not there."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(type(one) is int for one in value):
            raise invalid(message=f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not an array.")
        return [int(one) for one in value]

    def page(self, items: Sequence[_T]) -> tuple[list[_T], dict[str, str]]:
        """Cut out the page that was asked for, with the Link header that leads to the others."""
        size = min(max(_count(self.query.get("per_page"), 30), 1), 100)
        page = max(_count(self.query.get("page"), 1), 1)
        last = max(1, -(-len(items) // size))
        links = []
        if page > 1:
            links += [self._link(page - 1, "prev"), self._link(1, "first")]
        if page < last:
            links += [self._link(page + 1, "next"), self._link(last, "last")]
        headers = {"Link": ", ".join(links)} if links else {}
        return list(items[(page - 1) * size : page * size]), headers

    def _link(self, page: int, relation: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in {**self.query, "page": str(page)}.items())
        return f'<{self.world.api}{self.path}?{query}>; rel="{relation}"'


def _count(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path template. `needs` names the app permission, `area:level`; empty for none.

    Areas are those of GitHub Apps (`contents`, `pull_requests`, `issues`, `statuses`, `checks`, `administration`).
    """

    method: str
    path: str
    handle: Callable[[Call], Reply]
    needs: str = "metadata:read"
    login: bool = True
