"use strict";
// The page works without this script for words. With it: pictures dropped, pasted or picked; results that change
// in place; keys; one photograph looked at closely. Results are made by the service, in one way for both.
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement.dataset.root;
  const token = root.slice(1);
  const form = byId("search");
  const results = byId("results");
  let picture = null; // a File to search with
  let shown = null; // address of its preview
  let asking = null; // the search under way
  let place = -1; // which result the dialog shows

  const say = (words) => { byId("said").textContent = words; };

  function trouble(title, words) {
    const box = document.createElement("div");
    box.className = "state trouble";
    box.setAttribute("role", "alert");
    const head = document.createElement("h1");
    head.textContent = title;
    const body = document.createElement("p");
    body.textContent = words;
    box.append(head, body);
    results.replaceChildren(box);
  }

  // --- Searching ----------------------------------------------------------------------------------

  async function search(query, data) {
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    results.classList.add("busy");
    results.setAttribute("aria-busy", "true");
    try {
      const options = { signal: mine.signal, credentials: "omit", cache: "no-store" };
      if (data) Object.assign(options, { method: "POST", body: data, headers: { "X-Clipbench-Token": token } });
      const answer = await fetch(root + "/results" + query, options);
      const kind = answer.headers.get("content-type") || "";
      if (kind.startsWith("text/html")) {
        results.innerHTML = await answer.text(); // made by the service, which escapes
      } else {
        const problem = await answer.json().catch(() => ({}));
        trouble(problem.title || "It did not work", problem.detail || "The service answered " + answer.status + ".");
      }
      const summary = results.querySelector(".summary, h1");
      say(summary ? summary.textContent : "");
    } catch (error) {
      if (error.name === "AbortError") return;
      trouble("No connection", "The service does not answer. Is it still running?");
    } finally {
      if (asking === mine) {
        asking = null;
        results.classList.remove("busy");
        results.removeAttribute("aria-busy");
      }
    }
  }

  const fields = () => {
    const kept = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string" && value.trim()) kept.set(name, value);
    return kept;
  };

  function submit(top) {
    const kept = fields();
    if (top) kept.set("top", top);
    if (picture) {
      byId("with-words").textContent = "like " + (picture.name || "the picture") + (kept.get("q") ? " and the words" : "");
      const data = new FormData();
      data.append("image", picture);
      for (const [name, value] of kept) if (name !== "like") data.append(name, value);
      return search("", data);
    }
    const query = kept.size ? "?" + kept : "";
    history.pushState(null, "", root + "/" + query);
    document.title = (kept.get("q") || "Search") + " · " + document.title.split(" · ").pop();
    return search(query);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    if (matchMedia("(pointer: coarse)").matches) document.activeElement.blur(); // let the keyboard of a phone go
  });
  addEventListener("popstate", () => location.reload());

  // --- A picture of one's own ---------------------------------------------------------------------

  function take(file) {
    if (!file) return;
    if (file.type && !file.type.startsWith("image/")) return trouble("Not a picture", file.name + " is no picture.");
    picture = file;
    if (shown) URL.revokeObjectURL(shown);
    shown = URL.createObjectURL(file);
    byId("like").disabled = true;
    byId("with-picture").src = shown;
    byId("with").hidden = false;
    submit();
  }

  byId("with-remove").addEventListener("click", (event) => {
    if (!picture) return;
    event.preventDefault();
    picture = null;
    byId("picture").value = "";
    byId("with").hidden = true;
    byId("q").focus();
    submit();
  });
  byId("picture").addEventListener("change", (event) => take(event.target.files[0]));
  addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file) {
      event.preventDefault();
      take(file);
    }
  });

  let over = 0;
  const brings = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragenter", (event) => { if (brings(event)) { over++; byId("drop").hidden = false; } });
  addEventListener("dragleave", (event) => { if (brings(event) && --over <= 0) { over = 0; byId("drop").hidden = true; } });
  addEventListener("dragover", (event) => { if (brings(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    over = 0;
    byId("drop").hidden = true;
    take(event.dataTransfer.files[0]);
  });

  // --- Looking at one -----------------------------------------------------------------------------

  const found = () => [...results.querySelectorAll(".open")];

  async function look(number) {
    const all = found();
    if (number < 0 || number >= all.length) return;
    place = number;
    const link = all[number];
    const id = link.dataset.id;
    const image = link.querySelector("img");
    byId("one-title").textContent = image ? image.alt : id;
    byId("one-scores").textContent = "Rank " + link.dataset.rank + ", cosine " + link.dataset.score + ", " + link.dataset.gap + " below the first" +
      (link.dataset.percentile ? ", above " + link.dataset.percentile + " % of the gallery" : "");
    byId("one-picture").hidden = !image;
    if (image) {
      byId("one-picture").alt = image.alt;
      byId("one-picture").src = image.src + "?size=1280";
    }
    byId("one-like").href = link.dataset.like;
    byId("one-previous").disabled = number === 0;
    byId("one-next").disabled = number === all.length - 1;
    byId("one-captions").replaceChildren();
    byId("one-columns").replaceChildren();
    if (!byId("one").open) byId("one").showModal();
    try {
      const answer = await fetch(root + "/v1/items/" + encodeURIComponent(id), { credentials: "omit" });
      if (!answer.ok || place !== number) return;
      const item = await answer.json();
      byId("one-captions").replaceChildren(...item.captions.slice(0, 10).map((words) => element("li", words)));
      const rows = [["id", item.id], ...(item.path ? [["file", item.path]] : []), ...Object.entries(item.columns)];
      byId("one-columns").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
    } catch { /* what is on the card stands there already */ }
  }

  function element(name, words) {
    const made = document.createElement(name);
    made.textContent = words;
    return made;
  }

  results.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("a");
    if (!link) return;
    if (link.classList.contains("open")) {
      event.preventDefault();
      look(found().indexOf(link));
    } else if (link.id === "more" && picture) {
      event.preventDefault();
      submit(new URL(link.href).searchParams.get("top"));
    }
  });
  results.addEventListener("error", (event) => {
    if (event.target.tagName === "IMG") event.target.classList.add("gone"); // its words stand in its place
  }, true);
  byId("one-previous").addEventListener("click", () => look(place - 1));
  byId("one-next").addEventListener("click", () => look(place + 1));
  byId("one-close").addEventListener("click", () => byId("one").close());
  byId("one").addEventListener("click", (event) => { if (event.target === byId("one")) byId("one").close(); });
  byId("one").addEventListener("close", () => { const link = found()[place]; if (link) link.focus(); });

  // --- Keys ---------------------------------------------------------------------------------------

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("one").open) {
      if (event.key === "ArrowLeft") look(place - 1);
      else if (event.key === "ArrowRight") look(place + 1);
      return;
    }
    const writing = event.target.matches("input");
    if (event.key === "/" && !writing) {
      event.preventDefault();
      byId("q").focus();
      byId("q").select();
      return;
    }
    const all = found();
    const here = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && writing && all.length) all[0].focus();
    else if (here >= 0 && event.key.startsWith("Arrow")) {
      const columns = getComputedStyle(results.querySelector(".grid")).gridTemplateColumns.split(" ").length;
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (here + step < 0) byId("q").focus();
      else if (all[here + step]) all[here + step].focus();
    } else return;
    event.preventDefault();
  });
})();
