"""The report for reading: a page without other files, usable by keyboard and reader, in a real browser where there is one."""

import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from shld_sim.claims import Evidence, Ledger, Run, Table, Test
from shld_sim.claims.registry import Claim
from shld_sim.claims.running import check

ROOT = Path(__file__).resolve().parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "img", "br", "hr", "link", "input"}


def holds(run):
    """Because it was planted."""
    n = run.pick("number of paths", 1000, 20_000)
    rows = ((0.1, "left <b> & right", 3.0), (0.2, "b", float(n)))

    def figure(ax):
        ax.plot([0, 1], [0, 1], label="a < b")
        ax.set(xlabel="x", ylabel="y", title="A line")

    test = Test("E X^2 < 1 & more", 1.0, 1.01, 0.01)
    return Evidence(
        [test], tables=[Table("Numbers", ("x", "y", "a rather long name of a column"), rows)], figure=figure
    )


def corrected(run):
    """Derivation: first line.

    A second paragraph with x < y.
    """
    weak, strong = Test("right", 2.0, 2.0, 0.01, rival=1.5), Test("right too", 0.0, 0.0, 0.001, scale=3.0)
    return Evidence([Test("stated", 2.0, 1.0, 0.05)], [strong, weak])


def broken(run):
    raise RuntimeError("no <such> well")


CLAIMS = (
    Claim("shld.one", "one <two>", "A statement with <angles> & more.", "The rule.", holds, formula=r"a < \frac{b}{2}"),
    Claim(
        *("shld.two", "two", "Another.", "Its rule.", corrected, "The corrected form."),
        **{"formula": r"E = m c^2", "corrected_formula": "\\sigma \\geq D\nx = y", "definitions": "E: energy"},
    ),
    Claim("sdsd.three", "three", "A third.", "Its rule.", broken),
)


@pytest.fixture(scope="module")
def ledger():
    return Ledger(tuple(check(c, Run(c.id, True, 0), figures=True) for c in CLAIMS), quick=True, seed=0)


@pytest.fixture(scope="module")
def page(ledger, tmp_path_factory):
    home = tmp_path_factory.mktemp("report")
    return Path(ledger.write_report(home / "report"))


class Reader(HTMLParser):
    """Collects elements, and fails on tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.found, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def read(page):
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert not reader.open
    return reader


def test_the_page_needs_no_other_file(page, read):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org)", text.replace("json-schema.org", ""))
    for tag, attribute in (("img", "src"), ("a", "href")):
        for attrs in read.all(tag):
            assert attrs[attribute].startswith(("data:image/svg+xml;base64,", "#"))
    assert not read.all("script") and not read.all("link")


def test_every_claim_has_a_section_a_link_and_its_words(read):
    ids = {attrs["id"] for _, attrs in read.found if "id" in attrs}
    targets = {attrs["href"][1:] for attrs in read.all("a")}
    assert {c.id for c in CLAIMS} <= ids & targets
    assert targets <= ids
    text = " ".join(read.text)
    for words in ("A statement with <angles> & more.", "The corrected form.", "E: energy", "Its rule.", "20,000"):
        assert words in text
    assert "no <such> well" in text and "A second paragraph with x < y." in text
    assert "shld-sim verify --only shld.two" in text


def test_every_test_says_what_matters_and_why(read, page):
    text, markdown = " ".join(read.text), (page.parent / "report.md").read_text(encoding="utf-8")
    for words in ("0.25, half way to 1.5", "0.3, a tenth of 3", "0.1, a tenth of 1.01"):
        assert words in text and words in markdown


def test_the_report_names_the_weakest_test_of_each_claim(page, ledger):
    """Of those that did not fail; a claim that crashed has none."""
    assert [r.weakest and r.weakest.label for r in ledger.results] == ["E X^2 < 1 & more", "right", None]
    text = (page.parent / "report.md").read_text(encoding="utf-8")
    assert "no more than twice what matters" in page.read_text(encoding="utf-8")
    rows = re.search(r"## Power\n(.*?)\n## ", text, re.DOTALL).group(1)
    found = [row.split(" | ") for row in rows.splitlines() if row.startswith("| s")]
    assert [row[0] for row in found] == ["| shld.one", "| shld.two"]
    for row, ratio in zip(found, (8.719 * 0.01 / 0.101, 8.719 * 0.01 / 0.25), strict=True):
        assert float(row[-1].rstrip(" |")) == pytest.approx(ratio, rel=0.06)  # two digits


def test_readers_and_keyboards_are_served(read):
    assert read.all("html")[0]["lang"] == "en"
    assert all(attrs["alt"].strip() for attrs in read.all("img"))
    assert all(attrs["scope"] == "col" for attrs in read.all("th"))
    regions = [attrs for attrs in read.all("div") if attrs.get("role") == "region"]
    assert len(regions) == len(read.all("table"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)
    assert read.all("a")[0]["class"] == "skip" and len(read.all("main")) == 1
    levels = [int(tag[1]) for tag, _ in read.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))  # no level is left out


def test_formulas_carry_their_words(read):
    words = [attrs["alt"] for attrs in read.all("img")]
    for formula in (r"a < \frac{b}{2}", r"E = m c^2", r"\sigma \geq D", "x = y"):
        assert formula in words


def test_json_follows_its_schema(page, ledger):
    schema = json.loads((ROOT / "docs" / "ledger.schema.json").read_text(encoding="utf-8"))
    data = json.loads((page.parent / "ledger.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, schema)
    assert [r["verdict"] for r in data["results"]] == ["supported", "corrected", "crashed"]
    data["results"][0]["verdict"] = "true"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)


# -- in a browser ----

MEASURE = """<!doctype html><body><iframe id="f" style="width:{width}px;height:700px"></iframe><pre id="out"></pre><script>
const frame = document.getElementById("f");
frame.onload = () => {{
  const d = frame.contentDocument, w = d.documentElement;
  const broken = [...d.images].filter(i => !i.complete || !i.naturalWidth).length;
  document.getElementById("out").textContent =
    JSON.stringify({{scroll: w.scrollWidth, client: w.clientWidth, broken: broken, images: d.images.length}});
}};
frame.srcdoc = {page};
</script></body>"""


def shown(text, tmp_path, width):
    """Widths and pictures of a page in a frame of ``width`` pixels."""
    frame = tmp_path / "frame.html"
    quoted = json.dumps(text).replace("</", "<\\/")
    frame.write_text(MEASURE.format(width=width, page=quoted), encoding="utf-8")
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--window-size=1400,900", "--virtual-time-budget=8000", "--dump-dom", frame.as_uri()),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return json.loads(re.search(r'<pre id="out">(.*?)</pre>', dom).group(1))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: the page is not tried in a browser")
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(page, tmp_path, width):
    """On a phone and on a desk nothing sticks out sideways, and every picture is shown."""
    found = shown(page.read_text(encoding="utf-8"), tmp_path, width)
    assert found["images"] == 5 and found["broken"] == 0
    assert found["scroll"] <= found["client"] <= width


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: the page is not tried in a browser")
def test_a_page_that_is_too_wide_or_has_a_broken_picture_is_noticed(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    planted = text.replace(".scroll { overflow-x: auto;", ".scroll {").replace(
        "data:image/svg+xml;base64,PD", "data:x,", 1
    )
    found = shown(planted, tmp_path, 360)
    assert found["scroll"] > found["client"] and found["broken"] == 1
