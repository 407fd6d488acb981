"""What must be proven of an artifact: `artifact` of a stage, read into trust rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.policy import ProofsIn
from bot.domain.proofs import Scalar
from bot.domain.signers import KeyHolder, Keyless, Signer, Template
from bot.domain.trust import AttestationRule, BuildRule, Condition, ProvenanceRule, SignatureRule, TrustRule
from bot.policy.grammar import A_DURATION, A_NUMBER, NAME, OWNER_AND_NAME, parse_number
from bot.policy.reading import Section, matching, one_of, parsed, positive_duration
from bot.policy.tree import Value

PREFIX = "artifact-"
_URL = r"https://[A-Za-z0-9.-]+(?::[0-9]+)?"
_REPOSITORY_URL = re.compile(rf"({_URL}/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)")
_OF_A_WORKFLOW = re.compile(rf"{_REPOSITORY_URL.pattern}/\.github/")
_WIDE_REPOSITORY = rf"{_URL}/[A-Za-z0-9._-]+/[A-Za-z0-9._*-]+"
_A_REPOSITORY = "a repository as owner/name on github.com, or as an https URL"
_AN_IDENTITY = (
    "the certificate's name in full, such as https://github.com/acme/checkout/.github/workflows/release.yml"
    "@refs/tags/{tag}: {tag}, {version} and * may stand behind host, owner and name only"
)
_A_TEMPLATE = "a text without spaces; {tag} and {version} are the release's, * is one part of a path"
_A_TYPE = "a predicate type, such as https://spdx.dev/Document"
_A_PATH = "a path in the predicate, such as scanner.result.Results[].Vulnerabilities[].Severity"
_A_NUMBER_OF_THE_FORGE = "the number that the forge has given it, such as 1296269"
_PATH = r"[A-Za-z0-9_@$:/-]+(?:\[\])?(?:\.[A-Za-z0-9_@$:/-]+(?:\[\])?){0,19}"
_WORD = r"[A-Za-z0-9_.:/-]{1,100}"
_CHECK = r"[^\x00-\x1f]{1,200}"
_MOST_STARS = 3
_ISSUER_OF_GITHUB = "https://token.actions.githubusercontent.com"


def read_artifact(
    section: Section | None, check_names: Callable[[Section, str, Sequence[str]], None]
) -> tuple[Rules, Places]:
    """Read what must be proven, and where proofs are looked for. An empty list of either is a fault (I11).

    Nothing must be proven where there is no section.
    """
    if section is None:
        return (), _REGISTRY_ONLY
    signer = read_signer(section.section("signer"))
    log = section.read("log", one_of(("required", "optional")), "required or optional", default="required")
    reader = _Rules(signer=signer, has_signer=section.get("signer") is not None, must_be_logged=log != "optional")
    items = [Section.of(value, path, section.faults) for path, value in section.items("require", required=True)]
    found = [reader.rule(item) for item in items if item is not None]
    rules = tuple(rule for rule in found if rule is not None)
    listed = section.get("require")
    if listed is not None and listed.kind == "list" and not listed.items:
        section.faults.note(listed, section.at("require"), "an empty list", "at least one thing that must be proven")
    check_names(section, "require", [rule.name for rule in rules])
    places = _places(section)
    section.finish()
    return rules, places


def read_required(section: Section, signer: Signer) -> TrustRule | None:
    """Read one thing that must be proven, as an item of `require` says it; `signer` where it names none of its own."""
    return _Rules(signer=signer, has_signer=True, must_be_logged=True).rule(section)


Rules = tuple[TrustRule, ...]
Places = tuple[ProofsIn, ...]
_REGISTRY_ONLY: Places = (ProofsIn.REGISTRY,)


def _places(section: Section) -> Places:
    """Read `found_in`: each place once, at least one. In an order of their own: how they are written means nothing."""
    listed = section.get("found_in")
    if listed is None:
        return _REGISTRY_ONLY
    expected = " or ".join(ProofsIn)
    items = section.items("found_in")
    found = [parsed(value, path, section.faults, ProofsIn, expected) for path, value in items]
    twice = [place for place in ProofsIn if found.count(place) > 1]
    if twice:
        section.faults.note(listed, section.at("found_in"), f"{', '.join(twice)} twice", "each place once")
    if listed.kind == "list" and not listed.items:
        section.faults.note(listed, section.at("found_in"), "an empty list", f"{expected}, or both")
    return tuple(place for place in ProofsIn if place in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The rules of one `artifact`, whose signer stands for all that name none of their own."""

    signer: Signer | None
    has_signer: bool
    must_be_logged: bool

    def rule(self, section: Section) -> TrustRule | None:
        kinds: dict[str, Callable[[Section], TrustRule | None]] = {
            "signature": self._signature,
            "provenance": self._provenance,
            "attestation": self._attestation,
            "checks": self._checks,
        }
        use = section.read("use", one_of(tuple(kinds)), f"one of {', '.join(kinds)}")
        if use is None:
            return None
        rule = kinds[use](section)
        section.finish()
        return rule

    def _signer_of(self, section: Section) -> Signer | None:
        own = section.section("signer")
        if own is not None:
            return read_signer(own)
        if self.signer is None and not self.has_signer:
            section.faults.note(section.value, section.at("signer"), "nothing", "a signer, here or for all of require")
        return self.signer

    def _name(self, section: Section, default: str | None = None) -> str | None:
        expected = "a name of a-z, 0-9 and -, at most 63 long"
        name = section.read("name", matching(NAME), expected, default=default)
        return None if name is None else f"{PREFIX}{name}"

    def _signature(self, section: Section) -> TrustRule | None:
        name, signer = self._name(section, "signature"), self._signer_of(section)
        if name is None or signer is None:
            return None
        return SignatureRule(name=name, signer=signer, must_be_logged=self.must_be_logged)

    def _provenance(self, section: Section) -> TrustRule | None:
        name, signer = self._name(section, "provenance"), self._signer_of(section)
        builder = None
        if section.get("builder") is not None:
            builder = section.read("builder", _parse_template, _A_TEMPLATE)
        if name is None or signer is None:
            return None
        return ProvenanceRule(name=name, signer=signer, must_be_logged=self.must_be_logged, builder=builder)

    def _attestation(self, section: Section) -> TrustRule | None:
        name, signer = self._name(section), self._signer_of(section)
        kind = section.read("type", matching(r"[a-z]+:[^\s\"<>]{1,300}"), _A_TYPE)
        newer = None
        if section.get("newer_than") is not None:
            newer = section.read("newer_than", positive_duration, A_DURATION)
        at = section.read("at", matching(_PATH), _A_PATH) if section.get("at") is not None else None
        if at is not None and newer is None:
            section.faults.note(section.value, section.at("at"), "a path", "it only beside newer_than")
        where = [Section.of(value, path, section.faults) for path, value in section.items("where")]
        conditions = [_condition(one) for one in where if one is not None]
        if name is None or signer is None or kind is None:
            return None
        return AttestationRule(
            name=name,
            signer=signer,
            predicate_type=kind,
            must_be_logged=self.must_be_logged,
            newer_than=newer,
            at=at,
            where=tuple(one for one in conditions if one is not None),
        )

    def _checks(self, section: Section) -> TrustRule | None:
        name = self._name(section, "checks")
        names = _texts(section, "names", _CHECK, "the name of a check", required=True)
        app = None
        if section.get("app") is not None:
            app = section.read("app", _parse_app, "the number of a GitHub App, such as 15368 for GitHub Actions")
        if name is None or not names:
            return None
        return BuildRule(name=name, checks=names, app=app)


