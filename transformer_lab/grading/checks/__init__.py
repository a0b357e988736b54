"""One folder per lesson, with one file per question, named after it; what all lessons share is in common.py.

A lesson's LESSON is its name as learners write it, its __all__ the questions in the order of the notebook, its
PREDICTIONS the guesses and their options. Files of other names hold what several of its questions share, or the wrong
answers people give (..._faults.py).
"""
