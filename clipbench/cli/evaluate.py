"""`clipbench evaluate`: retrieval in both directions, with intervals and a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from clipbench.cli.console import note, notes
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    ConfidenceOption,
    DatasetArgument,
    EncoderOptions,
    MissingOption,
    ModelsOption,
    OutputOptions,
    QuietOption,
    StoreOption,
)
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.records import Protocol
    from clipbench.store.engine import Store
    from clipbench.store.runs import StoredRun
    from clipbench.study.evaluation.recording import Recorded
    from clipbench.study.evaluation.sampled import GallerySample


@dataclass(frozen=True)
class ProtocolOptions:
    """How a ranking is scored."""

    k: list[int] | None = option(
        "Cutoff of R@K; several times for several. [default: 1 5 10]", min=1, metavar="K"
    )
    duplicate_aware: bool = switch("Captions that say the same share their images.", "--duplicate-aware")
    fold: int | None = option(
        "Average over galleries of N images (COCO 1k: --fold 1000).", min=2, metavar="N"
    )
    ties: Literal["expected", "optimistic", "pessimistic"] = option(
        "expected, optimistic, pessimistic: how equal scores count.", default="expected", metavar="POLICY"
    )
    resamples: int = option("Resamples of the cluster bootstrap.", default=2000, min=100, metavar="N")
    seed: int = option("Seed of the resamples.", default=0, metavar="N")
    confidence: ConfidenceOption = 0.95

    def protocol(self) -> Protocol:
        """Return the protocol of both directions."""
        from clipbench.records import Protocol

        return Protocol(
            ks=tuple(sorted(set(self.k or (1, 5, 10)))),
            ties=self.ties,
            positives="equal-captions" if self.duplicate_aware else "own",
            fold=self.fold,
            resamples=self.resamples,
            seed=self.seed,
            confidence=self.confidence,
        )


@dataclass(frozen=True)
class SampleOptions:
    """How the galleries are sampled, where they are not ranked whole."""

    gallery_sample: int | None = option(
        "Estimate from random samples of N items of each gallery, not the whole.", min=2, metavar="N"
    )
    repeats: int = option("Samples of --gallery-sample.", default=10, min=3, metavar="R")
    exact_head: int | None = option(
        "With --gallery-sample: rank in the whole gallery what may be among the first K.", min=1, metavar="K"
    )

    def sample(self, seed: int) -> GallerySample | None:
        """Return how to sample, None for whole galleries. Raises ClipbenchError for what does not go together."""
        if self.gallery_sample is None:
            if self.exact_head is not None:
                from clipbench.errors import ClipbenchError

                raise ClipbenchError(
                    "every rank of a whole gallery is exact", "--exact-head goes with --gallery-sample N"
                )
            return None
        from clipbench.study.evaluation.sampled import GallerySample

        return GallerySample(self.gallery_sample, self.repeats, seed, self.exact_head)


@expanded
def evaluate(
    dataset: DatasetArgument,
    model: ModelsOption,
    encoder: EncoderOptions,
    protocol: ProtocolOptions,
    sampling: SampleOptions,
    tag: Annotated[list[str] | None, Option(metavar="TAG", help="Hang this tag on the run.")] = None,
    allow_missing: MissingOption = 0.0,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Measure text→image and image→text retrieval of DATASET, and store the run with its ledger.

    What is not embedded yet is embedded first. A request that was stored before is shown, not computed again.
    With several --model: all of them, ranked, every pair tested.
    """
    from clipbench.reports.runs import run_table
    from clipbench.store.runs import check_tag, tagged

    at = open_at(store, to_read=True)  # what is stored can be read anywhere
    for word in tag or ():
        check_tag(word)  # before the run is made, not after
    sample = sampling.sample(protocol.seed)
    runs = [
        tagged(at, _evaluated(at, dataset, one, encoder, protocol, sample, allow_missing, quiet), tag or ())
        for one in _alone(model, sample)
    ]
    if len(runs) == 1:
        emit(run_table(at, runs[0], wide=output.for_programs), output)
    else:
        from clipbench.reports.comparing.leaderboard import leaderboard_of

        emit(leaderboard_of(at, runs, wide=output.for_programs), output)


def _evaluated(
    at: Store,
    dataset: str,
    model: str,
    encoder: EncoderOptions,
    protocol: ProtocolOptions,
    sample: GallerySample | None,
    allow_missing: float,
    quiet: bool,
) -> StoredRun:
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        how, missing = protocol.protocol(), allow_missing
        if sample is None:
            from clipbench.study.evaluation.evaluate import evaluate as evaluate_dataset

            done = evaluate_dataset(at, dataset, source, how, bars, allow_missing=missing)
        else:
            from clipbench.study.evaluation.sampled import SampledRequest, evaluate_sampled

            request = SampledRequest(sample, how, protocol.k, missing)
            done = evaluate_sampled(at, dataset, source, request, bars)
    if not quiet:
        _say(at, done)
    return done.run


def _alone(models: list[str], sample: GallerySample | None) -> list[str]:
    """Return the models, each once. Raises ClipbenchError for several that would be estimated, not ranked."""
    from clipbench.errors import ClipbenchError

    distinct = list(dict.fromkeys(models))
    if sample is not None and len(distinct) > 1:
        raise ClipbenchError(
            "several models are compared query by query, and samples do not tell a query's rank",
            "one --model at a time with --gallery-sample",
        )
    return distinct


def _say(store: Store, done: Recorded) -> None:
    from clipbench.study.adapting.transfer import relation_notes

    if not done.created:
        note("note: this run was stored before; nothing was computed again")
    notes(relation_notes(store, done.run.spec.dataset, done.run.encoder))
