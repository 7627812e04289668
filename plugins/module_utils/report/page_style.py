# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of the page: light and dark, screen and paper, no remote fonts."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #5f6368; --paper: #fff; --card: #f6f7f9; --line: #dfe3e8;
  --good: #0072b2; --doubtful: #9a6700; --bad: #b34700; --soft-good: #e6f1f8; --soft-doubtful: #fdf3de; --soft-bad: #fbe9df; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --faint: #a5abb3; --paper: #16181b; --card: #1f2226; --line: #373c43;
  --good: #6cb8e6; --doubtful: #f0b849; --bad: #f2925c; --soft-good: #16303f; --soft-doubtful: #3a2f14; --soft-bad: #3f2416; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 28px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; line-height: 1.25; }
h2 { font-size: 20px; margin: 44px 0 12px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 24px 0 8px; }
p { margin: 6px 0; } a { color: var(--good); } code { font-size: 0.92em; }
.faint, caption, figcaption { color: var(--faint); }
.banner { border-left: 8px solid var(--faint); background: var(--card); padding: 18px 22px; border-radius: 4px; }
.banner.passed { border-color: var(--good); background: var(--soft-good); }
.banner.failed { border-color: var(--bad); background: var(--soft-bad); }
.banner.incomplete { border-color: var(--doubtful); background: var(--soft-doubtful); }
.banner ul { margin: 10px 0 0; padding-left: 20px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 16px 0 0; font-size: 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
th { font-weight: 600; color: var(--faint); background: var(--card); position: sticky; top: 0; }
th.text, td.text { text-align: left; } td.wrap { white-space: normal; }
caption { text-align: left; padding: 0 0 6px; font-size: 13px; caption-side: top; }
.badge { display: inline-block; padding: 0 8px; border-radius: 10px; border: 1px solid currentColor; font-weight: 600; font-size: 12.5px; }
.valid, .met { color: var(--good); } .invalid, .unknown, .missing { color: var(--doubtful); } .failed, .missed { color: var(--bad); }
.not_judged { color: var(--faint); } .banner.failed, .banner.not_judged { color: inherit; }
tr.note td { border-bottom: 1px solid var(--line); padding-top: 0; font-size: 13px; text-align: left; white-space: normal; color: var(--faint); }
tr.noted > td { border-bottom: 0; }
figure { margin: 18px 0 28px; padding: 10px; background: #fff; border: 1px solid var(--line); border-radius: 4px; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: 13px; padding: 8px 4px 0; color: #5f6368; }
details { border: 1px solid var(--line); border-radius: 4px; margin: 8px 0; padding: 0 12px; }
summary { cursor: pointer; padding: 8px 0; font-weight: 600; }
details[open] { padding-bottom: 12px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 12px 32px; }
.facts td, .facts th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
ul.files { columns: 3; padding-left: 18px; }
@media (max-width: 720px) { body { padding: 16px; } ul.files { columns: 1; } .facts { grid-template-columns: 1fr; } }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --card: #f6f7f9; --line: #ccc; --faint: #444; --good: #00588a; --bad: #9a3d00;
  --doubtful: #7a5200; --soft-good: #fff; --soft-bad: #fff; --soft-doubtful: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; } th { position: static; } table { font-size: 8pt; } th, td { padding: 2px 5px; }
  figure, tr, .banner { break-inside: avoid; } h2, h3 { break-after: avoid; } details:not([open]) { display: none; } }
"""
