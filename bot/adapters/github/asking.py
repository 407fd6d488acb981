"""What can be asked of GitHub, as values: a read, a query, a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.adapters.github.budget import CREATE, MUTATION, WRITE, Cost, Right
from bot.forge import Urgency

GRAPHQL = "GRAPHQL"
"""The verb of a write that is a GraphQL mutation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A GET. `tried` is a verb phrase for messages: what the bot asked GitHub to do.

    Where it is `of_attestations`, a token that may read these asks, and no other does.
    """

    path: str
    tried: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    right: Right = Right.READ
    of_attestations: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A GraphQL query. Values from outside stand in `variables`, never in `document`."""

    document: str
    tried: str
    variables: Mapping[str, object] = field(default_factory=dict)
    right: Right = Right.READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A request that changes something: REST, or a GraphQL mutation where `verb` is GRAPHQL and `path` the document."""

    verb: str
    path: str
    tried: str
    body: object = None
    urgency: Urgency = Urgency.TELL
    creates_content: bool = False

    @property
    def cost(self) -> Cost:
        """What the write costs."""
        if self.verb == GRAPHQL:
            return MUTATION if not self.creates_content else replace(MUTATION, content=1)
        return CREATE if self.creates_content else WRITE
