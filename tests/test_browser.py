"""The HTML report in a real browser: clicked through, by mouse and by keyboard, wide and narrow.

The browser is the system's Chromium, without a window, driven through its DevTools protocol. Every
test opens the file from disk with the network switched off, and fails on anything in the console.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime_conformance.engine import Plan, conduct
from realtime_conformance.report.columns import Columns, columns
from realtime_conformance.report.files import render
from realtime_conformance.report.page import issues_of
from sample_reports import broken, clean

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,  # starts a browser, and makes some hundred runs first
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this system"),
    pytest.mark.xdist_group("browser"),
]

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "TICKS": 0}
WIDE, NARROW = 1280, 390
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def reports() -> Columns:
    """One client that breaks much, in two scopes, one that breaks other things, and a clean one."""
    plan = Plan(client="doubles.faulty:TruncatesUnheard", scopes=("muted-reply",), changes=SMALL)
    return columns([conduct(plan), broken(), clean()])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, reports: Columns) -> Path:
    """The page on disk."""
    folder = tmp_path_factory.mktemp("report")
    render(folder, reports)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; a system user may have no right to a sandbox of its own."""
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, file: Path) -> Iterator[Open]:
    """Opens the page; at the end nothing was said in the console and nothing was asked for."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def opened(hash_: str = "", width: int = WIDE, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            offline=True,
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri() + hash_)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((file.as_uri(), "data:"))] == []


def visible(page: Any) -> list[str]:
    """The ids of the findings that are shown."""
    found: list[str] = page.eval_on_selector_all(
        ".finding", "all => all.filter((one) => one.offsetParent).map((one) => one.id)"
    )
    return found


def current(page: Any) -> str:
    """Where the open viewer stands."""
    text: str = page.locator(".where").inner_text()
    return text


def in_view(page: Any, selector: str) -> bool:
    """Whether some of an element is inside of the window."""
    seen: bool = page.eval_on_selector(
        selector,
        "one => { const box = one.getBoundingClientRect();"
        " return box.bottom > 0 && box.top < innerHeight; }",
    )
    return seen


def contrast(page: Any, selector: str) -> float:
    """The contrast of a text with what is behind it, by the formula of WCAG 2."""
    ratio: float = page.eval_on_selector(
        selector,
        """one => {
          const channels = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
          let back = one;
          const none = (style) => { const c = channels(style); return c.length > 3 && c[3] === 0; };
          while (back.parentElement && none(getComputedStyle(back).backgroundColor)) {
            back = back.parentElement;
          }
          const pair = [light(channels(getComputedStyle(one).color)),
            light(channels(getComputedStyle(back).backgroundColor))].sort((a, b) => b - a);
          return (pair[0] + 0.05) / (pair[1] + 0.05);
        }""",
    )
    return ratio


# -- what is there ----------------------------------------------------------------------------


def test_it_opens_from_disk(visit: Open, reports: Columns) -> None:
    """The matrix has a column for each report, and every finding is listed."""
    page = visit()
    heads = page.locator("table.matrix thead th").all_inner_texts()
    assert heads == ["check", *reports]
    assert visible(page) == [issue.anchor for issue in issues_of(reports)]
    assert page.locator("#count").inner_text() == f"{len(visible(page))} findings"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_has_to_be_scrolled_sideways(visit: Open, width: int, scheme: str) -> None:
    """Wide and narrow, with every run open; what is wider scrolls by itself."""
    page = visit(width=width, scheme=scheme)
    for button in page.locator("button.open[data-first]").all():
        button.click()
    page.locator(".about summary").click()
    for scope in page.locator("#picture select[name=scope] option").all_inner_texts():
        page.select_option("#picture select[name=scope]", scope)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    narrowest = page.eval_on_selector_all(
        ".move b", "all => Math.min(...all.map((one) => one.getBoundingClientRect().width))"
    )
    assert narrowest > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(visit: Open, scheme: str) -> None:
    """Texts stand out from what is behind them, as WCAG 2 asks of small text."""
    page = visit(scheme=scheme)
    page.locator("button.open[data-first]").first.click()
    for selector in (
        "p",
        "a",
        ".badge.violation",
        ".badge.known",
        ".badge.advisory",
        ".badge.pass",
        ".matrix .violation strong",
        ".matrix .violation small",
        ".matrix .advisory strong",
        ".matrix .vacuous strong",
        ".fingerprint code",
        ".step .time",
        ".step[aria-selected=true] b",
        ".breach.violation",
        ".knowledge dt",
        "button",
    ):
        assert contrast(page, selector) >= 4.5, selector


# -- filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "keeps"),
    [
        ("check", "comes-to-rest", lambda issue: issue.check == "comes-to-rest"),
        ("verdict", "advisory", lambda issue: issue.verdict == "advisory"),
        ("state", "known", lambda issue: issue.state == "known"),
        ("state", "new", lambda issue: issue.state == "new"),
        ("scope", "text-reply", lambda issue: "text-reply" in issue.names("scope")),
        ("column", "1", lambda issue: "livekit-agent 9.9.9" in issue.names("column")),
    ],
)
def test_findings_are_filtered(
    visit: Open, reports: Columns, name: str, value: str, keeps: Callable[[Any], bool]
) -> None:
    """By one thing at a time; the rest is hidden, the number is said, and all come back."""
    page = visit()
    page.select_option(f"#filters select[name={name}]", value)
    every = issues_of(reports)
    kept = [issue.anchor for issue in every if keeps(issue)]
    assert visible(page) == kept
    assert 0 < len(kept) < len(every)
    assert page.locator("#count").inner_text().startswith(f"{len(kept)} of {len(every)} ")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#count")).to_have_text(f"{len(every)} findings")
    assert len(visible(page)) == len(every)


def test_filters_work_together_and_can_be_linked_to(visit: Open) -> None:
    """The address says what is shown, so another window shows the same."""
    page = visit()
    page.select_option("#filters select[name=state]", "new")
    page.fill("#filters input[name=text]", "APP.INTERRUPT")
    shown = visible(page)
    assert shown
    assert page.url.endswith("#findings?state=new&text=APP.INTERRUPT")
    assert visible(visit(page.url[page.url.index("#") :])) == shown


def test_a_cell_leads_to_what_was_found(visit: Open) -> None:
    """To the findings of its check and its column, and no others."""
    page = visit()
    cell = page.locator("table.matrix td a").first
    check, _, column = cell.get_attribute("href").partition("check=")[2].partition("&column=")
    cell.click()
    expect(page.locator("#count")).to_contain_text(" of ")
    assert visible(page)
    for finding in visible(page):
        shown = page.locator(f"#{finding}")
        assert shown.get_attribute("data-check") == check
        assert column in shown.get_attribute("data-column").split()
    assert in_view(page, "#findings h2")


# -- stepping through -------------------------------------------------------------------------


def test_a_run_is_stepped_through_by_mouse(visit: Open) -> None:
    """It opens at the step that breaks it, and each button goes where it says."""
    page = visit()
    finding = page.locator(".finding").first
    finding.get_by_role("button", name="Step through").first.click()
    check = finding.get_attribute("data-check")
    selected = finding.locator(".step[aria-selected=true]")
    assert f"violation: {check}" in selected.inner_text()
    count = finding.locator(".step").count()
    at = int(current(page).split()[1])
    finding.get_by_role("button", name="Previous step").click()
    assert current(page) == f"step {at - 1} of {count}"
    finding.get_by_role("button", name="First step").click()
    assert current(page) == f"step 1 of {count}"
    assert finding.get_by_role("button", name="Previous step").is_disabled()
    finding.get_by_role("button", name="Last step").click()
    assert current(page) == f"step {count} of {count}"
    assert finding.get_by_role("button", name="Next step").is_disabled()
    finding.get_by_role("button", name="To the step that breaks it").click()
    assert current(page) == f"step {at} of {count}"
    finding.locator(".step").nth(2).click()
    assert current(page) == f"step 3 of {count}"
    finding.get_by_role("button", name="Close").click()
    assert not finding.locator(".viewer").is_visible()


def test_what_is_known_changes_with_the_step(visit: Open, reports: Columns) -> None:
    """Both sides stand beside it, as the report has them, and what is news is marked."""
    page = visit()
    finding = page.locator(".finding").first
    finding.get_by_role("button", name="Step through").first.click()
    steps = issues_of(reports)[0].shortest["steps"]
    finding.get_by_role("button", name="First step").click()
    finding.locator("ol.steps").focus()
    before: dict[str, str] = {}
    marked = 0
    for number, step in enumerate(steps):
        said = {}
        for side in range(2):
            terms = finding.locator(".sides dl").nth(side)
            names = terms.locator("dt").all_inner_texts()
            said.update(zip(names, terms.locator("dd").all_inner_texts(), strict=True))
        assert said == {**step["server"], **step["client"]}
        news = finding.locator(".sides dd.fresh").count()
        assert news == (sum(said[k] != before[k] for k in said) if number else 0)
        marked += news
        before = said
        assert step["label"] in finding.locator(".what").inner_text()
        page.keyboard.press("ArrowRight")
    assert marked


def test_the_current_step_stays_in_sight(visit: Open) -> None:
    """In the list, which scrolls by itself."""
    page = visit(width=NARROW)
    finding = page.locator(".finding").first
    finding.get_by_role("button", name="Step through").first.click()
    for key in ("Home", "End", "PageUp", "ArrowUp"):
        page.keyboard.press(key)
        inside = finding.locator("ol.steps").evaluate(
            "list => { const row = list.querySelector('[aria-selected=true]');"
            " const a = list.getBoundingClientRect(), b = row.getBoundingClientRect();"
            " return b.top >= a.top - 1 && b.bottom <= a.bottom + 1; }"
        )
        assert inside, key


# -- links ------------------------------------------------------------------------------------


def test_a_link_opens_its_finding(visit: Open, reports: Columns) -> None:
    """At the step that breaks it, and in sight."""
    anchor = issues_of(reports)[-1].anchor
    page = visit(f"#{anchor}")
    assert page.locator(f"#{anchor} .step[aria-selected=true] .breach").count() == 1
    assert in_view(page, f"#{anchor}")
    narrow = visit(f"#{anchor}", width=NARROW)
    assert in_view(narrow, f"#{anchor} .where")


def test_a_link_can_name_a_step(visit: Open, reports: Columns) -> None:
    """The address follows the steps, so it can be handed on."""
    anchor = issues_of(reports)[0].anchor
    page = visit(f"#{anchor}/2")
    assert current(page).startswith("step 2 of ")
    page.locator(f"#{anchor} ol.steps").focus()
    page.keyboard.press("ArrowDown")
    assert page.url.endswith(f"#{anchor}/3")
    assert current(visit(page.url[page.url.index("#") :])).startswith("step 3 of ")


def test_a_link_to_what_is_filtered_out_shows_it(visit: Open, reports: Columns) -> None:
    """The filter gives way."""
    first, *_, last = issues_of(reports)
    page = visit(f"#findings?check={first.check}")
    assert last.anchor not in visible(page)
    page.evaluate(f"location.hash = '{last.anchor}'")
    page.wait_for_selector(f"#{last.anchor} .step[aria-selected=true]")
    assert last.anchor in visible(page)


@pytest.mark.parametrize("hash_", ["#finding-that-is-gone", "#findings?check=gone&x=y", "#%3Cb%3E"])
def test_a_link_that_leads_nowhere_does_no_harm(visit: Open, hash_: str) -> None:
    """The page stands, and can be used."""
    page = visit(hash_)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#count")).not_to_contain_text(" of ")
    assert visible(page)


# -- the keyboard alone -----------------------------------------------------------------------


def tab_to(page: Any, selector: str, most: int = 200) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached with Tab")


def test_it_can_be_used_by_keyboard_alone(visit: Open) -> None:
    """From the top of the page to a filter, to a run, through it, and out of it."""
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert in_view(page, ".skip")
    page.keyboard.press("Enter")
    tab_to(page, "#filters select[name=state]")
    page.keyboard.type("new")
    assert page.locator("#filters select[name=state]").input_value() == "new"
    tab_to(page, "button.open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('ol.steps')"), "focus goes to the steps"
    at = int(current(page).split()[1])
    page.keyboard.press("ArrowUp")
    assert current(page).startswith(f"step {at - 1} ")
    page.keyboard.press("Home")
    assert current(page).startswith("step 1 ")
    page.keyboard.press("End")
    end = current(page).split()
    assert end[1] == end[3]
    active = page.locator("ol.steps").first.get_attribute("aria-activedescendant")
    assert page.locator(f"[id='{active}']").get_attribute("aria-selected") == "true"
    page.keyboard.press("Tab")
    assert page.evaluate("!document.activeElement.matches('ol.steps')"), "focus is not caught"


def test_what_has_the_focus_can_be_seen(visit: Open) -> None:
    """Everything that Tab reaches has a frame then."""
    page = visit()
    for _ in range(25):
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px"


# -- coverage ---------------------------------------------------------------------------------


def test_coverage_is_drawn_on_the_machines(visit: Open, reports: Columns) -> None:
    """Every node and rule is marked as the report says, for the scope and client that is chosen."""
    page = visit()
    for number, report in enumerate(reports.values()):
        for scope in report["scopes"]:
            page.select_option("#picture select[name=column]", str(number))
            page.select_option("#picture select[name=scope]", scope["name"])
            machines = page.locator(".part")
            assert machines.count() == len(scope["diagrams"])
            for place, diagram in enumerate(scope["diagrams"]):
                machine = machines.nth(place)
                missed = ["/".join(n["values"]) for n in diagram["nodes"] if not n["covered"]]
                marked = machine.locator(".state.missed").evaluate_all(
                    "all => all.map((one) => one.dataset.state)"
                )
                assert sorted(marked) == sorted(missed)
                never = [r["id"] for a in diagram["arrows"] for r in a["rules"] if not r["covered"]]
                assert machine.locator("code.missed").all_text_contents() == never
                assert machine.locator(".arrow text.missed").all_text_contents() == never


def test_a_picture_that_is_too_wide_begins_where_a_run_does(visit: Open) -> None:
    """On a small screen; what cannot be seen at once stands beside it as a list."""
    page = visit(width=NARROW)
    page.select_option("#picture select[name=scope]", "muted-reply")
    wide = page.locator(".part").filter(has=page.locator("details[open]"))
    assert 0 < wide.count() < page.locator(".part").count()
    for part in wide.all():
        state = part.locator(".initial").first.bounding_box()
        assert 0 <= state["x"] <= state["x"] + state["width"] <= NARROW
        assert part.locator("li").first.is_visible()


def test_a_client_that_did_not_go_through_a_scope_has_no_picture(visit: Open) -> None:
    """It is said."""
    page = visit()
    page.select_option("#picture select[name=column]", "2")
    page.select_option("#picture select[name=scope]", "muted-reply")
    assert "was not driven through muted-reply" in page.locator("#machines").inner_text()


def test_a_command_is_copied(visit: Open) -> None:
    """Or selected, where the browser does not let a file write to the clipboard."""
    page = visit()
    row = page.locator(".finding .run").first
    row.get_by_role("button", name="Copy").click()
    button = row.locator(".copy")
    expect(row.locator(".copy")).not_to_have_text("Copy")
    if button.inner_text() == "Selected":
        command = row.locator(".command").inner_text()
        assert page.evaluate("String(getSelection())").strip() == command
    else:
        assert button.inner_text() == "Copied"
