"""What methods of `GitHubLab` take by name, where it is more than a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from bot.lab.github.nouns import MergeQueue


class MishapOptions(TypedDict, total=False):
    """How an answer fails; see `GitHubLab.fail_next`."""

    times: int
    after_write: bool
    body: object
    headers: Mapping[str, str]


class Demands(TypedDict, total=False):
    """What a protected branch demands; see `GitHubLab.protect`."""

    required_contexts: Sequence[str]
    required_approvals: int
    restrict_pushes: bool
    may_push: Sequence[str]
    strict: bool
    dismiss_stale_reviews: bool
    ruleset: bool
    integrations: Mapping[str, int]
    merge_queue: MergeQueue


class AppOptions(TypedDict, total=False):
    """What a GitHub App is; see `GitHubLab.add_app`."""

    owner: str
    slug: str
    permissions: Mapping[str, str]
    repositories: Sequence[str]
    events: Sequence[str]
    webhook_url: str
    webhook_secret: str
