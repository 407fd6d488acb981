"""The Dockerfile keeps its promises: small, without root, without anything to build with.

There may be no container engine where tests run, so the file is read instead of built.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD_TOOLS = ("build-essential", "gcc", "g++", "make", "clang", "cmake", "python3-dev", "pip install", "curl", "wget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile, with the number of the stage it belongs to (-1 before the first FROM)."""

    stage: int
    keyword: str
    text: str


def parse_dockerfile(text: str) -> tuple[Instruction, ...]:
    """Join continued lines, drop comments, and number the stages."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[Instruction] = []
    stage = -1
    for line in joined.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        stage += keyword.upper() == "FROM"
        found.append(Instruction(stage=stage, keyword=keyword.upper(), text=rest.strip()))
    return tuple(found)


@pytest.fixture(name="instructions", scope="module")
def _instructions() -> tuple[Instruction, ...]:
    return parse_dockerfile((ROOT / "Dockerfile").read_text(encoding="utf-8"))


@pytest.fixture(name="final", scope="module")
def _final(instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    return tuple(one for one in instructions if one.stage == instructions[-1].stage)


def texts(instructions: tuple[Instruction, ...], keyword: str) -> list[str]:
    """Return what stands behind each instruction of one kind."""
    return [one.text for one in instructions if one.keyword == keyword]


def test_the_image_is_built_in_more_than_one_stage(instructions: tuple[Instruction, ...]) -> None:
    assert instructions[-1].stage >= 1


def test_every_base_image_is_pinned_by_a_tag_that_says_a_version(instructions: tuple[Instruction, ...]) -> None:
    images = [text.split()[0] for text in texts(instructions, "FROM")]
    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []


def test_both_stages_share_one_base_so_that_the_environment_finds_its_interpreter(
    instructions: tuple[Instruction, ...],
) -> None:
    assert len({text.split()[0] for text in texts(instructions, "FROM")}) == 1


def test_the_last_user_is_a_number_and_not_root(final: tuple[Instruction, ...]) -> None:
    user, _, group = texts(final, "USER")[-1].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_nothing_is_changed_as_root_after_the_user_is_set(final: tuple[Instruction, ...]) -> None:
    keywords = [one.keyword for one in final]
    assert {"RUN", "COPY", "ADD"}.isdisjoint(keywords[keywords.index("USER") :])


def test_the_final_stage_installs_git_certificates_and_what_signs_commits(final: tuple[Instruction, ...]) -> None:
    installed = " ".join(re.findall(r"apt-get install ([^&]*)", " ".join(texts(final, "RUN")))).split()
    assert {"git", "ca-certificates", "gnupg", "openssh-client"} <= set(installed)
    assert "--no-install-recommends" in installed


@pytest.mark.parametrize("tool", BUILD_TOOLS)
def test_the_final_stage_has_no_tool_to_build_or_fetch_with(final: tuple[Instruction, ...], tool: str) -> None:
    commands = " ".join(texts(final, "RUN"))
    assert re.search(rf"(?<![\w-]){re.escape(tool)}(?![\w-])", commands) is None


def test_the_final_stage_removes_the_pip_of_its_base_image(final: tuple[Instruction, ...]) -> None:
    commands = " ".join(texts(final, "RUN"))
    assert "pip uninstall --yes pip" in commands
    assert re.search(r"rm -rf \S*/ensurepip", commands)


def test_the_final_stage_takes_only_the_finished_environment_from_the_build(final: tuple[Instruction, ...]) -> None:
    assert texts(final, "COPY") == ["--from=build /opt/liftlock /opt/liftlock"]
    assert texts(final, "ADD") == []


def test_dependencies_are_installed_by_hash_only(instructions: tuple[Instruction, ...]) -> None:
    commands = " && ".join(texts(instructions, "RUN")).split("&&")
    installs = [one for one in commands if re.search(r"pip .*\binstall\b", one) and "uninstall" not in one]
    assert len(installs) >= 2
    assert [one for one in installs if "--require-hashes" not in one and "--no-index" not in one] == []


def test_the_health_check_asks_the_bot_itself(final: tuple[Instruction, ...]) -> None:
    (check,) = texts(final, "HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2])
    assert command == ["liftlock", "health", "--config", "/etc/liftlock/liftlock.toml"]


def test_a_container_runs_the_bot_and_signals_reach_it(final: tuple[Instruction, ...]) -> None:
    assert json.loads(texts(final, "ENTRYPOINT")[-1]) == ["liftlock"]
    assert json.loads(texts(final, "CMD")[-1]) == ["run", "--config", "/etc/liftlock/liftlock.toml"]


def test_state_has_one_writable_place(final: tuple[Instruction, ...]) -> None:
    assert json.loads(texts(final, "VOLUME")[-1]) == ["/var/lib/liftlock"]
    assert "HOME=/var/lib/liftlock" in texts(final, "ENV")[0].split()


def test_what_the_build_copies_is_let_through_by_the_ignore_file(instructions: tuple[Instruction, ...]) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    copied = [text.split()[:-1] for text in texts(instructions, "COPY") if "--from" not in text]
    sources = {source for sources in copied for source in sources}
    assert ignored.index("*") < min(ignored.index(f"!{source}") for source in let_through)
    assert sources == let_through
    assert [source for source in sources if not (ROOT / source).exists()] == []
