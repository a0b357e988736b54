"""What every test needs. nbval runs notebooks in kernels of their own, and needs none of it."""

import os
import random
import sys

if not any(argument.startswith("--nbval") for argument in sys.argv):
    if "SEEDS" not in os.environ:  # the checks' own tests run without it: it takes half of their time
        from jaxtyping import install_import_hook

        # Before anything imports the package: its signatures' shapes are then checked at every call.
        install_import_hook("transformer_lab", "beartype.beartype")
    os.environ["TRANSFORMER_LAB_PROGRESS"] = "off"
    os.environ["TRANSFORMER_LAB_DEVICE"] = "cpu"

    import numpy as np
    import pytest
    import torch
    from hypothesis import settings

    settings.register_profile("busy machine", deadline=None)
    settings.load_profile("busy machine")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(item):
        """Before a test and its fixtures: what they draw does not depend on the tests that ran before."""
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)


from browser import chromium, jupyter_server, lab, page, pytest_runtest_makereport  # noqa: E402, F401

collect_ignore = ["gpu"]  # `make test-gpu`: they need a conftest of their own, without the shape checks


def pytest_collection_modifyitems(items):
    """Browser tests last: Playwright's event loop, once started, is in the way of others that want one."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_terminal_summary(terminalreporter):
    """One line on the exercises' checks, when their tests ran; one on exercise notebooks that hold answers."""
    told = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for kind in ("a_wrong_answer_is_told_why", "a_right_answer_gets_full_marks"):
                if f"::test_{kind}[" in report.nodeid and report.when == "call":
                    told.setdefault(kind, []).append(outcome == "passed")
    if told:
        wrong, right = (told.get(kind, []) for kind in ("a_wrong_answer_is_told_why", "a_right_answer_gets_full_marks"))
        terminalreporter.write_line(
            f"wrong answers rejected with the right message {sum(wrong)}/{len(wrong)}, "
            f"right answers accepted {sum(right)}/{len(right)}"
        )
    if "test_build" in sys.modules:
        from build import ROOT
        from transformer_lab.exercise_files import is_edited

        answered = [p for p in sorted(ROOT.glob("exercises/*/*.ipynb")) if ".bak" not in p.name and is_edited(p)]
        for path in answered:
            terminalreporter.write_line(
                f"{path.relative_to(ROOT)} holds your answers; its clean copy was tested instead."
            )
