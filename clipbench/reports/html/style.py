"""How a page looks: on paper, on a phone, in the dark. One style sheet, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #5b6470; --line: #d5dae0; --band: #f4f6f8; --mark: #0b57a4;
  --good: #17693a; --bad: #a8321f; --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0558b;
  --s4: #b07a00; --s5: #2f8fc4; --s6: #1b1f24; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #15181c; --ink: #e6e9ed; --soft: #9aa4b0; --line: #353c45; --band: #1d2228; --mark: #7cb7f2;
  --good: #6fcf97; --bad: #f2937f; --s0: #56b4e9; --s1: #f08a3c; --s2: #35c79b; --s3: #e09ac4;
  --s4: #e6b422; --s5: #8ccbf0; --s6: #e6e9ed; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem clamp(.9rem, 3vw, 2.5rem) 3rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
h1, h2, h3, p, li { overflow-wrap: anywhere; }
p { max-width: 68ch; margin: .4rem 0; }
a { color: var(--mark); }
.lead, .note, figcaption, footer { color: var(--soft); }
.note, figcaption, footer { font-size: .85rem; overflow-wrap: anywhere; }
p.note { max-width: 100ch; margin: .25rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: 1rem 0 0; }
.foreign { unicode-bidi: isolate; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .5rem 0; border: 1px solid var(--line); border-radius: 6px; }
.scroll:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .55rem; text-align: start; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { font-weight: 600; background: var(--band); vertical-align: bottom; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; background: var(--paper); position: sticky; inset-inline-start: 0; }
.n { text-align: end; white-space: nowrap; }
.k { white-space: nowrap; }
.b, thead th.n { white-space: normal; }
.w { min-width: 9rem; max-width: 26rem; overflow-wrap: anywhere; }
strong.better { color: var(--good); font-weight: 600; } strong.worse { color: var(--bad); font-weight: 600; }
.forced { border: 2px solid var(--bad); padding: .5rem .8rem; border-radius: 6px; max-width: none; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } svg .name { fill: var(--ink); font-weight: 600; }
.axis { stroke: var(--line); stroke-width: 1; fill: none; } .base { stroke: var(--soft); stroke-dasharray: 3 3; }
.curve { fill: none; stroke-width: 2; } .band { opacity: .16; stroke: none; } .dot { opacity: .75; stroke: none; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; padding: 0; list-style: none; }
.key { display: inline-block; width: 1.1rem; height: .25rem; margin-inline-end: .4rem; vertical-align: middle; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: .8rem; break-inside: avoid; min-width: 0; overflow: hidden; }
.card blockquote { margin: 0 0 .6rem; font-size: .95rem; overflow-wrap: anywhere; }
.card blockquote.second { color: var(--soft); }
.shots { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.5rem, 1fr)); gap: .6rem; align-items: start; }
.shots img, .none { display: block; width: 100%; height: 8.5rem; object-fit: contain; background: var(--band); border-radius: 4px; }
.shots figcaption { margin-top: .2rem; }
.shots .none { display: grid; place-items: center; color: var(--soft); font-size: .8rem; padding: .4rem; text-align: center; }
.shots .said { background: var(--band); border-radius: 4px; min-height: 8.5rem; max-height: 20rem; overflow: auto; padding: .4rem;
  font-size: .85rem; }
.tag { display: inline-block; font-size: .75rem; font-weight: 600; padding: 0 .45rem; border: 1px solid currentColor;
  border-radius: 1rem; } .tag.fixed, .tag.up { color: var(--good); } .tag.broken, .tag.down { color: var(--bad); }
code { font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.command { display: block; background: var(--band); border-radius: 4px; padding: .3rem .6rem; margin: .2rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
.s0{color:var(--s0)} .s1{color:var(--s1)} .s2{color:var(--s2)} .s3{color:var(--s3)} .s4{color:var(--s4)}
.s5{color:var(--s5)} .s6{color:var(--s6)}
svg [class^="s"] .curve, svg [class^="s"] .point { stroke: currentColor; }
svg [class^="s"] .band, svg [class^="s"] .dot, svg [class^="s"] .point { fill: currentColor; }
.key { background: currentColor; }
@media (max-width: 40rem) { body { padding-top: 1rem; } h1 { font-size: 1.35rem; } th, td { padding: .28rem .5rem; }
  tbody th, tbody th.k { white-space: normal; }
  tbody th .foreign { display: inline-block; width: max-content; max-width: 8.5rem; overflow-wrap: break-word; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --band: #f2f2f2; --mark: #000;
    --good: #000; --bad: #000; --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0558b; --s4: #b07a00;
    --s5: #2f8fc4; --s6: #000; }
  @page { size: A4 landscape; margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .k, .n { white-space: normal; } .scroll { overflow: visible; border: 0; } table { font-size: 7.5pt; } th, td { padding: .15rem .3rem; }
  tbody th { position: static; } .k { white-space: nowrap; }
.b, thead th.n { white-space: normal; }
.w { min-width: 0; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
  thead { display: table-header-group; } .cards { grid-template-columns: repeat(4, 1fr); gap: .5rem; }
  .card { padding: .4rem; font-size: 8pt; } .card blockquote { font-size: 8.5pt; margin-bottom: .3rem; }
  .shots { grid-template-columns: repeat(auto-fit, minmax(4rem, 1fr)); } .shots img, .none { height: 5.5rem; }
  .shots .said { min-height: 0; max-height: none; font-size: 7.5pt; } .note, figcaption, footer { font-size: 7.5pt; } }
"""


def style_hash() -> str:
    """Return the source expression that lets this style sheet, and no other, into the page."""
    return f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
