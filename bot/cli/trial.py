"""`liftlock policy test`: run the tests that stand beside policies, against a real Prometheus on this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.cli.faults import BAD_NEWS, refusal, told_in_one_sentence
from bot.cli.interrupting import interruptible
from bot.cli.policy_places import usual_policies
from bot.cli.trial_report import Form, Report, Tested
from bot.domain.edit import visible
from bot.policy.faults import PolicyError
from bot.trial.files import NoTests, test_files

if TYPE_CHECKING:
    from bot.trial.running import CaseResult

_INTERRUPTED = 130
_NO_PROMETHEUS = (
    "policy test asks a real Prometheus, and there is none on the PATH: install it, or name the program by "
    "--prometheus PATH"
)


def run_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Test files, policies with one beside them, and directories; without any, the directory that the "
            "settings name, or policies. Needed where the settings name a repository.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="In which form the results are written.")] = Form.TEXT,
    prometheus: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The program prometheus, where it is not on the PATH.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
        ),
    ] = None,
) -> None:
    """Run the tests of policies: given these series, this Argo CD and these people, what does the bot say and do?

    Ends with 0 if all is as expected, 1 if something is not or a file has faults; 2 is wrong use.
    """
    try:
        files = test_files(paths or [usual_policies(config)])
    except NoTests as error:
        raise refusal(visible(str(error))) from None
    binary = _binary(prometheus)
    configure_logging(level="error", as_json=False)
    report = Report(form=form)
    try:
        with told_in_one_sentence(), interruptible():
            _run(files, binary, report)
    except KeyboardInterrupt:
        typer.echo("liftlock: interrupted", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    report.end()
    if report.is_bad:
        raise typer.Exit(BAD_NEWS)


def _binary(named: Path | None) -> Path:
    if named is None:
        found = shutil.which("prometheus")
        if found is None:
            raise refusal(_NO_PROMETHEUS)
        return Path(found)
    found = shutil.which(named)
    if found is None:
        raise refusal(f"--prometheus {visible(str(named))}: that is no program")
    return Path(found)


def _run(files: Sequence[Path], binary: Path, report: Report) -> None:
    # Here, since the whole bot comes with it, and the other commands about policies are to be quick.
    from bot.trial.reading import read_trial  # noqa: PLC0415
    from bot.trial.running import run_file  # noqa: PLC0415

    for path in files:
        tested = Tested(file=str(path))
        report.begin(tested)
        try:
            read = read_trial(path)
        except PolicyError as error:
            tested.faults = error.faults
        else:

            def hear(result: CaseResult, tested: Tested = tested) -> None:
                report.tell(tested, result)

            now = SystemClock().now()
            tested.unexercised = run_file(read, binary, now=now, timer=time.monotonic, hear=hear)
        report.finish(tested)
