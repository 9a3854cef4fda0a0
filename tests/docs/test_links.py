"""Links between pages lead somewhere."""

import re

import pytest

from tests.docs.pages import PAGES, name_of, prose_of

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


def anchor_of(heading: str) -> str:
    """The fragment that GitHub makes of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_another_page_resolves(page):
    for found in LINK.finditer(prose_of(page)):
        target, _, fragment = found["target"].partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        there = (page.parent / target).resolve() if target else page

        assert there.exists(), found[0]
        if fragment:
            headings = HEADING.findall(prose_of(there))
            assert fragment in map(anchor_of, headings), found[0]


def test_every_page_can_be_reached_from_the_map():
    seen, waiting = set(), [page for page in PAGES if page.name in {"README.md", "index.md"}]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = (found["target"].partition("#")[0] for found in LINK.finditer(prose_of(page)))
        waiting += [each for t in targets if (each := (page.parent / t).resolve()) in PAGES]

    assert [name_of(page) for page in PAGES if page not in seen] == []
