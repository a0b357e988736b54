"""Lesson 13: the checks of four more patients, whose faults look alike."""

from ..diagnosis import snippets
from .patients import ward

WARD = ward("Gita", "Jona", "Kofi", "Lila")


class more_patients(snippets(WARD, 4)):
    answers = (WARD,)
