"""The page in a real browser: overlays checked by their pixels, figures by their text."""

import json
import re

import numpy as np
import pytest
import report_examples as examples
from PIL import Image

from edgepatho.report.html import render

pytestmark = pytest.mark.browser

OURS = (0, 114, 178)  # the compressed network's bars
BASELINE = (230, 159, 0)


@pytest.fixture
def page(folder, bench, tmp_path):
    render(folder, [bench], tmp_path / "report.html")
    return tmp_path / "report.html"


def pixels_of(picture, colour, tolerance=6):
    return (np.abs(picture.astype(int) - colour).max(axis=-1) <= tolerance).sum()


def test_a_screenshot_shows_overlays_and_charts(page, chromium, tmp_path):
    shot = tmp_path / "report.png"
    chromium("--window-size=1100,7000", f"--screenshot={shot}", page.as_uri())
    picture = np.asarray(Image.open(shot).convert("RGB"))
    drawn = pixels_of(np.asarray(examples.tile_picture()), examples.MARKER, 0)
    assert pixels_of(picture, examples.MARKER) >= 2 * drawn  # two overlays, enlarged
    assert pixels_of(picture, OURS) > 5000
    assert pixels_of(picture, BASELINE) > 5000


def test_the_browser_reads_the_figures(page, chromium):
    text = chromium("--dump-dom", page.as_uri())
    for figure in ("4.00× smaller", "0.4 points lower", "1.20× slower", "81.0 ms", "14.7 MB", "0.972"):
        assert figure in text


def test_the_dark_page_differs_and_stays_dark(page, chromium, tmp_path):
    shot = tmp_path / "dark.png"
    chromium(
        "--blink-settings=preferredColorScheme=0",
        "--window-size=900,900",
        f"--screenshot={shot}",
        page.as_uri(),
    )
    assert np.median(np.asarray(Image.open(shot).convert("L"))) < 60


def test_nothing_is_cut_off_on_a_phone(page, chromium, tmp_path):
    """Neither the page nor any box in it is wider than a viewport of 400 px: nothing scrolls sideways."""
    source = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text())  # so that the page can be measured
    measured = """<!doctype html><title></title><iframe width=400 height=900 style="border:0"></iframe>
      <script>
      const frame = document.querySelector("iframe");
      frame.onload = () => {
        const inside = frame.contentDocument;
        const boxes = [inside.documentElement, ...inside.querySelectorAll("body *")];
        document.title = "WIDTH " + inside.documentElement.clientWidth + " WIDE " + boxes.filter(
          box => !box.closest("svg") && (box.scrollWidth > box.clientWidth + 1 && box.clientWidth
            || box.getBoundingClientRect().right > 401)).map(box => box.tagName + "." + box.className);
      };
      frame.srcdoc = SOURCE;
    </script>""".replace("SOURCE", json.dumps(source).replace("</", "<\\/"))
    (tmp_path / "telephone.html").write_text(measured)
    dom = chromium("--virtual-time-budget=5000", "--dump-dom", (tmp_path / "telephone.html").as_uri())
    assert re.search(r"<title>(.*?)</title>", dom)[1] == "WIDTH 400 WIDE "


def test_the_page_prints(page, chromium, tmp_path):
    chromium("--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}", page.as_uri())
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_a_script_in_a_record_does_not_run(bench, chromium, tmp_path):
    record = examples.compress_record()
    record["original"]["name"] = "<img src=x onerror=\"document.title='broken in'\">"
    folder = examples.write_folder(tmp_path / "hostile", record)
    render(folder, [bench], tmp_path / "hostile.html")
    assert "<title>edgepatho report</title>" in chromium("--dump-dom", (tmp_path / "hostile.html").as_uri())
