from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.templates import Template, TemplateError, load_template
from monitord.config.templatesamples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VALUES = {"data": {"host": "api.example.com", "names": ["a", 'b"'], "none": None}}


def template(directory: Path, source: str, content_type: str = "text/plain") -> Template:
    """A template of this source, tried on VALUES."""
    path = directory / "t.j2"
    path.write_text(source, "utf-8")
    return load_template(path, content_type, [("values", VALUES)])


def refusal(directory: Path, source: str, content_type: str = "text/plain") -> str:
    """Why it is refused, without the directory."""
    with pytest.raises(TemplateError) as caught:
        template(directory, source, content_type)
    return str(caught.value).removeprefix(f"{directory}/")


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ data.host }}", "api.example.com"),
        ("{{ data.host|upper }} {{ data.host.split('.')[0] }}", "API.EXAMPLE.COM api"),
        (
            "{% for name in data.names %}{{ loop.index }}{{ name }}{% if not loop.last %},{% endif %}{% endfor %}",
            '1a,2b"',
        ),
        ("{% for name in [] %}x{% else %}none{% endfor %}", "none"),
        ("{{ data.none|default('-', true) }}", "-"),
        ("{{ data.names|tojson }}", '["a", "b\\""]'),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}", "<1>"),
        ("{{ data.host|replace('.', '-') }}", "api-example-com"),
        ("{{ 2 * 3 }}{{ '-' * 3 }}{{ 2 ** 3 }}{{ 7 % 4 }}", "6---83"),
        ("{{ '<&>' }}", "<&>"),
        ("{{ '<'|tojson }}", '"\\u003c"'),
    ],
)
def test_what_templates_are_for(tmp_path: Path, source: str, written: str) -> None:
    """Values, loops, tests, filters, macros; nothing is escaped by itself."""
    assert template(tmp_path, source).render(VALUES) == written


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (
            "a\nb {{ data.hots }}",
            "t.j2:2: 'dict object' has no attribute 'hots'; write a test, or the filter default, ",
        ),
        ("a\nb {{ data.hots|tojson }}", "t.j2:2: 'dict object' has no attribute 'hots'"),
        ("{{ host }}", "t.j2:1: 'host' is undefined"),
        ("a\n\n{{ data.host }", "t.j2:3: unexpected '}'"),
        ("{{ data.none.upper() }}", "t.j2:1: 'None' has no attribute 'upper'"),
        ("{{ 1 / 0 }}", "t.j2:1: ZeroDivisionError: division by zero (with the sample values)"),
        ("{% include 'other' %}", "t.j2:1: a template stands alone; it cannot read another"),
        ("{% from 'other' import x %}", "t.j2:1: a template stands alone; it cannot read another"),
        ("{% extends 'other' %}", "t.j2:1: a template stands alone; it cannot read another"),
        ("{{ ''.__class__ }}", "t.j2:1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ data.__init__.__globals__ }}", "t.j2:1: "),
        ("{{ lipsum() }}", "t.j2:1: 'lipsum' is undefined"),
        ("{{ data|pprint }}", "t.j2:1: No filter named 'pprint'."),
    ],
)
def test_what_a_template_cannot_do_is_said_with_its_line(tmp_path: Path, source: str, complaint: str) -> None:
    """The sentence begins with the file and the line to change."""
    assert refusal(tmp_path, source).startswith(complaint)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{% for x in data.names recursive %}{{ loop(data.names) }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('x') }}",
        "{{ range(10 ** 9)|list }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 9 * [0] }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ '{:0999999999}'.format(1) }}",
        "{{ 'x'.ljust(10 ** 9) }}",
        "{{ ('x' * 9999)|replace('x', 'x' * 9999) }}",
        "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
    ],
)
def test_a_template_that_takes_without_end_is_refused(tmp_path: Path, source: str) -> None:
    """Neither time nor memory is gone before the configuration is refused."""
    assert refusal(tmp_path, source).startswith("t.j2:1: ")


def test_a_bounded_template_stays_bounded_when_values_grow(tmp_path: Path) -> None:
    """What is small with a sample may be large with an event: that is an error, not a flood."""
    listing = template(tmp_path, "{% for name in data.names %}{{ name }}{% endfor %}")
    grown: Mapping[str, Any] = {"data": {**VALUES["data"], "names": ["x" * 1000] * 1000}}
    with pytest.raises(TemplateError, match="it gives more than 200000 characters"):
        listing.render(grown)
    with pytest.raises(TemplateError, match="it takes more than 20000 steps"):
        listing.render({"data": {"names": ["x"] * 30_000}})


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.api+json; charset=utf-8"])
def test_a_value_that_was_not_made_json_is_noticed(tmp_path: Path, content_type: str) -> None:
    """Quotes around a value work until a value has quotes in it."""
    said = refusal(tmp_path, '{"names": "{{ data.names[1] }}"}', content_type)
    assert said.startswith("t.j2:1: it does not give JSON with the sample values (")
    assert said.endswith("give each value the filter tojson, without quotes around it, or set content_type")
    assert template(tmp_path, '{"names": {{ data.names[1]|tojson }}}', content_type).render(VALUES)


@pytest.mark.parametrize("data", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes | None) -> None:
    """Or that is not there."""
    path = tmp_path / "t.j2"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TemplateError, match=r"t\.j2:1: (it is not UTF-8 text|No such file or directory)$"):
        load_template(path, "text/plain", [])


def test_the_samples_break_what_is_put_between_quotes() -> None:
    """Each text of each sample that a server or a user chooses has a quote and a backslash in it."""
    for name, values in SAMPLES:
        assert '"' in values["data"]["summary"], name
        assert "\\" in values["data"]["summary"], name
