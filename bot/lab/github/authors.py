"""Who is named as an author of a commit: Git's author first, then those whom trailers of the message name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.lab.github.git import Commit, Person

_CO_AUTHOR = re.compile(r"(?im)^co-authored-by:[ \t]*([^<\n]*?)[ \t]*<([^>\n]+)>[ \t]*$")


def authors_of(commit: Commit) -> Sequence[Person]:
    """Return the author and the co-authors, each address once."""
    named = [Person(name=name, email=email) for name, email in _CO_AUTHOR.findall(commit.message)]
    return list({one.email.lower(): one for one in reversed([commit.author, *named])}.values())[::-1]
