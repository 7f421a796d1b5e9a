"""The house: packages listed are packages on disk, links are in place, imports point one way."""

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTER = ("datasets", "store", "migrations")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# What each package may import of clipbench, besides itself. Siblings never import one another.
NOUNS = {"version", "records", "keys", "errors", "home", "foreign_files", "tabular", "photographs", "wording"}
PURE = {"metrics", "statistics", "perturb", "failures", "prompts", "rerank"}
SIBLINGS = {"datasets", "store", "encoders", "demo", "adapters", "indexes"}
ALLOWED = {
    **dict.fromkeys(NOUNS, NOUNS),
    "metrics": NOUNS,
    "statistics": NOUNS,
    "perturb": NOUNS,
    "failures": NOUNS,
    "prompts": NOUNS,
    "rerank": NOUNS,
    "datasets": NOUNS | PURE,
    "encoders": NOUNS | PURE,
    "adapters": NOUNS | PURE,
    "indexes": NOUNS | PURE,
    "store": NOUNS | PURE | {"migrations"},
    "migrations": {"store"},
    "demo": NOUNS | PURE,
    "study": NOUNS | PURE | SIBLINGS,
    "reports": NOUNS | PURE | {"store", "datasets", "study"},
    "serving": {"errors"},  # guards and addresses, of whatever page
    "annotation_page": NOUNS | PURE | {"store", "datasets", "study", "serving"},
    "browse_page": NOUNS | PURE | {"store", "datasets", "study", "reports", "serving"},
    "search_service": NOUNS | PURE | {"indexes", "store", "datasets", "study", "serving"},
    "cli": NOUNS
    | PURE
    | SIBLINGS
    | {"study", "reports", "serving", "annotation_page", "browse_page", "search_service"},
    "api": NOUNS | PURE | SIBLINGS | {"study", "reports", "cli"},
}


def modules() -> list[Path]:
    found = [p for p in (ROOT / "clipbench").rglob("*.py") if not p.is_symlink()]
    for name in OUTER:
        found += (ROOT / name).rglob("*.py")
    return sorted(set(found))


def part(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "clipbench":
        parts = parts[1:]
    return parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "clipbench" else ("clipbench", *parts)).removesuffix(".__init__")


def imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {n for n in names if n.startswith("clipbench.")}


def imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported_names(path)}


def test_packages_listed_are_packages_on_disk() -> None:
    on_disk = {
        ".".join(("clipbench", *init.parent.relative_to(ROOT / "clipbench").parts))
        for init in (ROOT / "clipbench").rglob("__init__.py")
    }
    for name in OUTER:
        for init in (ROOT / name).rglob("__init__.py"):
            on_disk.add(".".join(("clipbench", *init.parent.relative_to(ROOT).parts)))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == on_disk


@pytest.mark.parametrize("name", OUTER)
def test_links_show_the_outer_folders_inside_the_package(name: str) -> None:
    link = ROOT / "clipbench" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    home = part(path)
    if home in {"__init__", "__main__"}:
        return
    assert imports(path) - {home} - {"__version__"} <= ALLOWED[home]


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions count: a circle that is put off is a circle."""
    known = {dotted(path): imported_names(path) for path in modules()}
    graph = {
        module: {name if name in known else name.rpartition(".")[0] for name in names} - {module}
        for module, names in known.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def scripts() -> list[Path]:
    return sorted(path for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", [*modules(), *scripts()], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_holds_one_idea_and_a_function_fits_a_screen(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and part(path) != "migrations":
            # A migration declares tables and stays as it was. A command's parameters are the
            # declarations of its options, as many as it has.
            first = node.body[0].lineno if part(path) == "cli" else node.lineno
            long[node.name] = (node.end_lineno or 0) - first + 1
    assert {name: lines for name, lines in long.items() if lines > 60} == {}


def test_the_bare_name_datasets_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import datasets"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "clipbench.datasets" in done.stderr


HEAVY = ("torch", "open_clip", "sqlmodel", "sqlalchemy", "matplotlib", "scipy", "h5py", "pandas")


def test_the_command_line_starts_without_heavy_imports() -> None:
    code = f"import sys, clipbench.cli.app; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
