"use strict";
// Shows the failures that pass the filters. Text is only ever set as text.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const everybody = [...new Set(data.items.flatMap((item) => item.labels.map((label) => label.annotator)))].sort();
  const margins = data.items.map((item) => item.margin);
  const [low, high] = [Math.min(...margins), Math.max(...margins)];

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function options(id, values) {
    byId(id).append(...values.map(([value, text]) => {
      const option = element("option", text);
      option.value = value;
      return option;
    }));
  }

  function card(item) {
    const made = element("article");
    const pair = element("div", undefined, "pair");
    item.pictures.forEach((number, side) => {
      const figure = element("figure");
      const image = element("img");
      image.loading = "lazy";
      image.decoding = "async";
      image.src = data.pictures[number];
      image.alt = data.sides[side] + " " + item.images[side];
      figure.append(image, element("figcaption", data.sides[side] + " · " + item.images[side]));
      pair.append(figure);
    });
    const first = element("ol", undefined, "first");
    item.first.forEach(([place, right], number) => {
      const entry = element("li", undefined, right ? "right" : "");
      const image = element("img");
      image.loading = "lazy";
      image.src = data.thumbnails[place];
      image.alt = (right ? "own picture, " : "") + "found " + (number + 1);
      entry.append(image, element("span", (right ? "✓ " : "") + (number + 1)));
      first.append(entry);
    });
    const labels = element("ul", undefined, "labels");
    for (const label of item.labels) {
      const words = label.annotator + ": " + label.category + (label.subtype ? " (" + label.subtype + ")" : "");
      const chip = element("li", words + (label.note ? " – " + label.note : ""));
      if (label.category === "Ambiguous") chip.className = "ambiguous";
      labels.append(chip);
    }
    if (!item.labels.length) labels.append(element("li", "no label", "none"));
    const facts = "rank " + item.rank + " · margin " + item.margin.toFixed(4) + " · caption " + item.id;
    made.append(element("h2", item.caption), pair, ...(item.first.length ? [first] : []), labels, element("p", facts, "facts"));
    return made;
  }

  function passes(item) {
    const [category, annotator] = [byId("category").value, byId("annotator").value];
    const theirs = item.labels.filter((label) => !annotator || label.annotator === annotator);
    const fits = category === "none" ? !theirs.length : category === "conflict"
      ? new Set(item.labels.map((label) => label.category)).size > 1
      : !category || theirs.some((label) => label.category === category);
    const words = byId("words").value.trim().toLowerCase();
    return fits && (!annotator || theirs.length || category === "none")
      && item.margin <= Number(byId("margin").value) + 1e-9
      && (!words || item.caption.toLowerCase().includes(words));
  }

  const orders = {
    drawn: () => 0, margin: (a, b) => a.margin - b.margin, rank: (a, b) => b.rank - a.rank,
    caption: (a, b) => (a.caption < b.caption ? -1 : a.caption > b.caption ? 1 : 0),
  };

  function show() {
    const shown = data.items.filter(passes).sort(orders[byId("order").value]);
    byId("cards").replaceChildren(...shown.map(card));
    byId("count").textContent = shown.length + " of " + data.items.length + " shown";
    byId("margin-shown").textContent = Number(byId("margin").value).toFixed(3);
  }

  document.title = data.title;
  byId("title").textContent = data.title;
  byId("note").textContent = data.note;
  options("category", [["", "any"], ...data.categories.map((name) => [name, name]), ["conflict", "annotators disagree"], ["none", "no label"]]);
  options("annotator", [["", "any"], ...everybody.map((name) => [name, name])]);
  Object.assign(byId("margin"), { min: low, max: high });
  byId("margin").value = high;
  byId("filters").addEventListener("input", show);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  show();
})();
