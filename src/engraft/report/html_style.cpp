#include "engraft/report/html_style.h"

namespace engraft {

std::string_view html_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1f2328; --muted: #5d6771; --line: #e1e5ea;
  --accent: #0072b2; --band: #cfe3f1; --wrong: #c8102e; --note: #fff6e0; --note-line: #e2b64c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --ink: #e6e9ed; --muted: #98a3ae; --line: #2e343c;
    --accent: #5ab4e8; --band: #234a63; --wrong: #ff7b86; --note: #2b2618; --note-line: #a5863a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 1000px; margin: 0 auto; padding: 44px 24px 32px; }
header { margin-bottom: 28px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 44px 0 12px; letter-spacing: -.005em; }
p { margin: 0 0 10px; max-width: 72ch; }
.kicker {
  color: var(--muted); font-size: 13px; font-weight: 600; letter-spacing: .08em;
  text-transform: uppercase; margin: 0 0 6px;
}
.muted { color: var(--muted); }
.small { font-size: 14px; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 26px 28px;
}
.headline { display: flex; flex-wrap: wrap; gap: 10px 36px; align-items: center; }
.figure-number { font-size: 60px; line-height: 1; font-weight: 700; letter-spacing: -.03em; }
.headline > .text { flex: 1 1 340px; }
.headline .text p:last-child { margin-bottom: 0; }
.scale { width: 100%; margin-top: 22px; }
.track { position: relative; height: 8px; border-radius: 4px; background: var(--line); }
.track i { position: absolute; top: 0; height: 8px; border-radius: 4px; background: var(--band); }
.track b { position: absolute; top: -4px; width: 4px; height: 16px; margin-left: -2px; border-radius: 2px; background: var(--accent); }
.ends { display: flex; justify-content: space-between; color: var(--muted); font-size: 13px; margin-top: 6px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(185px, 1fr)); gap: 14px; margin-top: 14px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 18px; }
.tile .name { color: var(--muted); font-size: 14px; }
.tile .value { font-size: 23px; font-weight: 650; letter-spacing: -.01em; }
.tiles.folds { grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); }
.number, .tile .value { font-variant-numeric: tabular-nums; white-space: nowrap; }
.drawing {
  background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 10px; overflow-x: auto;
}
.drawing svg { display: block; margin: 0 auto; width: 100%; height: auto; }
.drawing.wide svg { min-width: 640px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(200px, 45%), 1fr)); gap: 6px; }
.card.table { overflow-x: auto; padding: 6px 0; }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
th, td { text-align: left; vertical-align: top; padding: 9px 20px; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-size: 13px; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 8em; max-width: 24em; }
td, tbody th { overflow-wrap: break-word; }
.right { text-align: right; }
.interval { display: block; color: var(--muted); font-size: 13px; white-space: nowrap; }
.facts td { max-width: 0; }
.facts th { width: 30%; min-width: 7em; color: var(--muted); font-weight: 500; }
.notes {
  background: var(--note); border: 1px solid var(--note-line); border-radius: 12px;
  padding: 14px 22px; margin: 14px 0 0;
}
.notes p { margin: 4px 0; }
details > summary { cursor: pointer; color: var(--accent); margin: 4px 0 10px; }
footer { margin-top: 44px; padding-top: 14px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }
@media (max-width: 560px) {
  main { padding: 26px 14px; }
  .card { padding: 20px 18px; }
  .figure-number { font-size: 48px; }
  th, td { padding: 8px 12px; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #ccc; --band: #ccc; --accent: #000; }
  main { max-width: none; padding: 0; }
  .drawing, .card, .tile, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
)css";
}

}  // namespace engraft
