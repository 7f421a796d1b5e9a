"use strict";
// Nothing here is needed: without it, forms and links do the same. / looks for words, j and k go through rows,
// Enter opens one, x ticks it, n and p turn pages or go from query to query.

const form = document.querySelector("form.ticking");
const boxes = form ? [...form.querySelectorAll("input[type=checkbox]")] : [];
const place = form ? `ticked ${form.action}` : "";

// Ticks outlive turning the page, sorting and filtering, in the order in which they were made.
let ticked = form ? JSON.parse(sessionStorage.getItem(place) || "[]") : [];

function show() {
  for (const box of boxes) box.checked = ticked.includes(box.value);
  const button = form.querySelector("button");
  button.disabled = ticked.length < Number(form.dataset.fewest);
  form.querySelector(".ticked").textContent = ticked.length ? `ticked: ${ticked.join(", ")}` : form.dataset.says;
  form.querySelector(".clear").hidden = !ticked.length;
}

function tick(names) {
  ticked = names;
  sessionStorage.setItem(place, JSON.stringify(ticked));
  show();
}

if (form) {
  form.addEventListener("change", ({ target }) => {
    tick([...ticked.filter((one) => one !== target.value), ...(target.checked ? [target.value] : [])]);
  });
  form.addEventListener("formdata", ({ formData }) => {
    formData.delete(boxes[0].name);
    for (const one of ticked) formData.append(boxes[0].name, one);
  });
  form.querySelector(".clear").addEventListener("click", () => tick([]));
  window.addEventListener("pageshow", show);
}

const rows = [...document.querySelectorAll(".listing tbody tr")];

function step(by) {
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(now + by, 0), rows.length - 1)];
  const link = next && (next.querySelector("a.to") || next.querySelector("input"));
  if (link) link.focus();
}

function turn(word, label) {
  const links = [...document.querySelectorAll(".pager a, .tabs a")];
  const link = document.querySelector(`.pager a[rel=${word}]`) || links.find((one) => one.textContent.includes(label));
  if (link) link.click();
}

const keys = {
  "/": () => document.querySelector("input[type=search]")?.select(),
  j: () => step(1),
  k: () => step(-1),
  n: () => turn("next", "next →"),
  p: () => turn("prev", "← previous"),
  x: () => document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=search]");
  if (typing && event.key === "Escape") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
