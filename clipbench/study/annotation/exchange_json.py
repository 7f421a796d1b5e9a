"""Labels as JSON: the result of the annotation page, and Label Studio's tasks in both directions.

Knows the two shapes and nothing of files or stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from xml.sax.saxutils import quoteattr

from clipbench.errors import InputError, Problem
from clipbench.failures.exchange import COLUMNS, Entry
from clipbench.failures.taxonomy import AMBIGUOUS, CATEGORIES, NAMES, SUBTYPES
from clipbench.keys import Json

FORMAT = "clipbench-labels"
STUDIO = "label-studio"
VERSION = 1

Found = tuple[str, list[Entry], list[Problem]]


def json_entries(value: object, path: Path) -> Found:
    """Return kind, labels and problems of a JSON value. Raises InputError for a shape that is neither."""
    if isinstance(value, dict) and value.get("format") == FORMAT:
        return _page(value, path)
    if isinstance(value, list) and value and all(isinstance(task, dict) for task in value):
        if all("data" in task for task in value):
            return _label_studio(value, path)
        if all({"annotation_id", "caption"} <= set(task) for task in value):
            return _label_studio_min(value)
    what = f'neither the page\'s result ("format": "{FORMAT}") nor a list of Label Studio tasks (JSON or JSON_MIN)'
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


Dated = tuple[tuple[bool, datetime, int], Entry]
"""When an annotation was given last, with its number for those of one moment, and the annotation."""


def _label_studio(tasks: Sequence[Mapping[str, object]], path: Path) -> Found:
    answers: list[Dated] = []
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
        answers += [(_moment(one, one.get("id")), _answered(whole, one)) for one in kept]
    return STUDIO, _in_order(answers), problems


def _label_studio_min(rows: Sequence[Mapping[str, object]]) -> Found:
    """Return the labels of Label Studio's JSON_MIN: a flat object for each annotation."""
    answers: list[Dated] = []
    for number, row in enumerate(rows, start=1):
        cells = {name: _said(row.get(name)) for name in COLUMNS}
        one = Entry(line=0, where=f"annotation {number}", **cells)
        annotator = _who(row.get("annotator"))
        answers.append((_moment(row, row.get("annotation_id")), replace(one, annotator=annotator)))
    return STUDIO, _in_order(answers), []


def _in_order(answers: Sequence[Dated]) -> list[Entry]:
    """Return annotations, the oldest first: of one person's several of a task, the newest is to count."""
    return [answer for _, answer in sorted(answers, key=itemgetter(0))]


def _moment(annotation: Mapping[str, object], number: object) -> tuple[bool, datetime, int]:
    """Return when an annotation was given or changed last, those of no date first."""
    count = number if isinstance(number, int) else 0
    for name in ("updated_at", "created_at"):
        try:
            told = datetime.fromisoformat(_text(annotation.get(name)))
        except ValueError:
            continue
        return True, told if told.tzinfo else told.replace(tzinfo=UTC), count
    return False, datetime.min.replace(tzinfo=UTC), count


def _answered(task: Entry, annotation: Mapping[str, object]) -> Entry:
    """Return a task with one annotator's answers; what they left open stays empty."""
    answers = {"category": "", "ambiguous_subtype": "", "notes": ""}
    results = annotation.get("result", [])
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            continue
        if (name := _text(result.get("from_name"))) in answers:
            answers[name] = _said(result["value"])
    return replace(
        task,
        annotator=_who(annotation.get("completed_by")),
        category=answers["category"],
        ambiguous_subtype=answers["ambiguous_subtype"],
        notes=answers["notes"],
    )


def _said(value: object) -> str:
    """Return an answer: a text, a list of them, or an object that holds choices or texts."""
    if isinstance(value, dict):
        value = value.get("choices") or value.get("text") or []
    if isinstance(value, list):
        return " ".join(_text(part) for part in value)
    return _text(value)


def _who(person: object) -> str:
    """Return an annotator's name: the whole mail address, for two people may share what stands before its @.

    user<number> where there is no address.
    """
    if isinstance(person, dict):
        mail = _text(person.get("email"))
        return mail or _who(person.get("id"))
    if isinstance(person, int) and not isinstance(person, bool):
        return f"user{person}"
    return _text(person)


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
