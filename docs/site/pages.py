"""What the site has beside the pages of docs/: the README in front, a page of every command, the notebook.

MkDocs calls the functions `on_...` (https://www.mkdocs.org/user-guide/plugins/#events). Nothing made here is kept
in the repository: commands are asked for their help when the site is built.
"""

from __future__ import annotations

import json
import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from docs_blocks import commands  # noqa: E402  # found by the line above

FRONT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the top level, and what they are called on the site."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the pages of commands in the navigation, group by group."""
    groups: dict[str, list[Any]] = {}
    for words in commands():
        groups.setdefault(words[0], []).append({" ".join(words): f"commands/{'-'.join(words)}.md"})
    listed = [pages[0] if len(pages) == 1 else {group: pages} for group, pages in groups.items()]
    for entry in config.nav or []:
        if "Every command" in entry:
            entry["Every command"] = listed
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {name: front_page((ROOT / source).read_text(encoding="utf-8")) for source, name in FRONT.items()}
    made |= {f"commands/{'-'.join(words)}.md": command_page(words) for words in commands()}
    notebook = Path(config.docs_dir) / "notebook.ipynb"
    made["notebook.md"] = notebook_page(json.loads(notebook.read_text(encoding="utf-8")))
    # The worker is named as the offline plugin expects it; else it would take one from the network.
    for name in ("iframe-worker.js", "site.css"):
        made[f"assets/{name}"] = (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    for file in list(files):
        if file.src_uri.endswith((".ipynb", ".1")):
            files.remove(file)
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead to the page of the notebook where a page leads to its file."""
    return markdown.replace("](notebook.ipynb)", "](notebook.md)")


def front_page(text: str) -> str:
    """Return a page of the top level with its links as they lead on the site.

    >>> front_page("[a](docs/a.md#b) [c](CHANGELOG.md)")
    '[a](a.md#b) [c](changelog.md)'
    """
    text = re.sub(r"\]\(docs/", "](", text)
    for source, name in FRONT.items():
        text = text.replace(f"]({source}", f"]({name}")
    return text


def command_page(words: tuple[str, ...]) -> str:
    """Return what `clipbench WORDS --help` says, as a page."""
    command, name = commands()[words], " ".join(("clipbench", *words))
    context = command.context_class(command, info_name=name)
    usage = " ".join((name, *command.collect_usage_pieces(context)))
    parts = [f"# {name}", (command.help or "").strip(), f"```\n{usage}\n```"]
    for kind, heading in (("argument", "Argument"), ("option", "Option")):
        records = [
            record
            for parameter in command.get_params(context)
            if parameter.param_type_name == kind and (record := parameter.get_help_record(context))
        ]
        if records:
            parts.append(
                f"## {heading}s\n\n| {heading} | what it is |\n|---|---|\n"
                + "\n".join(_row(*record) for record in records)
            )
    return "\n\n".join(parts) + "\n"


def _row(spelling: str, says: str) -> str:
    # Within code a bar parts no cells; elsewhere it would, and what looks like a tag would be one.
    told = " ".join(says.split()).replace("<", "&lt;").replace("|", "&#124;")
    return f"| `{spelling}` | {told} |"


def notebook_page(notebook: dict[str, Any]) -> str:
    """Return a notebook as a page: its words, its code, what each cell gave."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(part for part in parts if part) + "\n"


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f"```\n{''.join(output['text']).rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="{escape(_alt(data))}" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>'
    return f"```\n{''.join(data.get('text/plain', ''))}\n```"


def _alt(data: dict[str, Any]) -> str:
    return "".join(data.get("text/plain", "a figure"))
