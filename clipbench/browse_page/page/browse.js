"use strict";
// Nothing here is needed: without it, forms and links do the same. / looks for words, j and k go through rows,
// Enter opens one, x ticks it, n and p turn pages or go from query to query.

const form = document.querySelector("form.ticking");
const boxes = form ? [...form.querySelectorAll("input[type=checkbox]")] : [];

function count() {
  const ticked = boxes.filter((box) => box.checked).length;
  form.querySelector("button").disabled = ticked < Number(form.dataset.fewest);
}

if (form) {
  form.addEventListener("change", count);
  window.addEventListener("pageshow", count);
  count();
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
