"use strict";
// What is shown and done on the page. Text is only ever set as text; `keepers` keep the choices.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = byId("data");
  const state = { page: null, at: 0, undo: [], keys: true, shownDone: false };
  const { serverKeeper, fileKeeper } = keepers({ state, trouble, status, showAgain });
  const keeper = data ? fileKeeper(JSON.parse(data.textContent)) : serverKeeper();

  function download() {
    const page = state.page;
    const labels = page.items.filter((entry) => entry.category).map((entry) => ({
      item: entry.item,
      caption: entry.caption,
      caption_id: entry.caption_id || "",
      category: entry.category,
      ambiguous_subtype: entry.subtype || "",
      notes: entry.note,
    }));
    const result = { format: "clipbench-labels", version: 1, annotator: page.annotator, sample: page.sample, labels };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(result, null, 1)], { type: "application/json" }));
    link.download = "labels_" + page.annotator + ".json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("Downloaded " + labels.length + " labels as " + link.download + ".");
  }

  // --- Saying things --------------------------------------------------------------------------------

  function say(text) {
    byId("live").textContent = "";
    setTimeout(() => { byId("live").textContent = text; }, 30); // an equal text twice is read twice
  }

  function trouble(text) {
    const box = byId("trouble");
    if (box.textContent !== text) box.textContent = text;
    box.hidden = !text;
  }

  function status() {
    const waits = keeper.pending();
    const entry = state.page && state.page.items[state.at];
    const word = keeper.file ? "Kept here" : "Saved";
    byId("status").textContent = waits ? "Saving…" : entry && entry.category ? word + " ✓" : "";
    byId("status").className = "status" + (waits ? "" : " saved");
    if (byId("done").open) doneWords();
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // --- Showing --------------------------------------------------------------------------------------

  const done = () => state.page.items.filter((entry) => entry.category).length;
  const matches = (choice, entry) => choice.category === entry.category && (choice.subtype || null) === (entry.subtype || null);
  const named = (entry) => (state.page.choices.find((choice) => matches(choice, entry)) || { title: entry.category || "no label" }).title;

  function show(index, focus) {
    const items = state.page.items;
    state.at = Math.max(0, Math.min(items.length - 1, index));
    const entry = items[state.at];
    byId("place").textContent = "Caption " + (state.at + 1) + " of " + items.length;
    byId("caption").textContent = entry.caption;
    ["left", "right"].forEach((id, side) => {
      const image = byId(id);
      image.src = keeper.picture(entry, side);
      image.alt = entry.sides[side].alt;
      byId(id + "-name").textContent = entry.sides[side].name;
      byId("zoom-" + id + "-name").textContent = ": " + entry.sides[side].name;
    });
    byId("note").value = entry.note || "";
    const hints = byId("hints");
    hints.replaceChildren(...(entry.hints || []).map((hint) => element("p", "", hint)));
    hints.hidden = !hints.childElementCount;
    marks();
    const after = items[state.at + 1];
    if (after) [0, 1].forEach((side) => { new Image().src = keeper.picture(after, side); });
    if (focus) byId("caption").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  function showAgain() {
    // Pictures that could not be fetched while the program was away.
    ["left", "right"].forEach((id, side) => {
      const image = byId(id);
      if (image.complete && !image.naturalWidth) image.src = keeper.picture(state.page.items[state.at], side);
    });
  }

  function marks() {
    const items = state.page.items;
    const entry = items[state.at];
    const ready = done();
    byId("count").textContent = ready + " of " + items.length;
    byId("bar").max = items.length;
    byId("bar").value = ready;
    byId("previous").disabled = state.at === 0;
    byId("next").disabled = state.at === items.length - 1;
    byId("undo").disabled = !state.undo.length;
    byId("clear").disabled = !entry.category;
    byId("unlabelled").disabled = ready === items.length;
    for (const button of byId("choices").children) {
      button.setAttribute("aria-pressed", String(matches(button.choice, entry)));
    }
    status();
  }

  function buildChoices() {
    byId("choices").replaceChildren(...state.page.choices.map((choice) => {
      const button = element("button", choice.subtype ? "ambiguous" : "");
      button.type = "button";
      button.choice = choice;
      button.title = choice.title + ": " + choice.brief;
      button.setAttribute("aria-keyshortcuts", choice.key);
      const [over, name] = choice.subtype ? choice.title.split(": ") : ["", choice.title];
      const head = element("span", "head");
      head.append(element("kbd", "", choice.key), " ", ...(over ? [element("span", "over", over)] : [element("span", "name", name)]));
      button.append(head, " ");
      if (over) button.append(element("span", "name", name), " ");
      button.append(element("span", "brief", choice.brief));
      button.addEventListener("click", () => choose(choice));
      return button;
    }));
  }

  function buildGuide() {
    const page = state.page;
    byId("guide-steps").replaceChildren(...page.steps.map((step) => element("li", "", step)));
    const list = byId("guide-list");
    list.replaceChildren();
    for (const part of page.guide) {
      const term = element("dt", "", part.name + " ");
      if (part.long !== part.name) term.append(element("small", "", part.long));
      list.append(term, element("dd", "", part.question), element("dd", "example", part.example));
      if (part.name === "Ambiguous") {
        for (const subtype of page.subtypes) list.append(element("dd", "subtype", subtype.name + ": " + subtype.question));
      }
    }
  }

  // --- Doing ----------------------------------------------------------------------------------------

  function put(index, value) {
    const entry = state.page.items[index];
    state.undo.push({ index, before: { category: entry.category, subtype: entry.subtype, note: entry.note } });
    Object.assign(entry, value);
    keeper.save(entry);
  }

  function choose(choice) {
    const index = state.at;
    keepNote();
    put(index, { category: choice.category, subtype: choice.subtype || null });
    marks();
    const items = state.page.items;
    const open = nextOpen(index);
    if (open === -1 && !state.shownDone) {
      state.shownDone = true;
      return finish();
    }
    const to = index + 1 < items.length ? index + 1 : index;
    setTimeout(() => {
      if (state.at !== index) return;
      show(to);
      say(choice.title + (to === index ? " saved." : " saved. Caption " + (to + 1) + " of " + items.length + ": " + items[to].caption));
    }, 160);
  }

  function doneWords() {
    const all = "All " + state.page.items.length + " captions have a label";
    const waits = keeper.pending();
    byId("done-words").textContent = keeper.file
      ? all + ". Download the result now and send the file back."
      : waits ? all + "; " + waits + (waits === 1 ? " is" : " are") + " not saved yet. Keep this page open."
      : all + ", and every one is saved. You can close this page.";
  }

  function finish() {
    doneWords();
    open("done");
  }

  function clear() {
    if (!state.page.items[state.at].category) return;
    put(state.at, { category: null, subtype: null });
    marks();
    say("Label taken back.");
  }

  function undo() {
    const last = state.undo.pop();
    if (!last) return say("Nothing to undo.");
    const entry = state.page.items[last.index];
    Object.assign(entry, last.before);
    keeper.save(entry);
    show(last.index);
    say("Undone. Caption " + (last.index + 1) + " is " + named(entry) + ".");
  }

  function keepNote() {
    const entry = state.page.items[state.at];
    const note = byId("note").value.trim();
    if (note === (entry.note || "")) return;
    put(state.at, { note });
    marks();
  }

  function nextOpen(from) {
    const items = state.page.items;
    for (let step = 1; step <= items.length; step++) {
      const index = (from + step) % items.length;
      if (!items[index].category) return index;
    }
    return -1;
  }

  function go(index) {
    keepNote();
    show(index, true);
    const entry = state.page.items[state.at];
    say("Caption " + (state.at + 1) + ", " + named(entry));
  }

  function open(id) {
    const dialog = byId(id);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  function zoom(side) {
    const from = byId(side);
    byId("zoom-image").src = from.src;
    byId("zoom-image").alt = from.alt;
    byId("zoom-name").textContent = byId(side + "-name").textContent;
    open("zoom");
  }

  function overview() {
    const items = state.page.items;
    byId("overview-count").textContent = done() + " of " + items.length + " have a label.";
    byId("cells").replaceChildren(...items.map((entry, index) => {
      const cell = element("button", (entry.category ? "labelled" : "") + (index === state.at ? " here" : ""));
      cell.type = "button";
      cell.title = named(entry);
      cell.append(element("span", "hidden", "Caption "), String(index + 1), " ");
      cell.append(entry.category ? element("small", "", entry.category) : element("span", "hidden", "no label"));
      cell.addEventListener("click", () => { byId("overview").close(); go(index); });
      return cell;
    }));
    open("overview");
    const here = byId("cells").querySelector(".here");
    if (here) here.focus();
  }

  // --- Keys and clicks ------------------------------------------------------------------------------

  const shortcuts = {
    ArrowLeft: () => go(state.at - 1), ArrowRight: () => go(state.at + 1),
    z: undo, u: () => { const index = nextOpen(state.at); if (index !== -1) go(index); },
    g: () => open("guide"), "?": () => open("guide"), v: overview, 0: clear,
    n: () => byId("note").focus(), l: () => zoom("left"), r: () => zoom("right"),
  };

  addEventListener("keydown", (event) => {
    if (!state.page || document.querySelector("dialog[open]")) return;
    if (event.target === byId("note")) {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      if (event.key === "Escape") byId("note").value = state.page.items[state.at].note || "";
      keepNote();
      byId("caption").focus({ preventScroll: true });
      return event.preventDefault();
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((event.ctrlKey || event.metaKey) && key === "z" && !event.altKey) {
      event.preventDefault();
      return undo();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !state.keys || event.repeat) return;
    const choice = state.page.choices.find((one) => one.key === key);
    if (choice) choose(choice);
    else if (shortcuts[key]) shortcuts[key]();
    else return;
    event.preventDefault();
  });

  const clicks = {
    previous: () => go(state.at - 1), next: () => go(state.at + 1), undo, clear,
    unlabelled: shortcuts.u, "open-guide": shortcuts.g, "open-overview": overview, download, "done-download": download,
    "zoom-left": () => zoom("left"), "zoom-right": () => zoom("right"), left: () => zoom("left"), right: () => zoom("right"),
    "zoom-image": () => byId("zoom").close(),
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("note").addEventListener("blur", () => { if (state.page) keepNote(); });
  byId("keys-on").addEventListener("change", (event) => { state.keys = event.target.checked; });
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }

  // --- Starting -------------------------------------------------------------------------------------

  async function start(name) {
    byId("start-error").textContent = "";
    try {
      state.page = await keeper.items(name);
    } catch (error) {
      byId("start-error").textContent = error.message;
      return;
    }
    state.undo = [];
    state.shownDone = done() === state.page.items.length;
    document.title = "Why did it fail? " + state.page.title;
    byId("who").textContent = state.page.annotator;
    byId("download").hidden = byId("done-file").hidden = !keeper.file;
    byId("start").hidden = true;
    byId("work").hidden = false;
    buildChoices();
    buildGuide();
    show(Math.max(0, nextOpen(-1)), true);
    say("Welcome, " + state.page.annotator + ". " + done() + " of " + state.page.items.length + " labelled. Caption " + (state.at + 1) + ": " + state.page.items[state.at].caption);
  }

  async function begin() {
    let told;
    try {
      told = await keeper.people();
    } catch (error) {
      return trouble(error.message);
    }
    byId("start-what").textContent = told.title;
    const people = byId("start-people");
    for (const person of told.people) {
      const button = element("button");
      button.type = "button";
      button.append(element("b", "", person.name), element("span", "quiet", keeper.file ? person.total + " captions" : person.done + " of " + person.total + " labelled"));
      button.addEventListener("click", () => start(person.name));
      people.append(button);
    }
    people.hidden = !told.people.length;
    byId("start-free").hidden = !told.free;
    byId("start").hidden = false;
    const first = people.querySelector("button") || byId("start-name");
    first.focus();
  }

  byId("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("start-name").value.trim();
    if (/^[\p{L}\p{N}][\p{L}\p{N}.-]{0,59}$/u.test(name)) start(name);
    else byId("start-error").textContent = "A name of letters, digits, hyphens and dots, please.";
  });
  begin();
})();
