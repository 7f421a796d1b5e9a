"""A bundle's members as nouns: believed only where everything in it follows from its content.

Every key is computed again from what it is the key of, every reference has to lead somewhere, every ledger
has to be one of its dataset, and every metric has to follow from its ledger. All that is wrong is told
together. What this cannot show is a ledger changed together with its metrics: ranks follow from vectors,
which a bundle does not hold. Its name is the digest of all of it, to be held against what its maker says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.foreign_files import inside, reason
from clipbench.keys import ITEM_BYTES
from clipbench.records import (
    DIRECTIONS,
    Dataset,
    EncoderIdentity,
    Perturbation,
    Protocol,
    image_key,
    protocol_of,
    text_key,
)
from clipbench.study.bundles.archive import array_value, json_value, read_members
from clipbench.study.bundles.ledgers import ledger_faults, metric_faults
from clipbench.study.bundles.rankings import MEMBERS, Ledgers, Rankings, rankings_of
from clipbench.study.bundles.records import (
    BundledRun,
    BundledSet,
    dataset_of,
    encoder_of,
    perturbation_of,
    run_of,
    set_of,
)
from clipbench.study.bundles.values import read
from clipbench.study.bundles.writing import plain
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.runs.run_kinds import kind_of, metrics_from

Items: TypeAlias = npt.NDArray[np.uint8]

MOST_RESAMPLES, MOST_CUTOFFS = 1_000_000, 100
"""A bundle's metrics are derived again, so its protocol must not ask for days of it."""


@dataclass
class Bundle:
    """What a bundle holds, by key. `name` is the digest of all of it."""

    name: str
    datasets: dict[str, Dataset] = field(default_factory=dict)
    encoders: dict[str, EncoderIdentity] = field(default_factory=dict)
    settings: dict[str, Perturbation] = field(default_factory=dict)
    sets: dict[str, tuple[BundledSet, Items]] = field(default_factory=dict)
    runs: dict[str, tuple[BundledRun, Rankings]] = field(default_factory=dict)


def read_bundle(path: Path) -> Bundle:
    """Return what a bundle holds. Raises InputError with everything that is wrong with it."""
    name, members = read_members(path)
    bundle = Bundle(name)
    problems: list[Problem] = []
    for member in sorted(members):
        try:
            _take(bundle, path, member, members)
        except Exception as error:  # a member that somebody made to do harm raises whatever it likes
            told = error.problems if isinstance(error, InputError) else ()
            problems += told or [Problem(f"{path}!{member}", 0, reason(error))]
    if not problems:  # what refers to what can be looked at once everything is there
        problems = _fitting(bundle, path)
    if not problems and not bundle.runs:
        problems = [Problem(str(path), 0, "holds no run")]
    if problems:
        raise InputError(
            f"bundle {path}", problems, "ask its maker for the file again; it may have been changed"
        )
    return bundle


def _fitting(bundle: Bundle, path: Path) -> list[Problem]:
    try:
        return [Problem(f"{path}!{where}", 0, fault) for where, fault in _faults(bundle)]
    except ClipbenchError:
        raise
    except Exception as error:  # numbers that contradict one another in a way that nobody foresaw
        return [Problem(str(path), 0, f"does not fit together ({reason(error)})")]


def _take(bundle: Bundle, path: Path, member: str, members: Mapping[str, bytes]) -> None:
    """Read one member into the bundle; those that belong to another are read with that."""
    folder, _, rest = member.partition("/")
    stem = rest.removesuffix(".json")
    if folder == "runs" and rest.endswith("/run.json"):
        run = read(run_of, json_value(path, member, members[member]))
        _named(run.key, stem.removesuffix("/run"))
        bundle.runs[run.key] = (run, rankings_of(path, f"runs/{plain(run.key)}", members))
        return
    if folder == "runs" or (folder == "sets" and rest.endswith(".npy")):
        _belongs(member, members)
        return
    if folder not in {"datasets", "encoders", "perturbations", "sets"}:
        raise ValueError("is no part of a bundle")
    told = json_value(path, member, members[member])
    if folder == "datasets":
        dataset = read(dataset_of, told)
        bundle.datasets[_named(dataset.key, stem)] = dataset
    elif folder == "encoders":
        identity = read(encoder_of, told)
        bundle.encoders[_named(identity.key, stem)] = identity
    elif folder == "perturbations":
        setting = read(perturbation_of, told)
        bundle.settings[_named(setting.key, stem)] = setting
    else:
        found = read(set_of, told)
        array = f"sets/{stem}.npy"
        if array not in members:
            raise ValueError(f"lacks {array}")
        items = array_value(path, array, members[array], "|u1", ITEM_BYTES)
        bundle.sets[_named(found.key, stem)] = (found, items)


def _named(key: str, stem: str) -> str:
    if plain(key) != stem:
        raise ValueError(f"is of {key}")
    return key


