"""A parsed template: the nodes of its tree, immutable and free of anything that could run."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Path:
    """A way into the data: ``../a.b`` has depth 1 and parts a, b; ``@index`` is data; ``this`` has no parts.

    ``simple`` says that it is one bare name, which may be a helper or a block parameter; ``scoped`` that it was
    written ``./x`` or ``this.x``, which may not.
    """

    data: bool
    depth: int
    parts: tuple[str, ...]
    original: str
    scoped: bool
    offset: int

    @property
    def simple(self) -> bool:
        """Whether it is one bare name."""
        return len(self.parts) == 1 and not self.scoped and not self.depth and not self.data


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, boolean, null or undefined; ``original`` as written, a string without its quotes."""

    value: Any
    original: str
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """What stands in a tag or in parentheses: a name, its parameters and its ``key=value`` pairs."""

    path: Path
    params: tuple["Expression", ...]
    options: tuple[tuple[str, "Expression"], ...]
    builtin: str | None
    offset: int


Expression: TypeAlias = Path | Literal | Call


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent as it stands."""

    value: str


@dataclass(frozen=True, slots=True)
class Output:
    """``{{x}}``: ``end`` is the offset behind the tag."""

    call: Call
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """``{{#x}}…{{else}}…{{/x}}``; ``program`` is None for ``{{^x}}`` without an else."""

    call: Call
    program: "Program | None"
    inverse: "Program | None"
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Partial:
    """``{{> name context key=value}}``, and with ``program`` ``{{#> name}}…{{/name}}``."""

    name: str | Call
    params: tuple[Expression, ...]
    options: tuple[tuple[str, Expression], ...]
    indent: str
    program: "Program | None"
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Inline:
    """``{{#* inline "name"}}…{{/inline}}``: defines a partial for the program it stands in."""

    name: str
    program: "Program"


RESERVED = frozenset({"amazonSESUnsubscribeUrl", "ses:openTracker"})
"""Tags that are no variables: they stay in the output as they are, for whoever replaces them after rendering."""

Node: TypeAlias = Text | Output | Block | Partial


@dataclass(frozen=True, slots=True)
class Program:
    """A sequence of nodes; ``chained`` is the block of an ``{{else if}}``, which is then all there is."""

    body: tuple[Node, ...]
    inlines: tuple[Inline, ...] = ()
    block_params: tuple[str, ...] = ()
    chained: Block | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. ``simple`` says that it holds nothing but text and plain ``{{x}}``."""

    source: str = field(repr=False)
    program: Program = field(repr=False)
    simple: bool = True


def has_blocks(template: Template) -> bool:
    """Whether the template uses more than simple substitutions (blocks, partials, helpers).

    SES refuses such a template inline (``TemplateContent``): ``Template contains unsupported operations.``
    """
    return not template.simple
