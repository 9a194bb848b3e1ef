"""SES's template language: Handlebars without escaping, without code, within budgets.

``parse`` turns source into an immutable ``Template``; ``render`` fills it with data. Whatever is wrong
with either is a ``TemplateError`` that names the place, the variable and the nearest name the data has.

A variable that is absent or null fails where it would be printed. As a condition it is false, for ``{{#each}}`` it is
empty (SES documents the first; the second follows Handlebars).
"""

from waybill.mail.template.budget import DEFAULT_BUDGET, Budget
from waybill.mail.template.data import merge_data, parse_data
from waybill.mail.template.error import TemplateError
from waybill.mail.template.parser import parse
from waybill.mail.template.render import render
from waybill.mail.template.syntax import Template, has_blocks

__all__ = [
    "DEFAULT_BUDGET",
    "Budget",
    "Template",
    "TemplateError",
    "has_blocks",
    "merge_data",
    "parse",
    "parse_data",
    "render",
]