def _belongs(member: str, members: Mapping[str, bytes]) -> None:
    """Raise ValueError for an array or size that belongs to no run or set of the bundle."""
    if member.startswith("sets/"):
        owner = member.removesuffix(".npy") + ".json"
    else:
        parts = member.split("/")
        if len(parts) != 4 or parts[2] not in DIRECTIONS or parts[3] not in MEMBERS:
            raise ValueError("is no part of a run")
        owner = f"runs/{parts[1]}/run.json"
    if owner not in members:
        raise ValueError(f"lacks {owner}")


def _faults(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Yield (member, what is wrong with it) for what does not fit together."""
    for key, dataset in bundle.datasets.items():
        if any(sample.path is not None and not inside(sample.path) for sample in dataset.samples):
            yield f"datasets/{plain(key)}.json", "names photographs outside their folder"
    for key, (stored, items) in bundle.sets.items():
        yield from ((f"sets/{plain(key)}.json", fault) for fault in _set_faults(bundle, stored, items))
    for key, (run, rankings) in bundle.runs.items():
        where = f"runs/{plain(key)}/run.json"
        faults = list(_run_faults(bundle, run))
        yield from ((where, fault) for fault in faults or _number_faults(bundle, run, rankings.ledgers))


def _set_faults(bundle: Bundle, stored: BundledSet, items: Items) -> Iterator[str]:
    dataset, setting = bundle.datasets.get(stored.dataset), bundle.settings.get(stored.perturbation)
    if dataset is None or setting is None or stored.encoder not in bundle.encoders:
        yield "refers to what is not in the bundle"
        return
    if stored.modality == "text":
        wanted = [text_key(caption.text) for caption in dataset.captions]
        known = setting.target != "text"
    else:
        ids = {sample.id for sample in dataset.samples}
        if not set(stored.unreadable) <= ids:
            yield "leaves out images that are none of the dataset's"
        usable = [s for s in dataset.samples if s.id not in stored.unreadable]
        known = all(sample.digest is not None for sample in usable)
        wanted = [image_key(sample.digest or "", setting, sample.id) for sample in usable]
    if len(items) != len(wanted):
        yield f"has {len(items):,} items, its dataset {len(wanted):,}"
    elif known and items.tobytes() != b"".join(wanted):
        yield "is of other texts or photographs than its dataset's"


def _run_faults(bundle: Bundle, run: BundledRun) -> Iterator[str]:
    spec, setting = run.spec, bundle.settings.get(run.perturbation)
    if not kind_of(spec.kind).whole:
        yield f"is of the kind {spec.kind!r}"
    if spec.dataset not in bundle.datasets or run.encoder not in bundle.encoders or setting is None:
        yield "refers to what is not in the bundle"
        return
    encoders: list[str] = []  # two, where a head of its own made the texts
    for modality, key in (("image", spec.images), ("text", spec.texts)):
        found = bundle.sets.get(key)
        if found is None:
            yield f"refers to {key}, which is not in the bundle"
            continue
        side = setting.side("image" if modality == "image" else "text").key
        told = (found[0].modality, found[0].dataset, found[0].perturbation)
        if told != (modality, spec.dataset, side):
            yield f"ranks {key}, which is of something else"
        encoders.append(found[0].encoder)
    if run.encoder not in encoders:
        yield f"goes by {run.encoder}, and ranks vectors of {' and '.join(dict.fromkeys(encoders))}"


def _number_faults(bundle: Bundle, run: BundledRun, ledgers: Ledgers) -> Iterator[str]:
    protocol = _protocol(run)
    gallery = _gallery(bundle, run)
    if set(ledgers) != set(protocol.directions):
        yield f"has ledgers for {', '.join(ledgers)}, its protocol is of {', '.join(protocol.directions)}"
        return
    if protocol.fold is not None and len(gallery.samples) % protocol.fold:
        yield f"has folds of {protocol.fold:,} of {len(gallery.samples):,} images"
        return
    faults = [
        f"the {direction} ledger {fault}"
        for direction, ledger in ledgers.items()
        for fault in ledger_faults(ledger, gallery, protocol)
    ]
    yield from faults or metric_faults(metrics_from(run.spec, ledgers), run.metrics)


def _protocol(run: BundledRun) -> Protocol:
    try:
        protocol = protocol_of(run.spec.protocol)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "bundle", [Problem(run.key, 0, f"has no protocol that is known here ({error})")]
        ) from error
    if protocol.resamples > MOST_RESAMPLES or len(protocol.ks) > MOST_CUTOFFS:
        told = f"asks for {protocol.resamples:,} resamples and {len(protocol.ks):,} cutoffs"
        raise InputError("bundle", [Problem(run.key, 0, told)])
    return protocol


def _gallery(bundle: Bundle, run: BundledRun) -> Gallery:
    images = bundle.sets[run.spec.images][0]
    return gallery_of(bundle.datasets[run.spec.dataset], images.unreadable, run.spec.protocol)
