// The page's style: colours that are told apart by colour-blind readers, light and dark, and on
// paper.
#pragma once

#include <string_view>

namespace flare::eval {

constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1d1d1f; --faint: #7a7a80; --grid: #e3e3e6; --stripe: #f5f5f7;
  --link: #0b57d0; --good: #00693e; --bad: #b3261e; --unknown: #7a5900;
  --vm: #4477aa; --serverless: #ee8833; --failed: #cc3311;
  --vm-only: #5a5a5f; --over-provisioned: #aa3377; --serverless-only: #b87300; --l7: #2f8fd0;
  --l7-lag: #c8401a; --formula: #4340b8; --cap: #00845f;
  --event-1: #b87300; --event-2: #aa3377; --event-3: #00845f;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #17171a; --ink: #ececf0; --faint: #9c9ca4; --grid: #36363c; --stripe: #202024;
    --link: #8ab4f8; --good: #4cd697; --bad: #ff8a80; --unknown: #e8c468;
    --vm: #6d9fd4; --serverless: #f2a05c; --failed: #ff6f52;
    --vm-only: #b8b8c0; --over-provisioned: #e583bd; --serverless-only: #f0b040; --l7: #7cc4f5;
    --l7-lag: #ff8a60; --formula: #a5a3ff; --cap: #38d0a2;
    --event-1: #f0b040; --event-2: #e583bd; --event-3: #38d0a2;
  }
}
body { background: var(--page); color: var(--ink); margin: 0 auto; max-width: 1380px;
  padding: 1.5rem; font: 15px/1.5 system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.4rem; margin: 2.6rem 0 .4rem; border-bottom: 2px solid var(--grid);
  padding-bottom: .2rem; }
h3 { font-size: 1.1rem; margin: 1.6rem 0 .2rem; }
p, figcaption, li { max-width: 62rem; }
a { color: var(--link); }
code { font-size: .92em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; line-height: 1.35; margin: .4rem 0 1rem; }
th, td { border: 1px solid var(--grid); padding: .3rem .5rem; text-align: left;
  vertical-align: top; }
thead th { background: var(--stripe); vertical-align: bottom; }
tbody th { font-weight: 600; }
td small { color: var(--faint); display: block; max-width: 34rem; }
.pass { color: var(--good); font-weight: 700; }
.fail { color: var(--bad); font-weight: 700; }
.unmeasured { color: var(--unknown); font-weight: 600; }
figure { margin: 1rem 0 1.6rem; }
figcaption, .note { color: var(--ink); opacity: .85; font-size: 14px; margin: 0 0 .5rem; }
figure svg { display: block; }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  p, figcaption, li { max-width: none; }
  .note, figcaption { font-size: 9pt; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace flare::eval
