"""Loads an encoder from a request and describes it completely, or says in one line why not.

Models are built by open_clip in the ordinary way; what is added is certainty: the right activation, real
weights, the whole identity, and a check that fast ways give the same vectors. Writes nothing.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from clipbench.encoders.activation import activation_record
from clipbench.encoders.batching import IMAGE_BATCH, TEXT_BATCH
from clipbench.encoders.causal_blocks import Layers
from clipbench.encoders.hub_cache import is_offline
from clipbench.encoders.libraries import library_versions, require_libraries
from clipbench.encoders.network import hub_offline, reachable, silent_libraries
from clipbench.encoders.offline import missing_error, offline_readiness, wanted_files
from clipbench.encoders.precision import exact_fp32, labelled, precision_notes, resolve_device
from clipbench.encoders.prefix_tree import sharing
from clipbench.encoders.preprocessing import Preprocessing, split
from clipbench.encoders.protocol import Encoder
from clipbench.encoders.resolution import Resolution, architecture_name, resolve
from clipbench.encoders.sources import CONFIG, checkpoint_file, folder_files, read_config, refuse_remote_code
from clipbench.encoders.specification import ModelSpec, Precision
from clipbench.encoders.text_trimming import CausalTower, agrees, causal_tower
from clipbench.encoders.tokenizing import Tokenizing, tokenizer_record, tokenizing
from clipbench.encoders.weights import resized_positions, tensors_only, weights_digest
from clipbench.errors import ClipbenchError, EncoderError
from clipbench.records import EncoderIdentity

_TRIMMING_PROBES = ("", "a photo of two dogs", "a man in a red shirt rides his bike, and " * 2, "word " * 100)
_PREFIX_PROBES = ("a photo", "a photo of two cats", "a man in a red shirt", "a man in a blue shirt rides")
_CONVOLUTIONS = 4
"""A tower with at least this many convolutions is convolutional; a transformer has one, at its stem."""


def load(spec: ModelSpec, *, text_batch: int | None = None, image_batch: int | None = None) -> Encoder:
    """Load the encoder that `spec` asks for.

    text_batch and image_batch default by device. Raises EncoderError for whatever is wrong with the
    request, the files, the installation or the device.
    """
    if spec.source == "toy":
        from clipbench.encoders.toy import ToyEncoder

        return ToyEncoder()
    require_libraries()
    device = resolve_device(spec.device, spec.precision)
    exact_fp32(device, spec.precision)
    try:
        return _loaded(spec, device, (text_batch, image_batch))
    except ClipbenchError:
        raise
    except Exception as error:
        # A damaged config or checkpoint lets open_clip, torch, safetensors, timm or the hub raise whatever
        # they meet first: of 262 damaged configs, 15 raised what nobody had listed.
        raise _load_error(spec, error) from error


def _loaded(spec: ModelSpec, device: str, batches: tuple[int | None, int | None]) -> Encoder:
    from clipbench.encoders.openclip import OpenClipEncoder

    resolution = resolve(spec)
    with _files(spec), silent_libraries():
        config = model_config(spec, resolution)
        model, transform = _build(spec, resolution, device)
        tokenizer = _tokenizer(spec, resolution)
    preprocessing = split(transform, model.visual.preprocess_cfg)
    identity = _identity(spec, resolution, config, model, preprocessing, tokenizer)
    fast = tokenizing(tokenizer)
    tower = _checked_tower(model, fast, spec.precision, device)
    if spec.precision == "int8":
        from clipbench.encoders.eight_bits import to_integers

        to_integers(model)
    return OpenClipEncoder(
        identity=identity,
        model=model,
        preprocessing=preprocessing,
        tokenizing=fast,
        tower=tower,
        precision=spec.precision,
        device=device,
        channels_last=_channels_last(model, spec.precision),
        text_batch=batches[0] or TEXT_BATCH[device],
        image_batch=batches[1] or IMAGE_BATCH[device],
        shared_by=_sharing(tower, fast, spec.precision, device),
        notes=(*resolution.notes, *_resized(spec, model), *precision_notes(spec.precision, device)),
    )


def _files(spec: ModelSpec) -> AbstractContextManager[None]:
    """Return the access to files under which to load: whole, or to what is on this machine where no more can be had.

    Raises EncoderError for what is missing, before open_clip tries the network or starts with random weights.
    """
    if spec.source == "folder":
        folder_files(spec.folder)
    wanted = wanted_files(spec)
    if not wanted or (not is_offline() and reachable(want.address for want in wanted)):
        return nullcontext()
    readiness = offline_readiness(spec)
    if not readiness.ready:
        raise missing_error(readiness, "HF_HUB_OFFLINE is set" if is_offline() else "and there is no network")
    return hub_offline()


def model_config(spec: ModelSpec, resolution: Resolution) -> Mapping[str, Any]:
    """Return the model_cfg that will be built, activation forced or not."""
    import open_clip

    if spec.source == "folder":
        config = read_config(spec.folder / CONFIG)["model_cfg"]
    else:
        try:
            config = open_clip.get_model_config(resolution.model)
        except Exception as error:
            raise _load_error(spec, error) from error
    if spec.source == "hub":
        refuse_remote_code(config, spec.words)
    forced = (
        {"quick_gelu": resolution.overrides["quick_gelu"]} if "quick_gelu" in resolution.overrides else {}
    )
    return {**config, **forced}


def _build(spec: ModelSpec, resolution: Resolution, device: str) -> tuple[Any, object]:
    """Return the model, ready to encode, and its evaluation transform."""
    import open_clip
    import torch

    # Integers are made of fp32 weights, once their digest was taken.
    built = "fp32" if spec.precision == "int8" else spec.precision
    arguments = {"precision": built, "device": device, **resolution.overrides}
    try:
        if spec.source == "random":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(spec.seed)
                model, _, transform = open_clip.create_model_and_transforms(
                    resolution.model, pretrained_text=False, **arguments
                )
        else:
            with tensors_only():
                model, transform = open_clip.create_model_from_pretrained(
                    resolution.model, resolution.pretrained, weights_only=True, **arguments
                )
    except Exception as error:
        raise _load_error(spec, error) from error
    return model.eval().requires_grad_(requires_grad=False), transform


def _tokenizer(spec: ModelSpec, resolution: Resolution) -> Any:
    import open_clip

    try:
        return open_clip.get_tokenizer(resolution.model)
    except Exception as error:
        raise _load_error(spec, error) from error


def _identity(
    spec: ModelSpec,
    resolution: Resolution,
    config: Mapping[str, Any],
    model: Any,
    preprocessing: Preprocessing,
    tokenizer: Any,
) -> EncoderIdentity:
    return EncoderIdentity(
        kind="open_clip",
        label=_label(spec, resolution),
        spec=spec.words,
        architecture=architecture_name(config, resolution.model),
        pretrained=Path(spec.pretrained).name if spec.pretrained else None,
        weights=weights_digest(model.state_dict()),
        activation=activation_record(model),
        preprocessing=preprocessing.description,
        tokenizer=tokenizer_record(tokenizer),
        precision=spec.precision,
        dimension=int(config["embed_dim"]),
        versions=library_versions(),
    )


def _label(spec: ModelSpec, resolution: Resolution) -> str:
    return labelled(_name(spec, resolution), spec.precision)


def _name(spec: ModelSpec, resolution: Resolution) -> str:
    if spec.source == "folder":
        return spec.folder.name
    if spec.source == "hub":
        return spec.repository
    if spec.source == "random":
        return f"{resolution.model} (random weights, seed {spec.seed})"
    return f"{resolution.model} ({Path(spec.pretrained or '').name})"


def _resized(spec: ModelSpec, model: Any) -> tuple[str, ...]:
    if spec.source not in {"file", "folder"}:
        return ()
    path = checkpoint_file(spec) if spec.source == "file" else folder_files(spec.folder)[1]
    return resized_positions(path, model.state_dict())


def _checked_tower(model: Any, tokens: Tokenizing, precision: Precision, device: str) -> CausalTower | None:
    import torch

    tower = causal_tower(model)
    if tower is None:
        return None
    probes = torch.from_numpy(tokens(_TRIMMING_PROBES).ids).to(device)
    return tower if agrees(tower, model, probes, precision) else None


def _sharing(
    tower: CausalTower | None, tokens: Tokenizing, precision: Precision, device: str
) -> Layers | None:
    """Return how to compute shared beginnings once where that is exact, and pays.

    On an accelerator, whose batches are large, one long sequence after another would be slower. In int8 a text's
    vector would hang on its neighbours, by which the rounding of the attention goes.
    """
    import torch

    if tower is None or device != "cpu" or precision == "int8":
        return None
    probes = torch.from_numpy(tokens([*_TRIMMING_PROBES, *_PREFIX_PROBES]).ids)
    return sharing(tower, probes, precision)


def _channels_last(model: Any, precision: Precision) -> bool:
    """Lay a convolutional image tower out as channels last where its arithmetic is coarse already.

    In fp32 it would be up to twice as fast too, but it rounds otherwise than open_clip's own layout (2e-7 on
    unit vectors, enough to turn a near-tie round): fp32 vectors are open_clip's.
    """
    import torch

    if precision in {"fp32", "int8"}:
        return False
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in model.visual.modules())
    if convolutions < _CONVOLUTIONS:
        return False
    model.visual.to(memory_format=torch.channels_last)
    return True


def _load_error(spec: ModelSpec, error: Exception) -> EncoderError:
    """Return what to tell the user about a failure inside open_clip."""
    readiness = offline_readiness(spec)
    text = " ".join(str(error).split()) or type(error).__name__
    if not readiness.ready:
        return missing_error(readiness, text[:160])
    if isinstance(error, ImportError):
        return EncoderError(
            f"{spec.words} needs a package that is not installed: {text[:160]}", "pip install transformers"
        )
    if "TorchScript" in text:
        return EncoderError(
            f"{spec.words} is a TorchScript archive, a program rather than weights",
            "use the published tag (--model ViT-B-32 --pretrained openai), or save its state_dict",
        )
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in text:
        return EncoderError(
            f"{spec.words} holds more than tensors or is damaged, and is not opened: {text[:120]}",
            "save only the weights: torch.save(model.state_dict(), PATH)",
        )
    if "loading state_dict" in text:
        return EncoderError(
            f"{spec.words}: {_mismatch(str(error))}", "name the architecture the weights are of"
        )
    return EncoderError(f"{spec.words} cannot be loaded: {type(error).__name__}: {text[:200]}")


def _mismatch(text: str) -> str:
    """Count what torch lists about weights that do not fit."""
    missing = text.partition("Missing key(s) in state_dict: ")[2].partition("\n")[0]
    unexpected = text.partition("Unexpected key(s) in state_dict: ")[2].partition("\n")[0]
    shapes = text.count("size mismatch for")
    first = next((line.strip() for line in text.splitlines()[1:] if line.strip()), "")
    return (
        f"the weights do not fit the architecture: {missing.count(', ') + 1 if missing else 0} tensors missing, "
        f"{unexpected.count(', ') + 1 if unexpected else 0} unexpected, {shapes} of another shape; {first[:120]}"
    )
