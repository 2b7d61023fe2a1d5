"""What a visitor sees first: the README and the documentation's front page as PNG files.

    python -m benchmarks.screenshots    # docs/images/readme-screen.png, docs/images/docs-screen.png

Needs Chromium, and the site that `make docs` builds.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
SITE = ROOT / "build/site/index.html"
WINDOW_PX = "1100,1400"
COLOURS = 128  # of the PNG's palette, which keeps the file small
PAGE = """<!doctype html><meta charset="utf-8"><base href="{base}/"><style>
body {{ max-width: 830px; margin: 32px auto; font: 16px/1.5 sans-serif; color: #1f2328 }}
img {{ max-width: 100% }} code {{ background: #eff1f3; padding: 2px 5px; font-size: 85% }}
pre {{ background: #f6f8fa; padding: 14px }} pre code {{ padding: 0; background: none }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #d1d9e0; padding: 6px 13px }}
h1, h2 {{ border-bottom: 1px solid #d1d9e0; padding-bottom: 6px }}
</style>{body}"""


def take(page: Path, output: Path) -> None:
    """Write the first screen of the HTML file `page` to the PNG file `output`; raises ClickException."""
    from PIL import Image

    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise click.ClickException("Chromium is not installed; on Debian: apt install chromium")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WINDOW_PX}"]
    command = [browser, *options, f"--screenshot={output}", page.as_uri()]
    if subprocess.run(command, capture_output=True).returncode:
        raise click.ClickException(f"{browser} failed; to see why: {shlex.join(command)}")
    with Image.open(output) as screen:
        small = screen.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
    small.save(output, optimize=True)
    click.echo(f"{output.relative_to(ROOT)}: {output.stat().st_size:,} bytes")


@click.command()
def main() -> None:
    """Photograph README.md and the front page of the site in build/site."""
    from markdown_it import MarkdownIt

    if not SITE.exists():
        raise click.ClickException(f"{SITE} does not exist; run `make docs` first.")
    body = MarkdownIt("commonmark").enable("table").render((ROOT / "README.md").read_text())
    with tempfile.TemporaryDirectory() as folder:
        readme = Path(folder) / "readme.html"
        readme.write_text(PAGE.format(base=ROOT.as_uri(), body=body))
        take(readme, IMAGES / "readme-screen.png")
    take(SITE, IMAGES / "docs-screen.png")


if __name__ == "__main__":
    main()
