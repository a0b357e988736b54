"""Data made on the spot or read from installed packages: nothing is downloaded."""
