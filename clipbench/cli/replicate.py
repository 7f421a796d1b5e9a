"""`clipbench replicate` and `clipbench run`: many commands typed for you, ending in one table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from clipbench.cli import completion
from clipbench.cli.console import note, print_error
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.misuse import misuse
from clipbench.cli.opening import open_at
from clipbench.cli.options import OutputOptions, QuietOption, StoreOption, flag
from clipbench.cli.output import emit, emit_several
from clipbench.errors import ClipbenchError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clipbench.study.replicating.plan import Asked, PlannedStep


@dataclass(frozen=True)
class StudyOptions:
    """With what, and on what, a study is done again."""

    model: str | None = option(
        "Another model than the study's; its figures are then no measure.", "--model", "-m", metavar="MODEL"
    )
    pretrained: str | None = option("Its pretrained tag.", "--pretrained", "-p", metavar="TAG")
    on: str | None = option(
        "A dataset in place of the study's; scenes is drawn where it is lacking.", metavar="DATASET"
    )
    data: Path | None = option(
        "Folder of the study's files, as --dry-run names them.", metavar="FOLDER", exists=True
    )
    dry_run: bool = switch("Check the data, print the plan, stop.", "--dry-run")

    def asked(self) -> Asked:
        """Return how the study is to be done. Raises BadParameter for a tag without a model."""
        from clipbench.study.replicating.plan import Asked

        if self.pretrained is not None and self.model is None:
            raise typer.BadParameter("--pretrained goes with --model")
        tag = () if self.pretrained is None else ("--pretrained", self.pretrained)
        model = None if self.model is None else ("--model", self.model, *tag)
        return Asked(model, self.on, self.data)


@expanded
def replicate(
    ctx: typer.Context,
    study: Annotated[
        str,
        Argument(metavar="STUDY", help="Name of a study, or a FILE.toml.", autocompletion=completion.studies),
    ],
    options: StudyOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Do a published study again: check its data, run its steps, set its figures beside yours.

    Stopped at any time, the same command goes on: what is stored is found, not computed again.
    """
    from clipbench.reports.replicating.tables import plan_tables, verdict_table
    from clipbench.study.replicating.plan import plan
    from clipbench.study.replicating.recipe import load_recipe
    from clipbench.study.replicating.verdicts import verdicts

    recipe = load_recipe(study)
    at, asked = open_at(store, create=True), options.asked()
    planned = plan(at, recipe, asked)
    if options.dry_run:
        emit_several(plan_tables(planned), output)
        return
    run_steps(ctx, planned.steps, store, quiet=quiet)
    after = plan(at, recipe, asked)  # what was added is looked at too
    emit(verdict_table(after, verdicts(at, after), wide=output.for_programs), output)


@expanded
def run(
    ctx: typer.Context,
    file: Annotated[Path, Argument(metavar="FILE", help="A TOML file with datasets, models, perturbations.")],
    dry_run: Annotated[bool, flag("--dry-run", says="Print the commands, stop.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Measure datasets × models × perturbations as a file says, ending in a leaderboard of each dataset.

    Stopped at any time, the same command goes on: what is stored is found, not computed again.
    """
    from clipbench.reports.comparing.leaderboard import leaderboard_table
    from clipbench.reports.replicating.tables import steps_table
    from clipbench.study.replicating.experiment import load_experiment, steps_of
    from clipbench.study.replicating.standings import standings

    at = open_at(store)
    experiment = load_experiment(file)
    steps = steps_of(experiment)
    if dry_run:
        emit(steps_table(steps), output)
        return
    run_steps(ctx, steps, store, quiet=quiet)
    boards = standings(at, experiment)
    emit_several([leaderboard_table(board, wide=output.for_programs) for board in boards], output)


def run_steps(ctx: typer.Context, steps: Sequence[PlannedStep], store: Path | None, *, quiet: bool) -> None:
    """Run commands one after another, their results on stderr, so that stdout holds the study's own.

    A step that fails is told and the rest goes on. Raises ClipbenchError where no step could be run, StoppedError
    on Ctrl-C.
    """
    from contextlib import redirect_stdout
    from sys import stderr

    clipbench, began, done = ctx.find_root().command, time.monotonic(), 0
    failed: set[str] = set()
    for number, step in enumerate(steps, 1):
        gone = ", ".join(sorted(failed.intersection(step.words)))
        lacking = step.lacking or (f"{gone} could not be made" if gone else "")
        if not quiet:
            note(f"\n[{number}/{len(steps)}] {step.what}\n$ {step.line}")
            note(f"left out: {lacking}" if lacking else "")
        if lacking:
            continue
        words = [*step.words, *(() if store is None else ("--store", str(store)))]
        try:
            with redirect_stdout(stderr), misuse(f"clipbench {words[0]} --help"):
                clipbench.main(words, prog_name="clipbench", standalone_mode=False)
            done += 1
        except StoppedError:
            raise
        except ClipbenchError as error:
            print_error(error)
            failed.update(step.made)
    if not done:
        raise ClipbenchError(
            "no step of it could be run", "the same command with --dry-run says what it needs"
        )
    if not quiet:
        note(f"\n{done} of {len(steps)} steps in {time.monotonic() - began:.0f} s\n")
