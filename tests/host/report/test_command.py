"""`edgepatho report` from the command line: a page, or one sentence and a documented exit code."""

import json

import report_examples as examples
from click.testing import CliRunner

from edgepatho.cli import main


def test_the_command_writes_the_page_and_names_it(folder, bench, tmp_path):
    output = tmp_path / "deep" / "report.html"
    result = CliRunner().invoke(main, ["report", str(folder), str(bench), "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}\n"
    assert "4.00× smaller" in output.read_text()


def test_a_foreign_file_ends_with_code_3_and_no_page(folder, tmp_path):
    foreign = tmp_path / "notes.json"
    foreign.write_text("{}")
    output = tmp_path / "report.html"
    result = CliRunner().invoke(main, ["report", str(folder), str(foreign), "-o", str(output)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {foreign} is not an edgepatho-")
    assert not output.exists()


def test_two_compressions_are_a_usage_error(folder, tmp_path):
    other = examples.write_folder(tmp_path / "other")
    result = CliRunner().invoke(
        main, ["report", str(folder), str(other), "-o", str(tmp_path / "report.html")]
    )
    assert result.exit_code == 2
    assert "a report shows one compression" in result.stderr


def test_without_records_there_is_nothing_to_report():
    assert CliRunner().invoke(main, ["report"]).exit_code == 2


def test_a_frontier_alone_is_enough_for_a_page(tmp_path):
    frontier = tmp_path / "frontier.json"
    frontier.write_text(json.dumps(examples.frontier_rows()))
    result = CliRunner().invoke(main, ["report", str(frontier), "-o", str(tmp_path / "report.html")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    assert "Size against accuracy" in page
    assert "How to reproduce" not in page


def test_json_prints_the_verdict(folder, bench, tmp_path):
    output = tmp_path / "report.html"
    result = CliRunner().invoke(main, ["report", str(folder), str(bench), "-o", str(output), "--json"])
    shown = json.loads(result.stdout)
    assert shown["report"] == str(output)
    assert shown["verdict"][0] in output.read_text()
    assert [line["outcome"] for line in shown["comparisons"][:2]] == ["4.00× smaller", "0.4 points lower"]