# --- the signer ------------------------------------------------------------------------------------------------------


def read_signer(section: Section | None, *, is_floor: bool = False) -> Signer | None:
    """Read who must sign; None where there is none, or its faults leave nothing to go by.

    The signer of a floor is of many services: its identity and repository may have places for owner and name, too, and
    its repository is not taken to be the workflow's.
    """
    if section is None:
        return None
    if section.get("key") is not None:
        key = section.read("key", matching(NAME), "the name of a public key of the settings")
        section.finish()
        return None if key is None else KeyHolder(key=key)
    issuer = section.read("issuer", matching(rf"{_URL}(?:/[^\s]*)?"), "an https URL", default=_ISSUER_OF_GITHUB)
    identity = section.read("identity", _parse_template if is_floor else _parse_identity, _AN_IDENTITY)
    repository = _wide_repository(section) if is_floor else _repository(section, identity)
    signer = Keyless(
        issuer=issuer or "",
        identity=identity or Template(""),
        repository=repository,
        repository_id=_number(section, "repository_id"),
        owner_id=_number(section, "owner_id"),
        ref=_ref(section),
        triggers=_texts(section, "triggers", _WORD, "what started the build, such as push"),
        runners=_texts(section, "runners", _WORD, "where it ran, such as github-hosted"),
    )
    section.finish()
    return None if issuer is None or identity is None else signer


