import pytest

from gateway import Gateway
from ingress import Instance


@pytest.fixture(scope="session")
def gateway():
    """One gateway for all tests that leave it as it was."""
    running = Gateway()
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def own_gateway():
    """A gateway for the tests of one file, which may treat it roughly."""
    running = Gateway()
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the gateway said."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for running in item.funcargs.values():
            if isinstance(running, Gateway):
                report.sections.append(("the gateway's last lines", running.tail()))
            elif isinstance(running, Instance):
                report.sections.append((f"the last lines of {running.name}", running.tail()))
