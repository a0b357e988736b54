"""Does a small model answer from a text in front of it? Questions that no model can know, and notes that answer them.

SmolLM2 is asked each question alone, with the note that answers it, with the next note of the list, which answers
another question, and with the note that the search by meaning finds first among all. An answer counts as right if it
holds the key word. Notes, questions and key words were written down before anything was asked.
"""

import torch

from transformer_lab import generate, load
from transformer_lab.data.passages import Passage
from transformer_lab.search import SearchEngine

NOTES = (  # note, question, key word
    ("The rent is due on the third working day of each month.", "When do I have to pay the landlord?", "third"),
    ("The spare key lies under the green flower pot.", "How do I get in without my own key?", "pot"),
    ("The cat Minou gets half a tin of mackerel at seven.", "What does the cat eat?", "mackerel"),
    ("Mr Okafor knows the boiler; call him before noon.", "Who repairs the heating?", "Okafor"),
    ("Aunt Olga's apple cake takes no butter, but twice the cinnamon.", "What makes Olga's cake special?", "cinnamon"),
    ("The password of the network is on the back of the router, in red.", "Where is the Wi-Fi code?", "router"),
    ("The bins go out on Thursday evening.", "On which day is the rubbish collected?", "Thursday"),
    ("The boat to the island leaves from pier nine.", "Where does the ferry start?", "nine"),
    ("Dr Lindqvist does not work on Tuesdays.", "On which day is the doctor away?", "Tuesday"),
    ("When the printer blinks orange, close its lid twice.", "The printer has stopped. What helps?", "lid"),
    ("Grandfather was born in Trieste, in a house by the canal.", "Which town does grandpa come from?", "Trieste"),
    ("The choir rehearses in the old bakery.", "Where do we sing?", "bakery"),
    ("The lock of the bicycle opens with 4172.", "What is the number for the bike?", "4172"),
    ("Our football team is called the Lazy Herons.", "What is the name of the club that we play for?", "Heron"),
    ("The guests from Oslo arrive on the fourteenth.", "When do the Norwegians come?", "fourteenth"),
    ("The fern gets cold tea, never water.", "What do I give the plant to drink?", "tea"),
)
WAYS = ("alone", "right", "wrong", "found")
LONGEST = 24  # new tokens


def prompt(question: str, note: str = "") -> str:
    """The question in SmolLM2's chat template, after a note if there is one."""
    given = f"Here is a note: {note}\n\nAnswer from this note. " if note else ""
    return f"<|im_start|>user\n{given}{question}<|im_end|>\n<|im_start|>assistant\n"


def answer(model, tokenizer, text: str, longest: int = LONGEST) -> str:
    """What the model writes after the prompt, greedily, up to the end of its turn."""
    ids = torch.tensor([tokenizer.encode(text, special=True)])
    new = generate(model, ids, longest, stop=tokenizer.eos_id)[0, ids.shape[1] :]
    return tokenizer.decode(new).strip()


def is_right(said: str, key_word: str) -> bool:
    return key_word.lower() in said.lower()


def search() -> SearchEngine:
    """The search by meaning among all notes."""
    return SearchEngine.of([Passage("note", note) for note, _, _ in NOTES], *load("minilm"))


def given(number: int, engine: SearchEngine) -> dict[str, str]:
    """What stands in front of this question: nothing, its note, the next one, or what the search found."""
    note, question, _ = NOTES[number]
    other = NOTES[(number + 1) % len(NOTES)][0]
    return {"alone": "", "right": note, "wrong": other, "found": engine.search(question, k=1)[0].passage.text}


def run() -> list[dict]:
    """For each question: what was put in front of it and said, and whether it counts as right, in each way."""
    (model, tokenizer), engine, rows = load("smollm2"), search(), []
    for number, (_, question, key_word) in enumerate(NOTES):
        notes, said = given(number, engine), {}
        for way, note in notes.items():
            same = way == "found" and note == notes["right"]
            said[way] = said["right"] if same else answer(model, tokenizer, prompt(question, note))
        right = {way: is_right(text, key_word) for way, text in said.items()}
        rows.append({"question": question, "found": notes["found"], "said": said, "right": right})
        print({way: sum(row["right"][way] for row in rows) for way in WAYS}, question, said, flush=True)
    return rows


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
