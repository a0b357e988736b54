"""A class: nbgrader's folders and gradebook with this course's exercises, hidden checks, and a sandbox for each answer.

transformer-lab class new DIR      a course folder            course.py, notebooks.py
transformer-lab class release 02   what the learners get      commands.py
transformer-lab class collect ZIP  what they hand in          collect.py, archives.py
transformer-lab class grade        each in its own sandbox    batch.py, execute.py, sandbox.py, kernel.py, hidden.py
transformer-lab class report       CSV and pages              report.py, pages.py
"""
