"""All rules by their codes, for the reference."""

from __future__ import annotations

from orchestration.config import field_rules, workspace_rules, yaml_rules
from orchestration.config.rules import Rule

CATALOGUE: tuple[Rule, ...] = tuple(
    sorted(
        (
            member
            for module in (yaml_rules, field_rules, workspace_rules)
            for member in vars(module).values()
            if isinstance(member, Rule)
        ),
        key=lambda rule: rule.code,
    )
)
