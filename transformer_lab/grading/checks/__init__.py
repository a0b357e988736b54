"""One file a lesson: each class is a question of its exercise notebook, PREDICTIONS its guesses and their options.

A lesson's LESSON is its name as learners write it, its __all__ the questions in the order of the notebook.
What all lessons share is in common.py; a file that begins with an underscore is a part of its lesson's.
"""
