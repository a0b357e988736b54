"""Does the search by meaning find German notes with German questions? MiniLM was trained on pairs of English texts.

Five notes and questions of sources.py, and the same five in German. Written down are the places of the right notes, and
the cosines of each question with all five notes.
"""

from sources import NOTES
from transformer_lab import load
from transformer_lab.search import sentence_vectors

GERMAN = {  # number of the note in sources.py: note, question
    0: ("Die Miete ist am dritten Werktag jedes Monats fällig.", "Wann muss ich den Vermieter bezahlen?"),
    1: ("Der Ersatzschlüssel liegt unter dem grünen Blumentopf.", "Wie komme ich ohne meinen Schlüssel hinein?"),
    2: ("Die Katze Minou bekommt um sieben eine halbe Dose Makrele.", "Was frisst die Katze?"),
    6: ("Die Mülltonnen kommen am Donnerstagabend hinaus.", "An welchem Tag wird der Abfall abgeholt?"),
    11: ("Der Chor probt in der alten Bäckerei.", "Wo singen wir?"),
}


def run() -> dict:
    """For each language: the place of each question's note among the five, and all cosines, a row for a question."""
    model, tokenizer = load("minilm")
    found = {}
    for language, pairs in (("English", [NOTES[number][:2] for number in GERMAN]), ("German", [*GERMAN.values()])):
        notes, questions = (sentence_vectors(model, tokenizer, list(texts)) for texts in zip(*pairs, strict=True))
        cosines = questions @ notes.T
        places = 1 + (cosines > cosines.diagonal()[:, None]).sum(dim=1)
        rounded = [[round(one, 3) for one in row] for row in cosines.tolist()]
        found[language] = {"places": places.tolist(), "cosines": rounded}
        print(language, found[language], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
