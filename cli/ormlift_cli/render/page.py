"""The review page: one HTML file that needs nothing else, to read, to filter and to send to somebody."""

from __future__ import annotations

from ormlift.diff import unified
from ormlift.model import Failed, Outcome, Planned, SiteReport, Unchanged

from ormlift_cli.render.text import site_message, status_word
from ormlift_cli.run import Survey
from ormlift_cli.tally import sites_of, tally

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ormlift: {{ total }} sites of {{ root }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
table { border-collapse: collapse; } td, th { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ccc; }
details { border: 1px solid #ccc; border-radius: 4px; margin: .6em 0; padding: .3em .8em; }
summary { cursor: pointer; font-weight: 600; }
pre { overflow-x: auto; font: 13px/1.4 ui-monospace, monospace; background: #f6f8fa; padding: .6em; }
.add { background: #dafbe1; display: block; } .del { background: #ffebe9; display: block; }
.at { color: #57606a; display: block; } .ctx { display: block; }
.word { border-radius: 3px; padding: 0 .4em; background: #eee; } .rewritten { background: #dafbe1; }
.unsafe, .manual { background: #fff8c5; } .refused { background: #eaeef2; } .failed { background: #ffebe9; }
li { margin: .2em 0; } .why { color: #57606a; }
@media (prefers-color-scheme: dark) {
 body { background: #0d1117; color: #e6edf3; } pre { background: #161b22; } .add { background: #12361f; }
 .del { background: #4a1b1d; } .word { color: #000; }
}
</style>
</head>
<body>
<h1>{{ total }} sites in {{ files|length }} files</h1>
<p>{{ root }}</p>
<table>
<tr><th>codemod</th><th>sites</th><th>rewritten</th><th>unsafe</th><th>by hand</th><th>refused</th><th>suppressed</th>
<th>failed</th></tr>
{% for name, own in counts.items() -%}
<tr><td>{{ name }}</td><td>{{ own.sites }}</td><td>{{ own.rewritten }}</td><td>{{ own.waiting }}</td>
<td>{{ own.manual }}</td><td>{{ own.refused.total() }}</td><td>{{ own.suppressed }}</td><td>{{ own.failed }}</td></tr>
{% endfor -%}
</table>
<p><label>Show only what holds: <input id="filter" type="search" placeholder="path, codemod, reason"></label></p>
{% for file in files %}
<details class="file"{% if file.diff %} open{% endif %}>
<summary>{{ file.path }} ({{ file.sites|length }})</summary>
{% if file.message %}<p class="failed">{{ file.message }}</p>{% endif %}
<ul>
{% for site in file.sites -%}
<li>line {{ site.line }}: {{ site.codemod }} <span class="word {{ site.word }}">{{ site.word }}</span>
<span class="why">{{ site.why }}</span>
{%- for certificate in site.certificates %}
<details><summary>certificate: {{ certificate.verdict }}</summary><pre>{{ certificate.before }}

{{ certificate.after }}

{{ certificate.steps|join("\n") }}</pre></details>
{%- endfor %}</li>
{% endfor -%}
</ul>
{% if file.diff %}<pre>{% for kind, line in file.diff %}<span class="{{ kind }}">{{ line }}
</span>{% endfor %}</pre>{% endif %}
</details>
{% endfor %}
<script>
document.getElementById("filter").addEventListener("input", function () {
  var wanted = this.value.toLowerCase();
  document.querySelectorAll("details.file").forEach(function (file) {
    file.hidden = file.textContent.toLowerCase().indexOf(wanted) < 0;
  });
});
</script>
</body>
</html>
"""


def page(found: Survey) -> str:
    """The text of the page. All that comes from the code is escaped."""
    from jinja2 import Environment

    outcomes = [outcome for outcome in found.outcomes if not isinstance(outcome, Unchanged)]
    files = [_file(outcome) for outcome in outcomes]
    total = sum(len(sites_of(outcome)) for outcome in outcomes)
    template = Environment(autoescape=True).from_string(_PAGE)
    text = template.render(root=str(found.project.root), files=files, total=total, counts=tally(outcomes))
    return text.encode("utf-8", "replace").decode()  # a path may hold bytes that are no text


def _file(outcome: Outcome) -> dict[str, object]:
    diff = unified(outcome.before, outcome.after).splitlines()[2:] if isinstance(outcome, Planned) else []
    kinds = {"+": "add", "-": "del", "@": "at"}
    return {
        "path": outcome.path,
        "message": outcome.message if isinstance(outcome, Failed) else "",
        "sites": [_site(site) for site in sites_of(outcome)],
        "diff": [(kinds.get(line[:1], "ctx"), line) for line in diff],
    }


def _site(site: SiteReport) -> dict[str, object]:
    return {
        "line": site.line,
        "codemod": site.codemod,
        "word": status_word(site),
        "why": site_message(site),
        "certificates": site.certificates,
    }
