"""Lists as GitHub pages them: `first` or `last` up to 100, `after` or `before` a cursor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bot.lab.github.graph.view import Field, GraphRefusal, Shape

_T = TypeVar("_T")
_MOST = 100
_CURSOR = "cursor:v2:"


def connection(
    name: str, find: Callable[..., Sequence[_T]], show: Callable[[_T], Shape], more: Mapping[str, object] | None = None
) -> Field:
    """Return a field that pages a list. `find` takes the arguments that choose and order, and answers with all.

    `more` holds what this connection tells beside what all do; of the same name it is told instead.
    """

    def resolved(
        _: object,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
        **chosen: object,
    ) -> Shape:
        items = find(**chosen)
        start, end = _bounds(name, len(items), (first, last), (after, before))
        edges: list[Shape] = [
            {"cursor": _cursor(start + index), "node": show(one)} for index, one in enumerate(items[start:end])
        ]
        return {
            "edges": edges,
            "nodes": [edge["node"] for edge in edges],
            "totalCount": len(items),
            "filteredCount": len(items),
            "pageInfo": _page(edges, start, end, len(items)),
            **(more or {}),
        }

    return resolved


def _bounds(
    name: str, total: int, sizes: tuple[int | None, int | None], cursors: tuple[str | None, str | None]
) -> tuple[int, int]:
    first, last = sizes
    if first is None and last is None:
        said = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise GraphRefusal("MISSING_PAGINATION_BOUNDARIES", said)
    for word, size in (("first", first), ("last", last)):
        if size is not None and size > _MOST:
            said = (
                f"Requesting {size} records on the `{name}` connection exceeds the `{word}` limit of {_MOST} records."
            )
            raise GraphRefusal("EXCESSIVE_PAGINATION", said)
    start = 0 if cursors[0] is None else _position(cursors[0]) + 1
    end = total if cursors[1] is None else min(total, _position(cursors[1]))
    if first is not None:
        end = min(end, start + first)
    if last is not None:
        start = max(start, end - last)
    return start, max(start, end)


def _page(edges: Sequence[Shape], start: int, end: int, total: int) -> Shape:
    return {
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
        "hasPreviousPage": start > 0,
        "hasNextPage": end < total,
    }


def _cursor(position: int) -> str:
    return base64.b64encode(f"{_CURSOR}{position}".encode()).decode()


def _position(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return int(text.removeprefix(_CURSOR))
    except (binascii.Error, ValueError) as error:
        raise GraphRefusal("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from error
