"""Labels as JSON: the result of the annotation page, and Label Studio's tasks in both directions.

Knows the two shapes and nothing of files or stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

from clipbench.errors import InputError, Problem
from clipbench.failures.exchange import COLUMNS, Entry
from clipbench.failures.taxonomy import AMBIGUOUS, CATEGORIES, NAMES, SUBTYPES
from clipbench.keys import Json

FORMAT = "clipbench-labels"
VERSION = 1

Found = tuple[str, list[Entry], list[Problem]]


def json_entries(value: object, path: Path) -> Found:
    """Return kind, labels and problems of a JSON value. Raises InputError for a shape that is neither."""
    if isinstance(value, dict) and value.get("format") == FORMAT:
        return _page(value, path)
    if isinstance(value, list) and value and all(isinstance(task, dict) and "data" in task for task in value):
        return _label_studio(value, path)
    what = f'neither the page\'s result ("format": "{FORMAT}") nor a list of Label Studio tasks'
    raise InputError(f"{path} is no label file", [Problem(str(path), 0, f"is {what}")])


def _page(value: Mapping[str, object], path: Path) -> Found:
    version, labels = value.get("version"), value.get("labels")
    if version != VERSION or not isinstance(labels, list):
        message = f"version {version!r:.20} with {type(labels).__name__} labels; version {VERSION} with a list is known"
        raise InputError(f"{path} is no label file", [Problem(str(path), 0, message)])
    annotator = _text(value.get("annotator"))
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, label in enumerate(labels, start=1):
        where = f"label {number}"
        if not isinstance(label, dict):
            problems.append(Problem(str(path), 0, f"{where} is a {type(label).__name__}, not an object"))
            continue
        cells = {name: _text(label.get(name)) for name in COLUMNS}
        entries.append(Entry(line=0, where=where, annotator=annotator, **cells))
    return "page", entries, problems


def _label_studio(tasks: Sequence[Mapping[str, object]], path: Path) -> Found:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, task in enumerate(tasks, start=1):
        data, given = task.get("data"), task.get("annotations", [])
        if not isinstance(data, dict) or not isinstance(given, list):
            problems.append(
                Problem(str(path), 0, f"task {number} has no data, or annotations that are no list")
            )
            continue
        cells = {name: _text(data.get(name)) for name in COLUMNS}
        whole = Entry(line=0, where=f"task {number}", **cells)
        kept = (a for a in given if isinstance(a, dict) and not a.get("was_cancelled"))
        entries.extend(_answered(whole, annotation) for annotation in kept)
    return "label-studio", entries, problems


def _answered(task: Entry, annotation: Mapping[str, object]) -> Entry:
    """Return a task with one annotator's answers; what they left open stays empty."""
    answers = {"category": "", "ambiguous_subtype": "", "notes": ""}
    results = annotation.get("result", [])
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            continue
        name, value = _text(result.get("from_name")), result["value"]
        said = value.get("choices") or value.get("text") or []
        said = [said] if isinstance(said, str) else said
        if name in answers and isinstance(said, list):
            answers[name] = " ".join(_text(part) for part in said)
    return replace(
        task,
        annotator=_who(annotation.get("completed_by")),
        category=answers["category"],
        ambiguous_subtype=answers["ambiguous_subtype"],
        notes=answers["notes"],
    )


def _who(completed_by: object) -> str:
    """Return the annotator's name: the part of a mail address before the @, or user<number>."""
    if isinstance(completed_by, dict):
        mail = _text(completed_by.get("email"))
        return mail.partition("@")[0] if mail else _who(completed_by.get("id"))
    if isinstance(completed_by, int) and not isinstance(completed_by, bool):
        return f"user{completed_by}"
    return _text(completed_by)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    return str(value) if isinstance(value, str | int) else ""


def page_result(annotator: str, labels: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """Return the result of the annotation page; each label has the columns of the exchange table."""
    return {"format": FORMAT, "version": VERSION, "annotator": annotator, "labels": list(labels)}


def label_studio_config() -> str:
    """Return the labelling interface for Label Studio's project settings: two pictures, caption, choices."""
    categories = "\n".join(
        f'      <Choice value={quoteattr(c.name)} alias={quoteattr(c.name)} hint={quoteattr(c.question)} hotkey="{n}"/>'
        for n, c in enumerate(CATEGORIES, start=1)
    )
    subtypes = "\n".join(
        f"      <Choice value={quoteattr(s.name)} hint={quoteattr(s.question)}/>" for s in SUBTYPES
    )
    return f"""<View>
  <Header value="$caption"/>
  <View style="display: flex; gap: 1em">
    <View style="flex: 1"><Header value="Ground truth" size="5"/><Image name="own" value="$gt_image"/></View>
    <View style="flex: 1"><Header value="Retrieved" size="5"/><Image name="found" value="$pred_image"/></View>
  </View>
  <Choices name="category" toName="found" choice="single-radio" required="true" showInLine="true">
{categories}
  </Choices>
  <View visibleWhen="choice-selected" whenTagName="category" whenChoiceValue="{AMBIGUOUS}">
    <Choices name="ambiguous_subtype" toName="found" choice="single-radio" showInLine="true">
{subtypes}
    </Choices>
  </View>
  <TextArea name="notes" toName="found" placeholder="Notes" maxSubmissions="1"/>
</View>
"""


def label_studio_task(
    cells: Mapping[str, Json], pictures: tuple[str, str], predicted: str | None = None
) -> dict[str, Json]:
    """Return one task: the exchange columns and the addresses of the two pictures as its data.

    predicted: a category to show as a prediction, None for none. Raises ValueError for another word.
    """
    task: dict[str, Json] = {"data": {**cells, "gt_image": pictures[0], "pred_image": pictures[1]}}
    if predicted is None:
        return task
    if predicted not in NAMES:
        raise ValueError(f"{predicted!r} is no category")
    value: Json = {"choices": [predicted]}
    result: Json = {"from_name": "category", "to_name": "found", "type": "choices", "value": value}
    return {**task, "predictions": [{"model_version": "clipbench hints", "result": [result]}]}
