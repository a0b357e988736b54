"""nbgrader's configuration of this course. What else can be set: its own documentation.

`nbgrader autograde`, Formgrader and `transformer-lab class grade` all read this file.
"""

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ComputeChecksums,
    LimitOutput,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    SaveCells,
)

from transformer_lab.classroom.exchange import OwnFilesOnly
from transformer_lab.classroom.execute import SandboxedExecute
from transformer_lab.classroom.trusted import TrustedCells, Verdicts

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # nbgrader defines it

c.CourseDirectory.course_id = "transformer-lab"

# The sources hold no solutions (these are in the course's folder solutions/), so there is none to remove.
c.GenerateAssignment.preprocessors = [LockCells, ClearOutput, CheckCellMetadata, ComputeChecksums, SaveCells,
                                      ClearHiddenTests, ComputeChecksums, CheckCellMetadata]  # fmt: skip

# Before a submission runs: its outputs go, and every cell that is not the learner's own is put back.
c.Autograde.sanitize_preprocessors = [ClearOutput, TrustedCells, OverwriteKernelspec, OverwriteCells, CheckCellMetadata]
# It runs in a sandbox, and only a check's own sealed verdict counts.
c.Autograde.autograde_preprocessors = [SandboxedExecute, Verdicts, LimitOutput, SaveAutoGrades, CheckCellMetadata]

c.SandboxedExecute.timeout = 60  # seconds on the clock for one cell; it is then interrupted, and the next one runs
c.SandboxedExecute.notebook_seconds = 600  # seconds on the clock for a whole notebook

# With JupyterHub, where learners submit by nbgrader: only what is their own is collected. (docs/deploy/README.md)
c.ExchangeFactory.collect = OwnFilesOnly
