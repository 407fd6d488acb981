"""The port `Merging` at GitHub: merge at once, arm auto-merge, or enqueue, always with the head that was checked.

Every road is conditional on the head on GitHub's side. After an unclear answer, and after every refusal, the state is
read first: what was merged at that head is merged, whoever said no (I15).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.adapters.github.answers import SYSTEM, Refused
from bot.adapters.github.asking import GRAPHQL, Query, Read, Write
from bot.adapters.github.budget import Right
from bot.adapters.github.clients import Clients
from bot.adapters.github.documents import STATE, mutation
from bot.adapters.github.looks import Looks
from bot.adapters.github.names import check_repository, path_part
from bot.adapters.github.nodes import Node
from bot.adapters.github.refusals import Obstacle, meaning_of, read_obstacle
from bot.adapters.github.texts import cut_title
from bot.domain.model import Sha
from bot.domain.pulls import MergeMethod, MergeRoad, Pull, PullState
from bot.forge import MergeOrder, Urgency
from bot.ports import Conflict, Transient

T = TypeVar("T")

_LOOKS_AT_ASYNC = 5
_PAUSE_OF_ASYNC = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeState:
    """What counts of a pull request around a merge."""

    node_id: str
    state: PullState
    head: Sha
    is_armed: bool
    is_queued: bool
    merge_commit: Sha | None


@dataclass(frozen=True, slots=True)
class _Merged:
    """The end of a merge: the commit, or None where it is to come."""

    commit: Sha | None


class GitHubMerging:
    """Merges of GitHub's pull requests. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._looks = Looks(clients)

    def look_again(self, repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        """Read one pull request as it is at this moment."""
        check_repository(repository)
        return self._looks.look_again(repository, number, _right(urgency))

    def merge_promotion(self, repository: str, order: MergeOrder) -> Sha | None:
        """Merge by the order's road."""
        check_repository(repository)
        roads = {MergeRoad.NOW: self._merge_now, MergeRoad.ARM: self._arm, MergeRoad.QUEUE: self._enqueue}
        try:
            return roads[order.road](repository, order).commit
        except Refused as refused:
            done = self._after(repository, order)
            if done is not None:
                return done.commit
            raise meaning_of(refused, _name(repository, order.number)) from refused

    # --- at once ---

    def _merge_now(self, repository: str, order: MergeOrder) -> _Merged:
        try:
            return self._merge_by(repository, order, "merge", self._parse_merge)
        except Refused as refused:
            if read_obstacle(refused.said) is not Obstacle.ASYNC_ONLY:
                raise
        started = self._merge_by(repository, order, "merge-async", _parse_async)
        return started if isinstance(started, _Merged) else self._follow(repository, order, started)

    def _merge_by(self, repository: str, order: MergeOrder, way: str, parse: Callable[[object], T]) -> T | _Merged:
        body = {"sha": order.head, "merge_method": order.method.value}
        if order.method is not MergeMethod.REBASE:
            body |= {"commit_title": cut_title(order.text.title), "commit_message": order.text.message}
        write = Write(
            verb="PUT",
            path=f"/repos/{repository}/pulls/{order.number}/{way}",
            tried=f"merge {_name(repository, order.number)}",
            body=body,
            urgency=order.urgency,
            # GitHub counts a merge among what creates content, since people are told of it.
            creates_content=True,
        )
        look: Callable[[], T | _Merged | None] = lambda: self._after(repository, order)  # noqa: E731  (typed)
        send: Callable[[object], T | _Merged] = parse
        return self._clients.write_once(repository, write, send, look=look)

    def _parse_merge(self, answer: object) -> _Merged:
        node = Node(answer)
        if not node.flag("merged"):
            said = node.maybe_text("message") or "it was not merged"
            raise Refused(f"GitHub refused to merge: {said}", status=405, said=said)
        return _Merged(node.sha("sha"))

    def _follow(self, repository: str, order: MergeOrder, uuid: str) -> _Merged:
        """Look at an asynchronous merge a few times; one that takes longer is found by the next sweep."""
        name = _name(repository, order.number)
        read = Read(
            path=f"/repos/{repository}/pulls/{order.number}/merge-async/{path_part(uuid)}",
            tried=f"follow the merge of {name}",
            right=_right(order.urgency),
        )
        for _ in range(_LOOKS_AT_ASYNC):
            self._clients.pacing.sleep(_PAUSE_OF_ASYNC)
            found = self._clients.read(repository, read, _parse_async)
            if isinstance(found, _Merged):
                return found
        return _Merged(None)

    # --- by the forge ---

    def _arm(self, repository: str, order: MergeOrder) -> _Merged:
        def asked(state: MergeState) -> dict[str, object]:
            text = {"commitHeadline": cut_title(order.text.title), "commitBody": order.text.message}
            return {
                "pullRequestId": state.node_id,
                "expectedHeadOid": order.head,
                "mergeMethod": order.method.name,
                **({} if order.method is MergeMethod.REBASE else text),
            }

        return self._hand_over(repository, order, "enablePullRequestAutoMerge", asked)

    def _enqueue(self, repository: str, order: MergeOrder) -> _Merged:
        def asked(state: MergeState) -> dict[str, object]:
            return {"pullRequestId": state.node_id, "expectedHeadOid": order.head}

        return self._hand_over(repository, order, "enqueuePullRequest", asked)

    def _hand_over(
        self, repository: str, order: MergeOrder, name: str, asked: Callable[[MergeState], dict[str, object]]
    ) -> _Merged:
        """Let GitHub merge when all is there; one that is handed over already stays so."""
        state = self._state(repository, order.number, _right(order.urgency))
        done = _end_of(state, order, repository)
        if done is not None:
            return done
        write = Write(
            verb=GRAPHQL,
            path=mutation(name),
            tried=f"merge {_name(repository, order.number)}",
            body=asked(state),
            urgency=order.urgency,
        )
        return self._clients.write_once(
            repository, write, lambda _: _Merged(None), look=lambda: self._after(repository, order)
        )

    def disarm(self, repository: str, number: int) -> None:
        """Take back auto-merge and a place in the queue."""
        check_repository(repository)
        state = self._state(repository, number)
        if state.is_armed:
            self._take_back(repository, number, "disablePullRequestAutoMerge", {"pullRequestId": state.node_id})
        if state.is_queued:
            self._take_back(repository, number, "dequeuePullRequest", {"id": state.node_id})

    def _take_back(self, repository: str, number: int, name: str, body: dict[str, object]) -> None:
        tried = f"take back the merge of {_name(repository, number)}"
        write = Write(verb=GRAPHQL, path=mutation(name), tried=tried, body=body, urgency=Urgency.MERGE)

        def look() -> bool | None:
            state = self._state(repository, number)
            is_there = state.is_armed if name == "disablePullRequestAutoMerge" else state.is_queued
            return None if is_there else True

        try:
            self._clients.write_once(repository, write, lambda _: True, look=look)
        except Refused:
            if look() is None:
                raise

    # --- the state ---

    def _after(self, repository: str, order: MergeOrder) -> _Merged | None:
        return _end_of(self._state(repository, order.number, _right(order.urgency)), order, repository)

    def _state(self, repository: str, number: int, right: Right = Right.VITAL) -> MergeState:
        owner, _, name = repository.partition("/")
        query = Query(
            document=STATE,
            tried=f"look at {_name(repository, number)}",
            variables={"owner": owner, "name": name, "number": number},
            right=right,
        )
        return self._clients.query(repository, query, _parse_state)


def _right(urgency: Urgency) -> Right:
    """Return the right of the reads around a merge: those of a rollback may use what is kept for it."""
    return Right.ROLLBACK if urgency is Urgency.ROLLBACK else Right.VITAL


def _end_of(state: MergeState, order: MergeOrder, repository: str) -> _Merged | None:
    """Return the end of an order if it was done, None if it still may be; `Conflict` if things have moved."""
    name = _name(repository, order.number)
    if state.head != order.head:
        raise Conflict(SYSTEM, f"{name} is at {state.head[:12]} now, not at the checked {order.head[:12]}: look again")
    if state.state is PullState.MERGED:
        if state.merge_commit is None:
            raise Transient(SYSTEM, f"{name} is merged, but GitHub does not say as which commit yet")
        return _Merged(state.merge_commit)
    if state.state is PullState.CLOSED:
        raise Conflict(SYSTEM, f"{name} was closed without being merged: look again")
    is_done = {MergeRoad.ARM: state.is_armed, MergeRoad.QUEUE: state.is_queued}.get(order.road, False)
    return _Merged(None) if is_done else None


def _parse_state(data: Node) -> MergeState:
    pull = data.node("repository").node("pullRequest")
    state = PullState[pull.text("state")]
    commit = pull.maybe_node("mergeCommit") if state is PullState.MERGED else None
    return MergeState(
        node_id=pull.text("id"),
        state=state,
        head=pull.sha("headRefOid"),
        is_armed=pull.maybe_node("autoMergeRequest") is not None,
        is_queued=pull.flag("isInMergeQueue"),
        merge_commit=None if commit is None else commit.sha("oid"),
    )


def _parse_async(answer: object) -> _Merged | str:
    """Read the state of an asynchronous merge: its end, or the name by which it is followed."""
    node = Node(answer)
    status, details = node.text("status"), node.node("details")
    if status == "merged":
        return _Merged(details.sha("sha"))
    if status == "enqueued":
        return _Merged(None)
    if status == "pending":
        return details.text("uuid")
    said = details.text("message")
    raise Refused(f"GitHub refused to merge: {said}", status=409, said=said)


def _name(repository: str, number: int) -> str:
    return f"pull request #{number} of {repository}"
