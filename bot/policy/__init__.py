"""YAML to a frozen policy: schema, gate templates, and errors that name file, line, path, found and expected."""

from bot.policy.directory import PolicyDirectory, load_policies
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.parsing import parse_policy
from bot.policy.templates import GateTemplate, GateTemplates, parse_template, shipped_gate_templates

__all__ = [
    "GateTemplate",
    "GateTemplates",
    "PolicyDirectory",
    "PolicyError",
    "PolicyFault",
    "load_policies",
    "parse_policy",
    "parse_template",
    "shipped_gate_templates",
]
