"""Templates for the bodies of webhooks: Jinja2 in its sandbox, checked when the configuration is read.

1. A name that does not exist is an error, not an empty text.
2. A template reads its values and nothing else: no file, no other template, no attribute of Python's own.
3. What it may take is bounded: steps of loops and calls, the length of texts, the size of what comes out.
4. Nothing is escaped by itself. For JSON each value needs the filter ``tojson``; the samples that a template is tried
   on hold quotes and backslashes, so that one that was forgotten is a fault of the configuration.
"""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import htmlsafe_json_dumps

from monitord.config.document import read_capped
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from jinja2 import Template as Compiled

_MOST_BYTES = 64 * 1024
_LONGEST_TEXT = 100_000
_LONGEST_RESULT = 200_000
_MOST_STEPS = 20_000
_LARGEST_POWER = 64
_STEP = "_step"  # the name by which a template counts its steps
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby", "int",
    "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round",
    "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode",
    "wordcount",
)  # fmt: skip
_METHODS = frozenset(
    {
        "capitalize", "count", "endswith", "find", "isdigit", "lower", "lstrip", "partition", "removeprefix",
        "removesuffix", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title",
        "upper",
    }
)  # fmt: skip


class TemplateError(MonitordError):
    """A template cannot be used; the sentence begins with its file and line."""


class Template:
    """A template that was tried on samples; ``content_type`` is that of what it gives."""

    def __init__(self, path: Path, content_type: str, compiled: Compiled) -> None:
        """A template out of this file."""
        self.path = path
        self.content_type = content_type
        self._compiled = compiled

    def render(self, values: Mapping[str, Any]) -> str:
        """What it gives for these values. Raises TemplateError for what cannot be done, and for what is too much."""
        steps = _Steps()
        parts: list[str] = []
        size = 0
        try:
            for part in self._compiled.generate({**values, _STEP: steps.take}):
                parts.append(part)
                size += len(part)
                if size > _LONGEST_RESULT:
                    raise SecurityError(f"it gives more than {_LONGEST_RESULT} characters")
        except Exception as error:  # whatever an expression of it runs into
            raise TemplateError(f"{self.path}:{_line_of(error, self.path)}: {_said(error)}") from error
        return "".join(parts)


def load_template(path: Path, content_type: str, samples: Iterable[tuple[str, Mapping[str, Any]]]) -> Template:
    """The template in this file. ``samples`` are values to try it on, each with a name for the error.

    Raises TemplateError if it cannot be read, is no template, fails with a sample, or gives what its type is not.
    """
    try:
        source = read_capped(path, limit=_MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise TemplateError(f"{path}:1: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}:1: it is not UTF-8 text") from error
    try:
        compiled = _Environment().compiled(source, str(path))
    except TemplateSyntaxError as error:
        raise TemplateError(f"{path}:{error.lineno}: {error.message}") from error
    except (SyntaxError, RecursionError, ValueError, MemoryError) as error:  # of Python's compiler, behind Jinja's
        raise TemplateError(f"{path}:1: it is nested too deeply, or has a number that is too long") from error
    template = Template(path, content_type, compiled)
    for name, values in samples:
        try:
            written = template.render(values)
        except TemplateError as error:
            raise TemplateError(f"{error} (with the sample {name})") from error
        if is_json(content_type):
            _check_json(path, written, name)
    return template


def is_json(content_type: str) -> bool:
    """Whether a type promises JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _check_json(path: Path, written: str, name: str) -> None:
    try:
        json.loads(written)
    except ValueError as error:
        advice = "give each value the filter tojson, without quotes around it, or set content_type"
        raise TemplateError(f"{path}:1: it does not give JSON with the sample {name} ({error}); {advice}") from error


class _Steps:
    """Counts what a template does."""

    def __init__(self) -> None:
        self._left = _MOST_STEPS

    def take(self) -> str:
        """One more step."""
        self._left -= 1
        if self._left < 0:
            raise SecurityError(f"it takes more than {_MOST_STEPS} steps")
        return ""


class _Environment(SandboxedEnvironment):
    """The sandbox, with fewer filters and methods, and with every loop and macro counted."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        own = {"tojson": _tojson, "replace": _replace}
        self.filters = {name: FILTERS[name] for name in _FILTERS} | own
        self.globals = {"range": self.globals["range"]}

    def compiled(self, source: str, name: str) -> Compiled:
        """The template, which counts its steps. Raises TemplateSyntaxError."""
        tree = self._parse(source, None, name)
        for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
            raise TemplateSyntaxError("a template stands alone; it cannot read another", node.lineno, None, name)
        repeating: Iterable[nodes.For | nodes.Macro | nodes.CallBlock] = tree.find_all(
            (nodes.For, nodes.Macro, nodes.CallBlock)
        )
        for repeated in repeating:
            step = nodes.Output([nodes.Call(nodes.Name(_STEP, "load"), [], [], None, None)])
            repeated.body.insert(0, step.set_lineno(repeated.lineno).set_environment(self))
        return self.template_class.from_code(self, self.compile(tree, None, name), self.make_globals(None))

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """No method of a text that makes a long one of a short one."""
        return super().is_safe_attribute(obj, attr, value) and (not isinstance(obj, str) or attr in _METHODS)

    def wrap_str_format(self, value: object) -> None:
        """``format`` is a method like others, and not among those that are allowed."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja's
        """No text or list that is repeated without end, and no number without end."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("texts are put together with ~, not with %")
        if operator == "**" and (abs(left) > _MOST_STEPS or abs(right) > _LARGEST_POWER):
            raise SecurityError("the power is too large")
        for one, other in ((left, right), (right, left)):
            if operator == "*" and isinstance(one, str | list | tuple) and len(one) * abs(other) > _LONGEST_TEXT:
                raise SecurityError(f"a text or list would be longer than {_LONGEST_TEXT}")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Jinja's
        """No call with a text that has grown without end."""
        if any(isinstance(one, str) and len(one) > _LONGEST_TEXT for one in (*arguments, *named.values())):
            raise SecurityError(f"a text is longer than {_LONGEST_TEXT}")
        return super().call(context, obj, *arguments, **named)


def _tojson(value: object) -> str:
    """JSON in ASCII, also without the characters that HTML gives a meaning. Raises UndefinedError for what is not."""
    if isinstance(value, Undefined):
        str(value)
    return str(htmlsafe_json_dumps(value, dumps=json.dumps, sort_keys=True))


def _replace(text: object, old: str, new: str) -> str:
    found = str(text)
    if len(found) + found.count(old) * len(new) > _LONGEST_TEXT:
        raise SecurityError(f"a text would be longer than {_LONGEST_TEXT}")
    return found.replace(old, new)


def _line_of(error: Exception, path: Path) -> int:
    """The line of the template at which it failed."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (frames[-1].lineno or 1) if frames else 1


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "a macro calls itself without end"
    if isinstance(error, UndefinedError):
        return f"{error}; write a test, or the filter default, for what may be missing"
    return str(error) if isinstance(error, JinjaError) else f"{type(error).__name__}: {error}"
