"""The text of a first policy, with comments on what to look at next. Each value was found, or somebody said it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.edit import ArgoApplicationEdit, Edit, HelmEdit, PathEdit
from bot.domain.edit.plain import can_be_plain
from bot.draft.stages import DraftStage

_SCHEMA = "# yaml-language-server: $schema=policy.schema.json"
_OPENING = """\
# A beginning, made by `liftlock policy new`: read it, change it, and see what `liftlock policy check --live` says.
# All fields are in docs/policy.md.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that a first policy says. `has_schema` says that the schema lies beside it."""

    service: str
    image: str
    repository: str
    branch: str
    stages: Sequence[DraftStage]
    has_schema: bool = False


def write_policy(draft: Draft) -> str:
    """Return the policy's text."""
    lines = [_SCHEMA] if draft.has_schema else []
    lines += [*_OPENING.splitlines(), *_top(draft)]
    for stage in draft.stages:
        is_source = any(other.source == stage.name for other in draft.stages)
        lines += _stage(stage, is_source=is_source)
    return "\n".join([*lines, ""])


def _top(draft: Draft) -> Iterator[str]:
    yield "apiVersion: liftlock.dev/v1"
    yield f"service: {scalar(draft.service)}"
    yield f"image: {scalar(draft.image)}"
    yield "# source: OWNER/NAME    # what the image is built from; pull requests then show the commits of a release"
    yield f"gitops: {_mapping({'repository': draft.repository, 'branch': draft.branch})}"
    yield "stages:"


def _stage(stage: DraftStage, *, is_source: bool) -> Iterator[str]:
    yield f"  - name: {scalar(stage.name)}"
    if stage.source is not None:
        also = f"    # or {', '.join(stage.others)}" if stage.others else ""
        yield f"    from: {scalar(stage.source)}{also}"
    yield f"    edit: {_edit(stage.place.edit)}"
    names = [scalar(name) for name in stage.applications]
    yield f"    argocd: {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"
    if stage.namespace:
        yield f"    metrics: {_mapping({'namespace': stage.namespace})}"
    else:
        yield "    # metrics: {namespace: NAME}    # the labels of its series; gates that measure need them"
    if is_source:
        yield from _window()
    if stage.source is not None:
        yield from _promotion()


def _window() -> Iterator[str]:
    yield "    # For how long a release must prove itself here, and by what."
    yield "    window: {for: 30m}"
    yield "    gates:"
    yield "      - {use: argocd-healthy}"
    yield "      # That it runs does not show that it works: take in what you measure, such as"
    yield "      # - {use: http-errors, limit: 1%}"
    yield "      # - {use: http-latency, slower_than: 500ms, limit: 5%}"


def _promotion() -> Iterator[str]:
    yield "    promote: {by: pull-request, merge: human}    # auto: the bot merges once all gates are healthy"
    yield "    # What takes a release back after it came:"
    yield "    # rollback:"
    yield "    #   watch: 1h"
    yield "    #   by: pull-request"
    yield "    #   triggers: [{use: argocd-degraded, for: 5m}]"


def _edit(edit: Edit) -> str:
    fields = {key: value for key, value in _fields(edit).items() if value is not None}
    if not fields:
        return _mapping({edit.kind: edit.file})
    return f"{{{edit.kind}: {_mapping({'file': edit.file, **fields})}}}"


def _fields(edit: Edit) -> Mapping[str, str | None]:
    if isinstance(edit, HelmEdit):
        return {"tag": edit.tag, "image": edit.image, "digest": edit.digest}
    if isinstance(edit, ArgoApplicationEdit):
        return {"name": edit.application, "holds": edit.holds.value, "path": edit.path}
    return {"path": edit.path} if isinstance(edit, PathEdit) else {}


def _mapping(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {scalar(value)}' for key, value in values.items())}}}"


def scalar(text: str) -> str:
    """Return a text as YAML that every reader takes for this text, within `{…}` too."""
    return text if can_be_plain(text, in_flow=True) else json.dumps(text, ensure_ascii=False)
