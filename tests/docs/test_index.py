"""No page is lost: each is linked from an index, and each link leads somewhere."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_LINK = re.compile(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)")
PAGES = sorted(DOCS.rglob("*.md"))


def linked_from(page: Path) -> set[Path]:
    return {(page.parent / link).resolve() for link in _LINK.findall(page.read_text())}


def test_each_page_is_linked_from_the_index_or_from_that_of_the_decisions():
    found = linked_from(DOCS / "README.md") | linked_from(DOCS / "decisions/README.md")

    assert set(PAGES) - found == {DOCS / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_each_link_of_a_page_leads_to_a_page(page):
    assert [link for link in sorted(linked_from(page)) if not link.is_file()] == []


def test_the_words_of_the_glossary_are_in_alphabetical_order():
    first_part = (DOCS / "glossary.md").read_text().partition("\n## ")[0]
    words = re.findall(r"^\*\*([^*]+)\*\*:", first_part, re.MULTILINE)

    assert words == sorted(words)
    assert len(words) == len(set(words))
