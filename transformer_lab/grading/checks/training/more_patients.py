"""Lesson 13: the checks of four more patients, whose faults look alike."""

from ...checking import check
from .patients import ward

WARD = ward("Gita", "Jona", "Kofi", "Lila")


class more_patients:
    answers = (WARD,)

    @check("Gita", 1)
    def gita(diagnoses):
        WARD.judge(diagnoses, "Gita")

    @check("Jona", 1)
    def jona(diagnoses):
        WARD.judge(diagnoses, "Jona")

    @check("Kofi", 1)
    def kofi(diagnoses):
        WARD.judge(diagnoses, "Kofi")

    @check("Lila", 1)
    def lila(diagnoses):
        WARD.judge(diagnoses, "Lila")
