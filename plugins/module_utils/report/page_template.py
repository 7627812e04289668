# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a Jinja2 template. It is Python text because a module is sent to its host without other files."""

from __future__ import annotations

TEMPLATE = """\
{% macro values_table(caption, columns, rows, texts) %}
<div class="scroll"><table>
<caption>{{ caption }}</caption>
<thead><tr>{% for column in columns %}<th scope="col"{% if loop.index0 < texts %} class="text"{% endif %}>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for value in row %}<td{% if loop.index0 < texts %} class="text"{% endif %}>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="perfscale.mlflow">
<title>{{ verdict.headline }}</title>
<style>{{ css | safe }}</style>
</head>
<body>
<header>
<div class="banner {{ verdict.status }}" role="status">
<h1>{{ verdict.headline }}</h1>
<p>
{% for run in runs %}
Run <strong>{{ run.id }}</strong>: {{ run.status }}
{%- if run.started != '–' %}, {{ run.started }} to {{ run.ended }}{% endif %}{% if not loop.last %}; {% endif %}
{% endfor %}
</p>
{% if verdict.reasons %}
<ul>{% for reason in verdict.reasons %}<li>{{ reason }}</li>{% endfor %}</ul>
{% endif %}
</div>
<nav aria-label="Sections">
{% if verdict.objectives %}<a href="#objectives">Objectives</a>{% endif %}
<a href="#cells">Cells</a>
{% if findings %}<a href="#findings">Key findings</a>{% endif %}
{% for section in sections %}<a href="#{{ section.title | lower | replace(' ', '-') }}">{{ section.title }}</a>{% endfor %}
<a href="#operations">Operations</a>
{% if resources %}<a href="#components">Components</a>{% endif %}
<a href="#conditions">Conditions</a> <a href="#files">Files</a>
</nav>
</header>
<main>
{% if verdict.objectives %}
<h2 id="objectives">Objectives</h2>
<div class="scroll"><table>
<thead><tr><th scope="col" class="text">objective</th><th scope="col" class="text">status</th><th scope="col">met in cells</th>
<th scope="col">worst</th><th scope="col" class="text">in cell</th><th scope="col">limit</th><th scope="col" class="text">metric</th>
<th scope="col" class="text">severity</th></tr></thead>
<tbody>
{% for row in verdict.objectives_summed_up() %}
<tr><td class="text wrap">{{ row.name }}</td><td class="text"><span class="badge {{ row.status }}">{{ row.status }}</span></td>
<td>{{ row.met }} of {{ row['count'] }}</td><td>{{ row.value | number }}</td><td class="text">{{ row.cell }}</td><td>{{ row.limit }}</td>
<td class="text">{{ row.metric }}</td><td class="text">{{ row.severity }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}

<h2 id="cells">Cells</h2>
<div class="scroll"><table>
<caption>{{ goodput }} Latencies pool all requests of the cell, whatever their outcome.
A tilde (~) marks a value that rests on few samples; a dash (–) means that there is no value, never zero.</caption>
<thead><tr>
{% if several_runs %}<th scope="col" class="text">run</th>{% endif %}
{% if grouped %}<th scope="col" class="text">factors</th>{% endif %}
{% for column in cell_columns %}<th scope="col"{% if loop.index0 in (0, 3) %} class="text"{% endif %}>{{ column }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for cell in cells %}
<tr{% if cell.reasons or cell.warnings %} class="noted"{% endif %}>
{% if several_runs %}<td class="text">{{ cell.run_id }}</td>{% endif %}
{% if grouped %}<td class="text">{{ cell.group }}</td>{% endif %}
{% for value in cell['values'] %}
{% if loop.index0 == 3 %}<td class="text"><span class="badge {{ cell.verdict }}">{{ value }}</span></td>
{% else %}<td{% if loop.first %} class="text"{% endif %}>{{ value }}</td>{% endif %}
{% endfor %}
</tr>
{% if cell.reasons or cell.warnings %}
<tr class="note"><td colspan="{{ cell_columns | length + several_runs + grouped }}">
{% for text in cell.reasons %}<div class="{{ cell.verdict }}">{{ text }}</div>{% endfor %}
{% for text in cell.warnings %}<div>Warning: {{ text }}</div>{% endfor %}
</td></tr>
{% endif %}
{% endfor %}
</tbody></table></div>

{% if findings %}
<h2 id="findings">Key findings</h2>
<ul>{% for text in findings %}<li>{{ text }}</li>{% endfor %}</ul>
{% endif %}

{% for section in sections %}
<h2 id="{{ section.title | lower | replace(' ', '-') }}">{{ section.title }}</h2>
{% for chart in section.charts %}
<figure>
<img src="{{ chart.source }}" alt="Chart: {{ chart.shows }}. The figures are in the tables of this page.">
<figcaption>{{ chart.shows[0] | upper }}{{ chart.shows[1:] }}. <code>{{ chart.name }}.png</code></figcaption>
</figure>
{% endfor %}
{% endfor %}

<h2 id="operations">Operations</h2>
<p class="faint">{{ outcomes }}</p>
{% for cell in operations %}
<details{% if loop.first %} open{% endif %}>
<summary>{% if several_runs %}{{ cell.run_id }} {% endif %}{{ cell.cell_id }}{% if cell.group %} ({{ cell.group }}){% endif %}</summary>
{{ values_table("Requests that started in the window", operation_columns, cell.rows, 2) }}
</details>
{% else %}
<p>No operation was measured.</p>
{% endfor %}

{% if resources %}
<h2 id="components">Components</h2>
<details open><summary>CPU and memory of every component</summary>
{{ values_table("Sums over the instances of a component, over the window", resource_columns, resources, 3) }}
</details>
{% endif %}

<h2 id="conditions">Conditions</h2>
{% for run in runs %}
<h3>Run {{ run.id }}</h3>
<p class="faint"><code>{{ run.path }}</code></p>
<div class="facts">
{% for title, rows in run.facts %}
<div><table><caption>{{ title }}</caption><tbody>
{% for key, value in rows %}<tr><th scope="row">{{ key }}</th><td>{{ value }}</td></tr>{% endfor %}
</tbody></table></div>
{% else %}
<p>The source holds no fingerprint.</p>
{% endfor %}
</div>
{% if run.settings %}
<details><summary>Settings of the plan</summary>
{{ values_table("As planned", ("setting", "value"), run.settings, 2) }}
</details>
{% endif %}
{% endfor %}
{% if warnings %}
<h3>Notes on what was read</h3>
<ul>{% for text in warnings %}<li>{{ text }}</li>{% endfor %}</ul>
{% endif %}

<h2 id="files">Files</h2>
<ul class="files">{% for name in files %}<li><a href="{{ name }}">{{ name }}</a></li>{% endfor %}</ul>
</main>
</body>
</html>
"""
