"""nbgrader for everybody on the hub: where the course hands out and takes in.

The teacher's own settings, with the grader in its sandbox, stand in the course folder that `class new` makes.
"""

import os

c = get_config()  # noqa: F821  # nbgrader defines it

c.CourseDirectory.course_id = "transformer-lab"  # as in the course folder
c.Exchange.root = "/srv/nbgrader/exchange"
c.Exchange.assignment_dir = os.path.expanduser("~/exercises")  # where the lessons' links lead; it must exist
