"""docs/picture-matrix.md is up to date."""

from __future__ import annotations

from benchmarks import picture_matrix


def test_the_page_matches_what_reading_each_file_gives():
    assert picture_matrix.page() == picture_matrix.PAGE.read_text(encoding="utf-8"), (
        "run `make picture-matrix`"
    )


def test_it_has_at_least_sixty_cells():
    assert sum(line.startswith("| ") for line in picture_matrix.page().splitlines()) - 1 >= 60
