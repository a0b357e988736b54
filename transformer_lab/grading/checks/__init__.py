"""One file a lesson: each class is a question of its exercise notebook, PREDICTIONS its guesses and their options."""
