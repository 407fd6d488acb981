"""What an image tag may be: the grammar of the OCI distribution specification."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


def is_tag(text: str) -> bool:
    """Say whether `text` is a tag: 1 to 128 of `A-Z a-z 0-9 _ . -`, not starting with `.` or `-`.

    A tag can still be a trap: `1.10`, `null` and `0644` mean something else to YAML, `v1..2` and `a.lock` are no names
    in Git. Whoever writes a tag somewhere asks the rules of that place as well.
    """
    return _TAG.match(text) is not None
