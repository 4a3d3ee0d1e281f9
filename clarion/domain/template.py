"""Personalisation: Liquid templates over what is known of a contact.

    Hello {{ contact.name | default: "colleague" }}

The language is Liquid as python-liquid implements it, in a closed form: no file, no clock and no random
number can be reached, loops and growth are bounded, and a template is refused at creation (`check`) for
whatever would fail at sending. A known variable that a person lacks is empty, as Liquid has it, unless the
template is `strict`; an unknown variable is refused. A render costs about 6 µs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import LiquidError
from liquid.output import LimitedStringIO
from liquid.parser import get_parser
from liquid.static_analysis import TemplateAnalysis, Variable
from liquid.stream import TokenStream
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG, Token
from liquid.undefined import Undefined

from clarion.domain.contact import ATTRIBUTES
from clarion.domain.field import FieldType
from clarion.domain.filters import FILTERS, MANNER, WRITTEN
from clarion.domain.manner import Manner
from clarion.domain.missing import reason_of
from clarion.domain.refusal import Refusal
from clarion.domain.required import NotThere, Required
from clarion.errors import Invalid, Problem

LONGEST_SOURCE = 10_000
MOST_LOOPS = 10
_TAGS = frozenset(
    ("if", "unless", "case", "for", "break", "continue", "assign", "capture", "cycle", "echo", "comment", "#")
)
_INNER = ("content", "output", "illegal")  # what the parser itself asks for by these names
_BLOCKS = frozenset(("if", "unless", "case", "for", "capture", "comment"))

# The lexer looks for the end of white space anew at each of its characters.
_GAP = re.compile(r"\s{300}")

FAILED = "template_failed"

SAMPLES: Mapping[FieldType, object] = {
    FieldType.TEXT: "Sample",
    FieldType.NUMBER: 7,
    FieldType.DATE: "2026-03-01",
    FieldType.DATETIME: "2026-03-01T09:30:00+03:00",
    FieldType.BOOLEAN: True,
}
"""A value of each type in the form in which templates get it."""


def known_variables(fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """The variables that a workspace with these declared fields has: "contact.name", "contact.department"."""
    return {f"contact.{key}": kind for key, kind in {**ATTRIBUTES, **fields}.items()}


class _Closed(Environment):
    """Liquid without includes, clocks and unbounded growth."""

    loop_iteration_limit = 100  # of nested loops together; MOST_LOOPS bounds those in a row
    local_namespace_limit = 100_000
    output_stream_limit = 64_000  # bytes
    block_nesting_limit = 20

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        inner = {name: tag for name, tag in self.tags.items() if name in _INNER or name in _TAGS}
        self.tags = inner
        self.filters = dict(FILTERS)


# By whether it is of HTML, where what is put in is escaped and what the template itself spells is not; and by
# whether all that it shows must be there.
_LIQUID: Mapping[tuple[bool, bool], Environment] = {
    (html, strict): _Closed(autoescape=html, undefined=Required if strict else Undefined)
    for html in (False, True)
    for strict in (False, True)
}


class Template:
    """A compiled template. `variables` are the paths that it reads ("contact.name"); `written` tells whether
    it writes dates, times or numbers as a language does."""

    __slots__ = ("_bound", "_plain", "_strict", "analysis", "source", "variables", "written")

    def __init__(self, source: str, bound: BoundTemplate | None, *, strict: bool = False) -> None:
        self.source = source
        self._strict = strict
        self._bound = bound
        self.analysis: TemplateAnalysis | None = (
            None if bound is None else bound.analyze(include_partials=False)
        )
        # Without tags nothing is assigned, repeated or left early: half of the library's frame is for those.
        self._plain = self.analysis is not None and not self.analysis.tags
        self.variables: frozenset[str] = frozenset(str(variable) for variable in self._globals())
        self.written = self.analysis is not None and not WRITTEN.isdisjoint(self.analysis.filters)

    def render(self, values: Mapping[str, object], manner: Manner | None = None) -> str | Refusal:
        """The text for these values, nested by path: {"contact": {"name": "Amina"}}, with dates, times and
        numbers in the person's manner.

        A value is text, a number, a boolean, or None or absent where it is missing. Refusals:
        `template_failed`, for what no trial at creation could show; of a strict one `missing:` and the path
        of a value that it lacks.
        """
        if self._bound is None:
            return self.source
        if self._strict:
            values = _whole(values, self.variables)
        if self.written and manner is not None:
            values = {**values, MANNER: manner}
        try:
            return _plainly(self._bound, values) if self._plain else str(self._bound.render(values))
        except NotThere as missing:
            return Refusal(reason_of(missing.path), "a value is missing", "give it a default")
        except LiquidError as error:
            return Refusal(FAILED, f"the template fails for this person: {error.message}")
        except (ArithmeticError, ValueError, TypeError, LookupError, RecursionError):
            return Refusal(FAILED, "the template fails for this person")

    def _globals(self) -> Iterable[Variable]:
        found = self.analysis.globals.values() if self.analysis else ()
        return (variable for variables in found for variable in variables)


def _whole(values: Mapping[str, object], paths: Iterable[str]) -> dict[str, object]:
    """The same values, with everything above a value there: then it is the value itself that is missing."""
    whole = dict(values)
    for path in paths:
        above = whole
        for key in path.split(".")[:-1]:
            found = above.get(key)
            inner: dict[str, object] = dict(found) if isinstance(found, Mapping) else {}
            above[key] = inner
            above = inner
    return whole


def _plainly(bound: BoundTemplate, values: Mapping[str, object]) -> str:
    context, output = RenderContext(bound, globals=values), LimitedStringIO(_Closed.output_stream_limit)
    for node in bound.nodes:
        node.render(context, output)
    return output.getvalue()


@lru_cache(maxsize=2048)
def compile_template(source: str, *, html: bool = False, strict: bool = False) -> Template:
    """The template that `source` spells; plain text costs nothing to render. In one of `html`, values are
    escaped as they are put in. A `strict` one says nothing where a value that it would show is missing.

    Raises Invalid with the line and column of what is broken. Only syntax is looked at here.
    """
    if "{{" not in source and "{%" not in source:
        return Template(source, None)
    if len(source) > LONGEST_SOURCE:
        raise Invalid(f"a template of more than {LONGEST_SOURCE:,} characters")
    if (gap := _GAP.search(source)) is not None:
        raise _broken(source, gap.start(), "too many spaces in a row")
    if (unclosed := _unclosed(source)) is not None:
        raise _broken(source, unclosed, f"{source[unclosed : unclosed + 2]} is never closed")
    stream = None
    liquid = _LIQUID[html, strict]
    try:
        stream = TokenStream(liquid.tokenizer()(source))
        nodes = get_parser(liquid).parse(stream)
    except LiquidError as error:
        what = str(error.message).replace("end of expression", "the end")
        raise _broken(source, _culprit(error, stream), what) from None
    except RecursionError:
        raise _broken(source, 0, "nested too deeply") from None
    return Template(source, BoundTemplate(liquid, nodes), strict=strict)


def check(source: str, known: Mapping[str, FieldType]) -> list[Problem]:
    """Everything that would be wrong with sending this template, by line and column; empty when nothing is.

    `known` is what `known_variables` gives. Beside syntax, variables and filters, the template is tried
    with every value missing and with a sample of each: loops that never end are found by that.
    """
    try:
        template = compile_template(source)
    except Invalid as error:
        return list(error.problems) or [Problem("line 1 column 1", error.what)]
    if template.analysis is None:
        return []
    problems = [*_unknown_variables(template, known), *_unknown_filters(template, template.analysis)]
    loops = len(template.analysis.tags.get("for", ()))
    if loops > MOST_LOOPS:
        where = spot(source, template.analysis.tags["for"][MOST_LOOPS].index)
        problems.append(Problem(where, f"more than {MOST_LOOPS} loops"))
    return problems or _trials(template, known)


def samples(variables: Iterable[str], known: Mapping[str, FieldType]) -> dict[str, dict[str, object]]:
    """Sample values for these variables, as `Template.render` takes them; for previews too."""
    values: dict[str, dict[str, object]] = {}
    for path in variables:
        root, _, key = path.partition(".")
        values.setdefault(root, {})[key] = SAMPLES[known[path]]
    return values


def _unknown_variables(template: Template, known: Mapping[str, FieldType]) -> Iterable[Problem]:
    for variable in template._globals():
        path = str(variable)
        if path not in known:
            yield Problem(
                spot(template.source, variable.span.index),
                f"unknown variable {path[:80]}",
                _nearest(path, known),
            )


def _unknown_filters(template: Template, analysis: TemplateAnalysis) -> Iterable[Problem]:
    for name, spans in analysis.filters.items():
        if name not in FILTERS:
            hint = f"{_nearest(name, FILTERS)} there are {', '.join(sorted(FILTERS))}".strip()
            yield from (
                Problem(spot(template.source, s.index), f"unknown filter {name}", hint) for s in spans
            )


def _trials(template: Template, known: Mapping[str, FieldType]) -> list[Problem]:
    full = samples(template.variables, known)
    for values, when in (({}, "when nothing is known of the person"), (full, "with sample values")):
        try:
            if template._bound is not None:
                template._bound.render(values)
        except LiquidError as error:
            where = spot(template.source, error.token.start_index if error.token else -1)
            return [Problem(where, f"fails {when}: {error.message}")]
        except (ArithmeticError, ValueError, TypeError, LookupError, RecursionError) as error:
            return [Problem("line 1 column 1", f"fails {when}: {error}")]
    return []


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else ""


def _unclosed(source: str) -> int | None:
    """The first {{ or {% after which no }} or %} comes. Looked for beforehand, since the lexer's search for
    the end begins again at every one of them."""
    found = []
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        last = source.rfind(closing)
        found.append(source.find(opening, last + 1))
    return min((index for index in found if index >= 0), default=None)


def _broken(source: str, index: int, what: str) -> Invalid:
    problem = Problem(spot(source, index), f"broken template: {what}")
    return Invalid("the template is broken", problems=(problem,))


def _culprit(error: LiquidError, stream: TokenStream | None) -> int:
    """Where in the source an error is. The library says so, except at the end of an expression or of the
    whole: then it is the expression that was being read, or the block that is still open."""
    token: Token | None = error.token
    if token is not None and token.start_index >= 0:
        return token.start_index
    if stream is None or not stream.tokens:
        return 0
    if stream.pos >= len(stream.tokens) and (open_block := _open_block(stream.tokens)):
        return open_block.start_index
    around = stream.tokens[max(stream.pos - 1, 0) : stream.pos + 1]
    expressions = [token for token in around if token.kind == TOKEN_EXPRESSION]
    return (expressions or around or stream.tokens)[-1].start_index


def _open_block(tokens: Iterable[Token]) -> Token | None:
    waiting: list[Token] = []
    for token in tokens:
        if token.kind == TOKEN_TAG and token.value in _BLOCKS:
            waiting.append(token)
        elif token.kind == TOKEN_TAG and token.value.startswith("end") and waiting:
            waiting.pop()
    return waiting[-1] if waiting else None


def spot(source: str, index: int) -> str:
    """Where a character of a template is, as problems tell it: "line 1 column 7"."""
    index = max(index, 0)
    line = source.count("\n", 0, index) + 1
    column = index - source.rfind("\n", 0, index)
    return f"line {line} column {column}"
