"""Edits of other people's files, text to text: exactly the intended value's bytes change, or the edit is refused.

`read_image`, `write_image` and `undo_image` serve the bot, for every kind of file; `locate` and `replace_scalars` are
the general core, for any path and value. A value with an anchor (`&x`) may be edited: its path names the anchor itself,
and its aliases follow it. An alias (`*x`) is refused.
"""

from bot.domain.edit.change import Change, Edited, invert
from bot.domain.edit.guess import guess_kind
from bot.domain.edit.image import Wanted, Written, read_image, read_tag, undo_image, write_image, write_tag
from bot.domain.edit.kinds import (
    ArgoApplicationEdit,
    DocumentWhere,
    Edit,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    RegexEdit,
)
from bot.domain.edit.locate import Scalar, Style, locate
from bot.domain.edit.path import EntryWhere, Step, parse_path, render_path
from bot.domain.edit.pattern import check_pattern
from bot.domain.edit.refusal import EditRefused, NothingWritten, visible
from bot.domain.edit.replace import replace_scalars
from bot.domain.edit.stream import Reading

__all__ = [
    "ArgoApplicationEdit",
    "Change",
    "DocumentWhere",
    "Edit",
    "EditRefused",
    "Edited",
    "EntryWhere",
    "HelmEdit",
    "Holds",
    "KustomizeEdit",
    "ManifestEdit",
    "NothingWritten",
    "PathEdit",
    "Reading",
    "RegexEdit",
    "Scalar",
    "Step",
    "Style",
    "Wanted",
    "Written",
    "check_pattern",
    "guess_kind",
    "invert",
    "locate",
    "parse_path",
    "read_image",
    "read_tag",
    "render_path",
    "replace_scalars",
    "undo_image",
    "visible",
    "write_image",
    "write_tag",
]
