"""One file a lesson: each class is a question of its exercise notebook, PREDICTIONS its guesses and their options.

What all lessons share is in common.py; a file that begins with an underscore is a part of its lesson's.
"""
