import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import plant as plants  # noqa: E402

_running = []


@pytest.fixture
def plant():
    """One gateway for all tests of this folder that leave it as it was; a new one after a test that failed."""
    if not _running:
        _running.append(plants.Plant().start())
    yield _running[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call" and report.failed and "plant" in item.funcargs:
        report.sections.append(("the gateway's last lines", item.funcargs["plant"].gateway.tail()))
        item.has_failed = True


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    here = Path(__file__).parent
    is_last = nextitem is None or here not in nextitem.path.parents
    if _running and (is_last or getattr(item, "has_failed", False)):
        _running.pop().stop(check=not getattr(item, "has_failed", False))


def pytest_terminal_summary(terminalreporter):
    if not plants.FIGURES:
        return
    terminalreporter.section(f"faults, seed {plants.SEED}")
    names = ("", "accepted", "refused", "no answer", "sent twice", "reported twice", "healthy after")
    terminalreporter.line(f"{names[0]:58}" + "".join(f"{name:>15}" for name in names[1:]))
    for what, *numbers, healthy in plants.FIGURES:
        after = "" if healthy is None else f"{healthy:.1f} s"
        terminalreporter.line(f"{what:58}" + "".join(f"{number:>15}" for number in numbers) + f"{after:>15}")
