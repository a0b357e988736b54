"""A pytest plugin for the run over the notebooks: how many seconds each took, and all together."""


def pytest_terminal_summary(terminalreporter):
    seconds = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            name = getattr(report, "nodeid", "").partition("::")[0]
            if name.endswith(".ipynb"):
                seconds[name] = seconds.get(name, 0.0) + getattr(report, "duration", 0.0)
    for name, spent in sorted(seconds.items()):
        terminalreporter.write_line(f"{spent:6.1f} s  {name}")
    terminalreporter.write_line(f"{sum(seconds.values()):6.1f} s  in {len(seconds)} notebooks")
