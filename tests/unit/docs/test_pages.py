"""The documentation's own promises: links lead somewhere, pages and pictures are found, prices agree."""

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from samtranslator.yaml_helper import yaml_parse

from infra.local.settings import ROOT
from tests.support.checkout import checkout_files

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)|<img\b[^>]*>")
LARGEST_FOLDER = 1_200_000


def markdown_files() -> list[Path]:
    """The pages that belong to the checkout."""
    return [ROOT / path for path in checkout_files() if path.suffix == ".md"]


def prose(page: Path) -> str:
    """A page without its boxes of code."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The fragments GitHub gives the headings of a page."""
    seen: Counter[str] = Counter()
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", page.read_text()))
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", markdown_files(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: there is no {target}"
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target), f"{link}: {target.name} has no such heading"


def test_the_index_names_every_page_and_the_readme_names_the_index():
    pages = {page.name for page in DOCS.iterdir() if page.suffix in (".md", ".ipynb")} - {"README.md"}
    linked = set(LINK.findall(prose(DOCS / "README.md")))
    assert pages - linked == set(), "docs/README.md has a line for each page"
    assert "docs/README.md" in LINK.findall(prose(ROOT / "README.md"))


def test_every_picture_is_there_is_shown_and_says_what_it_shows():
    shown = set()
    for page in markdown_files():
        for found in PICTURE.finditer(prose(page)):
            text, link = found.groups()
            assert link, f"{page.name}: {found[0]}: write pictures as ![text](file)"
            assert len(text) > 20, f"{page.name}: {link} has no text for those who do not see it"
            target = (page.parent / link).resolve()
            assert target.is_file(), f"{page.name}: there is no {link}"
            shown.add(target)
    kept = {path.resolve() for path in PICTURES.iterdir()}
    assert kept, "make screenshots"
    assert kept == shown, "each picture is shown somewhere"
    assert sum(path.stat().st_size for path in kept) < LARGEST_FOLDER


def test_pictures_of_the_terminal_ask_no_host_for_anything():
    terminals = list(PICTURES.glob("*.svg"))
    assert terminals
    for path in terminals:
        # Names of formats are no addresses: only these two may look like one.
        text = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", path.read_text())
        assert re.findall(r"https?://(?!localhost)[^\s<\"]*|@import|<script|<image|url\((?!#)", text) == [], path.name


def test_the_console_reckons_with_the_prices_of_the_page_on_cost():
    known = json.loads((ROOT / "console" / "src" / "prices.json").read_text())
    prices, job = known["prices"], known["job"]
    page = (DOCS / "cost.md").read_text()
    vcpus, gb = (job["vcpus"], prices["fargate_vcpu_hour"]), (job["gb"], prices["fargate_gb_hour"])
    hour = vcpus[0] * vcpus[1] + gb[0] * gb[1]
    spot = hour * prices["spot_share"]
    for said in (
        f"List prices of {prices['region']}",
        prices["checked"],
        f"{vcpus[0]} × {vcpus[1]} + {gb[0]} × {gb[1]} = {hour:.3f} per hour",
        f"{hour:.3f} × {prices['spot_share']} = {spot:.3f}",
        f"public IPv4 address is {prices['ipv4_hour']} per hour",
        f"{spot + prices['ipv4_hour']:.3f} on Spot and {hour + prices['ipv4_hour']:.3f} on demand",
        f"**about {prices['rest_month']}**",
    ):
        assert said in page, said
    rest = page.split("## An idle month")[1].split("**together**")[0]
    assert round(sum(map(float, re.findall(r"\| (\d+\.\d+) \|$", rest, re.M)))) == prices["rest_month"]


def test_the_console_reckons_with_the_size_that_jobs_have():
    job = json.loads((ROOT / "console" / "src" / "prices.json").read_text())["job"]
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    definitions = {
        name: found["Properties"]["ContainerProperties"]["ResourceRequirements"]
        for name, found in resources.items()
        if found["Type"] == "AWS::Batch::JobDefinition" and name != "GpuJobDefinition"  # which has that of parameters
    }
    sizes = {name: {each["Type"]: float(each["Value"]) for each in wanted} for name, wanted in definitions.items()}
    assert {"VCPU": job["vcpus"], "MEMORY": job["gb"] * 1024} in sizes.values(), sizes
