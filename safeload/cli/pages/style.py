"""The style sheet of every page: light and dark, narrow and wide, and on paper. Plain ASCII, so that its hash holds in every encoding."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --back: #fff; --text: #1c1e21; --note: #55595f; --line: #d9dce1; --soft: #f4f5f7; --link: #0b57b0; --bar: #5b7fb4;
  --bad: #a31515; --bad-back: #fdecec; --good: #17662a; --good-back: #e9f6ec;
  --above-1: #fde8d7; --above-2: #f7c08f; --above-3: #a23c00; --below-1: #e0ebf8; --below-2: #a9cbf0; --below-3: #1d5fa8;
  --far: #fff; --broken: #7d1181; --broken-text: #fff;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --back: #15171a; --text: #e7e9ec; --note: #a8adb5; --line: #363a41; --soft: #1f2226; --link: #8ab8f5; --bar: #7394c7;
    --bad: #ff9a93; --bad-back: #3a1a1a; --good: #86d49a; --good-back: #15301c;
    --above-1: #3d2716; --above-2: #6b3c12; --above-3: #ffa04d; --below-1: #17293d; --below-2: #1d4470; --below-3: #7db7f7;
    --far: #111; --broken: #f0a3f3; --broken-text: #111;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; color: var(--text); background: var(--back); }
header, main, footer { max-width: 78rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; } footer { padding-bottom: 2rem; color: var(--note); font-size: 13px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p, ul, ol { margin: .4rem 0; } li { margin: .35rem 0; } p, li, dd { overflow-wrap: anywhere; }
a { color: var(--link); } details { margin: .4rem 0; font-size: 13px; } summary { cursor: pointer; min-height: 24px; } .note { color: var(--note); font-size: 13px; }
code, pre { font: 13px/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; margin: .4rem 0 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.verdict { margin: 0; padding: .6rem .9rem; border-radius: 6px; border-left: 5px solid; font-weight: 600; }
.verdict.good { color: var(--good); background: var(--good-back); } .verdict.bad { color: var(--bad); background: var(--bad-back); }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.2rem; margin: 1rem 0 0; }
.facts dt { color: var(--note); } .facts dd { margin: 0; } .facts ul { margin: 0; padding: 0; list-style: none; } .facts li { margin: 0; }
.copy { font: 12px/1.2 system-ui, sans-serif; margin-left: .4rem; padding: .15rem .5rem; min-height: 24px; color: var(--link);
  background: var(--back); border: 1px solid var(--line); border-radius: 4px; cursor: pointer; white-space: nowrap; }
.whole { user-select: all; }
.cut { display: inline-block; max-width: 10ch; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; vertical-align: top; }
.scroll { overflow-x: auto; position: relative; } table { border-collapse: collapse; font-size: 14px; }
caption { text-align: left; color: var(--note); font-size: 13px; padding: .2rem 0 .4rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; } thead th { font-weight: 600; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 400; } tbody th, tbody td { border-bottom: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } .short { white-space: nowrap; }
thead .number { white-space: normal; } .name { min-width: 15rem; overflow-wrap: anywhere; }
.bars { width: 100%; } .wide { width: 40%; } td.wide { white-space: nowrap; padding-right: 0; } th.wide { text-align: left; }
.wide .number { display: inline-block; width: 4rem; padding-right: .6rem; } .bar { width: calc(100% - 4rem); min-width: 5rem; height: .8rem; }
.bar rect { fill: var(--bar); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 3rem; }
input[type=search] { font: inherit; padding: .35rem .6rem; width: 100%; max-width: 26rem; color: inherit; background: var(--back);
  border: 1px solid var(--note); border-radius: 4px; }
fieldset { border: 0; padding: 0; margin: 0; min-width: 0; } legend { padding: 0; font-weight: 600; float: left; margin-right: 1rem; }
fieldset { line-height: 2; } fieldset label { margin-right: 1rem; white-space: nowrap; } fieldset table { line-height: 1.5; } .panel { display: none; clear: both; }
.map { font-size: 12px; font-variant-numeric: tabular-nums; } .map th, .map td { padding: .2rem .3rem; border: 1px solid var(--back); }
.map td { min-width: 3.4rem; text-align: center; vertical-align: middle; white-space: nowrap; background: var(--soft); }
.map th { text-align: right; white-space: nowrap; font-weight: 400; } .map thead th { vertical-align: bottom; border-bottom: 0; }
.map thead span { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; max-height: 16rem; overflow: hidden; }
.map tfoot td, .map tfoot th { background: none; color: var(--note); border-top: 2px solid var(--line); }
.key { display: flex; flex-wrap: wrap; gap: .3rem .5rem; padding: 0; margin: .6rem 0; list-style: none; font-size: 13px; }
.key li { margin: 0; padding: .1rem .6rem; border: 1px solid var(--line); border-radius: 4px; }
.a1 { background: var(--above-1) !important; } .a2 { background: var(--above-2) !important; } .b1 { background: var(--below-1) !important; }
.b2 { background: var(--below-2) !important; } .a3, .b3, .x { color: var(--far); font-weight: 700; } .a3 { background: var(--above-3) !important; }
.b3 { background: var(--below-3) !important; } .x { color: var(--broken-text); background: var(--broken) !important; } .off { color: var(--note); }
.e { font-weight: 700; box-shadow: inset 0 0 0 2px var(--text); } .odd { background: var(--bad-back); }
article { border: 1px solid var(--line); border-left: 5px solid var(--note); border-radius: 6px; padding: .6rem .9rem; margin: .7rem 0;
  color: var(--text); font-weight: 400; }
article.bad { border-left-color: var(--bad); color: var(--text); font-weight: 400; }
@media (max-width: 40rem) { .facts { grid-template-columns: minmax(0, 1fr); gap: 0; } .facts dd { margin-bottom: .5rem; }
  h1 { font-size: 1.25rem; } .name { min-width: 11rem; } legend { float: none; } fieldset label::after { content: "\\a"; white-space: pre; } }
@media (hover: hover) { tbody th, tbody td { position: relative; } tbody .copy { position: absolute; right: 0; top: .15rem; opacity: 0; }
  tbody tr:hover .copy, tbody .copy:focus-visible { opacity: 1; } }
@media print { .copy, .filter, fieldset > label, fieldset > input { display: none; } .scroll { overflow: visible; } body { font-size: 10pt; }
  td, th, .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; } tr, article { break-inside: avoid; }
  header, main, footer { max-width: none; padding: 0; } .map td { min-width: 0; } table { font-size: 8pt; } .map { font-size: 7pt; } }
"""
