"""What the shell completes: names from the store, operations and models from their registries."""

from __future__ import annotations

import typer

from clipbench.home import locate

Words = list[tuple[str, str]]

NEWEST: Words = [("latest", "the newest run"), ("latest:clean", "the newest clean run")]


def datasets(context: typer.Context, incomplete: str) -> Words:
    """Return the datasets of the store."""
    return _stored(context, "datasets", incomplete)


def runs(context: typer.Context, incomplete: str) -> Words:
    """Return `latest`, the tags and the runs of the store."""
    found = _stored(context, "tags", incomplete) + _stored(context, "runs", incomplete)
    return [*(word for word in NEWEST if word[0].startswith(incomplete)), *found]


def tags(context: typer.Context, incomplete: str) -> Words:
    """Return the tags of the store."""
    return _stored(context, "tags", incomplete)


def indexes(context: typer.Context, incomplete: str) -> Words:
    """Return the indexes of the store."""
    return _stored(context, "indexes", incomplete)


def sweeps(context: typer.Context, incomplete: str) -> Words:
    """Return `latest` and the sweeps of the store."""
    found = _stored(context, "sweeps", incomplete)
    return [("latest", "the newest sweep"), *found] if "latest".startswith(incomplete) else found


def studies(incomplete: str) -> Words:
    """Return the studies that can be done again."""
    from clipbench.study.replicating.recipe import names

    return [(name, "a published study") for name in names() if name.startswith(incomplete)]


def operations(incomplete: str) -> Words:
    """Return the perturbations, and their families as `family:NAME`."""
    from clipbench.perturb import registry

    known = registry.operations()
    words = [(f"family:{family}", "all of a family") for family in sorted({one.family for one in known})]
    words += [(one.name, one.family) for one in known]
    return [word for word in words if word[0].startswith(incomplete)]


def _stored(context: typer.Context, kind: str, incomplete: str) -> Words:
    from clipbench.store.names import names

    home = locate(context.params.get("store"))
    return [word for word in names(home, kind) if word[0].startswith(incomplete)]
