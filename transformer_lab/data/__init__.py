"""Data that are generated, read from installed packages or from a user's files: nothing is downloaded."""