def _repository(section: Section, identity: Template | None) -> str | None:
    """Return the repository that was built. Unless another is named it must be the workflow's own."""
    if section.get("repository") is not None:
        return section.read("repository", _parse_repository, _A_REPOSITORY)
    own = _OF_A_WORKFLOW.match(identity.text) if identity is not None else None
    return own[1] if own is not None else None


def _wide_repository(section: Section) -> str | None:
    if section.get("repository") is None:
        return None
    expected = "repositories as an https URL, such as https://github.com/acme/*"
    return section.read("repository", matching(_WIDE_REPOSITORY), expected)


def _number(section: Section, key: str) -> str | None:
    if section.get(key) is None:
        return None
    return section.read(key, matching(r"[0-9]{1,20}"), _A_NUMBER_OF_THE_FORGE)


def _ref(section: Section) -> Template | None:
    if section.get("ref") is None:
        return None
    return section.read("ref", _parse_ref, "a ref such as refs/heads/main or refs/tags/v{version}")


def _parse_repository(text: str) -> str:
    if re.fullmatch(OWNER_AND_NAME, text):
        return f"https://github.com/{text}"
    if _REPOSITORY_URL.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _parse_template(text: str) -> Template:
    rest = re.sub(r"\{(?:tag|version)\}", "", text)
    if not re.fullmatch(r"[\x21-\x7e]{1,500}", text) or "{" in rest or "}" in rest or text.count("*") > _MOST_STARS:
        raise ValueError(text)
    return Template(text)


def _parse_identity(text: str) -> Template:
    """Take a name whose owner is literal: a wide pattern would let strangers in."""
    template = _parse_template(text)
    is_open = "*" in text or "{" in text
    if is_open and not re.match(rf"{_URL}/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/", text):
        raise ValueError(text)
    return template


def _parse_ref(text: str) -> Template:
    if not text.startswith("refs/"):
        raise ValueError(text)
    return _parse_template(text)


# --- conditions ------------------------------------------------------------------------------------------------------


def _condition(section: Section) -> Condition | None:
    path = section.read("path", matching(_PATH), _A_PATH)
    found: dict[str, object] = {}
    for key in ("is", "one_of", "none_of", "at_most", "at_least"):
        if section.get(key) is not None:
            found[key] = _bound(section, key)
    section.finish()
    if len(found) != 1:
        what = " and ".join(found) or "nothing"
        section.faults.note(section.value, section.path, what, "one of is, one_of, none_of, at_most and at_least")
        return None
    ((key, value),) = found.items()
    if path is None or value is None:
        return None
    # The keys are the fields' names, but for `is`, which Python has taken.
    return Condition(path=path, **{"one_of" if key == "is" else key: value})  # type: ignore[arg-type]


def _bound(section: Section, key: str) -> object:
    if key in ("at_most", "at_least"):
        return section.read(key, parse_number, A_NUMBER)
    values = [(section.at(key), section.get(key))] if key == "is" else list(section.items(key))
    found = [_scalar(section, path, value) for path, value in values if value is not None]
    if not found:
        section.faults.note(section.value, section.at(key), "an empty list", "at least one value")
        return None
    return tuple(one.value for one in found if one is not None)


@dataclass(frozen=True, slots=True)
class _Read:
    """A scalar that was read; it may be null."""

    value: Scalar


def _scalar(section: Section, path: str, value: Value) -> _Read | None:
    return parsed(value, path, section.faults, _parse_scalar, "a text, a number, true, false or null")


def _parse_app(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,15}", text):
        raise ValueError(text)
    return int(text)


def _parse_scalar(text: str) -> _Read:
    words: dict[str, Scalar] = {"true": True, "false": False, "null": None}
    if text in words:
        return _Read(words[text])
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return _Read(int(text))
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,12}", text):
        return _Read(float(text))
    if len(text) > 500:
        raise ValueError(text)
    return _Read(text)


def _texts(section: Section, key: str, pattern: str, expected: str, *, required: bool = False) -> tuple[str, ...]:
    items = section.items(key, required=required)
    found = (parsed(value, path, section.faults, matching(pattern), expected) for path, value in items)
    return tuple(dict.fromkeys(text for text in found if text is not None))
