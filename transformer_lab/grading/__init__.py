"""grade() checks an exercise, predict() stores a guess, my_progress() and course_home() show both.

Importing this loads no torch.
"""

from ..busy import show_when_busy
from .home import course_home
from .originals import learn
from .predictions import guessed, predict
from .score import Score, grade
from .summary import my_progress
from .too_early import explain_missing_answers

__all__ = ["Score", "course_home", "grade", "guessed", "my_progress", "predict"]

learn()  # now, when every module here is complete and no answer has run
explain_missing_answers()
show_when_busy()
