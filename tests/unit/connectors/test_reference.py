from pathlib import Path

from orchestration.connectors.reference import render_reference
from orchestration.connectors.registry import SOURCES, TARGETS

PAGE = Path(__file__).parents[3] / "docs/reference/connectors.md"


def test_the_page_is_what_the_option_models_say():
    page = render_reference()
    assert PAGE.read_text() == page, "run `make references`"


def test_the_page_has_a_section_for_each_connector():
    sections = [line for line in render_reference().splitlines() if line.startswith("### `")]
    assert sections == [f"### `{name}`" for name in (*SOURCES, *TARGETS)]
