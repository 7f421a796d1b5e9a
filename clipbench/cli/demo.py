"""`clipbench demo`: the whole tour offline, as commands that anyone can type again."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

STEPS = (
    ("Draw a small captioned collection", "dataset add scenes --format scenes"),
    ("Look it over", "dataset lint scenes"),
    ("Turn captions and pictures into vectors", "embed scenes --model demo"),
    ("Measure retrieval in both directions", "evaluate scenes --model demo --tag clean"),
    (
        "See how it breaks when captions do",
        "robustness sweep scenes --model demo --perturb word-dropout --perturb word-shuffle --seeds 2",
    ),
    ("Draw captions that found a wrong picture", "annotate sample clean --n 200 --seed 42 --no-hints"),
    (
        "Hand them out to two annotators",
        "annotate assign --annotators A,B --overlap 120 --per-annotator 30 --backup 20 --out {store}/annotation",
    ),
    (
        "Have them simulated: they follow the drawn scenes' truth, and err now and then",
        "annotate simulate --annotators A,B --noise 0.2",
    ),
    ("Do they agree as their noise implies?", "annotate agreement"),
    ("Why does it fail?", "annotate summary"),
    (
        "Another collection: a shop's catalogue with noisy fields, its captions composed, cut into splits",
        "dataset add catalogue --format catalogue --make-splits 60/20/20 --group-by text",
    ),
    ("The model has never seen such pictures", "evaluate catalogue-test --model demo --tag zero-shot"),
    (
        "Train a small head on its vectors; the validation set chooses the epoch",
        "adapt train catalogue-train --val catalogue-val --model demo --alpha 0.5 --name shop",
    ),
    (
        "The adapted model is a model like any other",
        "evaluate catalogue-test --model adapter:shop --tag adapted",
    ),
    (
        "The control: two towers from scratch on the same vectors",
        "adapt train catalogue-train --val catalogue-val --model demo --head two-tower --loss margin --name control",
    ),
    ("How good is the control?", "evaluate catalogue-test --model adapter:control --tag control"),
    (
        "What was gained, and is it real?",
        "report --compare zero-shot adapted control --metric R@1 --metric R@10 --metric MRR",
    ),
    ("What does it cost where the model came from?", "evaluate scenes --model adapter:shop --tag forgotten"),
    ("Much: a head is for its own collection. Every model on every dataset", "report --transfer"),
    ("Everything that is stored", "report"),
)


def demo(
    ctx: typer.Context,
    store: Annotated[
        Path, typer.Option("--store", help="Folder of the demo's own store.", file_okay=False)
    ] = Path("clipbench-demo"),
) -> None:
    """Take the whole tour offline in under two minutes: drawn scenes, a drawn catalogue, the bundled tiny model."""
    clipbench = ctx.find_root().command
    began = time.monotonic()
    for what, words in STEPS:
        command = [*(word.format(store=store) for word in words.split()), "--store", str(store)]
        typer.secho(f"\n{what}", bold=True)
        typer.secho(f"$ clipbench {shlex.join(command)}", fg=typer.colors.CYAN)
        clipbench.main(command, prog_name="clipbench", standalone_mode=False)
    typer.echo(
        f"\nThat took {time.monotonic() - began:.0f} s. Type any of these commands again: what is stored is"
    )
    typer.echo("not computed twice. Your own photographs: clipbench dataset add --help")
