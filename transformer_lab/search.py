"""Search by meaning: a question and each passage become one vector, and the nearest passages are the answer.

One vector for a text is the mean of its tokens' vectors in a BERT that was trained so that texts of similar meaning are
near to each other (Sentence-BERT, Reimers and Gurevych 2019, arXiv:1908.10084). Beside it a search by words, TF-IDF.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .arguments import check_at_least, check_text, check_texts
from .data.documents import fingerprint
from .data.passages import Passage, passages
from .data.tokenizers import Tokenizer, shortened
from .environment import is_watched
from .files import path_of, write_whole
from .grading.store import folder as data_folder
from .models import BERT, evaluating, not_nan, unwrapped
from .optional import MissingPackageError, installed
from .pretrained import load
from .progress_bar import ProgressBar
from .sentences import kind_of

# The vectors that MiniLM computed of the documentation's passages, as write_vectors writes them.
STORED = Path(__file__).parent / "weights" / "python_docs" / "passages.safetensors"
LONG = 128  # passages, which take long enough for a progress bar


@torch.no_grad()
def sentence_vectors(model, tokenizer: Tokenizer, texts: Sequence[str], batch_size: int = 32) -> Float[Tensor, "N D"]:
    """One vector of length 1 for each text: the mean of its tokens' last hidden states, padding left out.

    model is a BERT, or a Classifier or Tagger, whose own head is not used. A text longer than its max_len is cut; the
    vectors are float32, on the CPU. Raises ValueError for a model of another kind and for a text without tokens.
    """
    check_texts("texts", texts)
    check_at_least("batch_size", batch_size, 1)
    model = unwrapped(model)
    if not isinstance(model, BERT):
        raise ValueError(f"Sentence vectors need a BERT, which reads both ways; got {kind_of(model)}.")
    rows = [shortened(tokenizer, ids_of(tokenizer, text), model.config.max_len) for text in texts]
    device = next(model.parameters()).device
    vectors = torch.zeros(len(rows), model.config.d_model)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))  # batches of similar lengths have little padding
    with evaluating(model):
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, mask = (part.to(device) for part in tokenizer.pad([rows[i] for i in chosen]))
            hidden = not_nan(BERT.forward(model, ids, mask))
            means = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            vectors[chosen] = F.normalize(means.float(), dim=-1).cpu()
    return vectors


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text; ValueError if there are none."""
    ids = tokenizer.encode(text)
    if not ids:
        raise ValueError(f"A text needs at least one token; this one has none: {text!r}.")
    return ids


@dataclass(frozen=True)
class Hit:
    """A passage that was found, and how well it fits the question: the cosine of their vectors, 1 at most."""

    passage: Passage
    score: float


class Search:
    """The base of both searches: passages, and a score of each for a question."""

    def __init__(self, found: Sequence[Passage]):
        self.passages = list(found)
        if not self.passages:
            raise ValueError("There are no passages to search in.")

    def scores(self, question: str) -> Float[Tensor, "N"]:
        """How well each passage fits the question: the cosine of their vectors."""
        raise NotImplementedError

    def search(self, question: str, k: int = 5) -> list[Hit]:
        """The k passages that fit the question best, or all if there are fewer, the best one first.

        ValueError for an empty question, and for k < 1.
        """
        check_text(question)
        check_at_least("k", k, 1)
        if not question.strip():
            raise ValueError("The question is empty; wanted at least one word.")
        scores, order = self.scores(question).sort(descending=True, stable=True)
        return [Hit(self.passages[i], score) for i, score in zip(order[:k].tolist(), scores.tolist(), strict=False)]


class SearchEngine(Search):
    """Passages and their vectors; a question is answered with one matrix product.

    >>> engine = SearchEngine.of(passages("notes"), *load("minilm"))
    >>> engine.search("How do I renew the certificate?", k=3)
    """

    def __init__(self, found: Sequence[Passage], vectors: Float[Tensor, "N D"], model, tokenizer: Tokenizer):
        super().__init__(found)
        if len(vectors) != len(self.passages):
            raise ValueError(f"Every passage needs a vector; got {len(vectors)} for {len(self.passages)} passages.")
        self.vectors, self.model, self.tokenizer = vectors, model, tokenizer

    @classmethod
    def of(cls, found: Sequence[Passage], model, tokenizer: Tokenizer) -> "SearchEngine":
        """A search of these passages: MiniLM computes about ten vectors a second on one core of a CPU."""
        found = list(found)
        texts = [passage.whole for passage in found]
        return cls(found, sentence_vectors(model, tokenizer, texts), model, tokenizer)

    @classmethod
    def of_python_docs(cls) -> "SearchEngine":
        """A search of Python's documentation with MiniLM; MissingPackageError without MiniLM's package.

        Its vectors are stored with the course. Where this Python's text differs from theirs, they are computed.
        """
        model, tokenizer = load("course:minilm")
        found = passages()
        kept = read_vectors(STORED, model.config.d_model)
        return cls(found, completed(kept, found, model, tokenizer), model, tokenizer)

    @classmethod
    def of_texts(cls, path) -> "SearchEngine":
        """A search of a text file or a folder of texts with MiniLM; raises as `passages` does, and ValueError if none.

        Its vectors are kept in the course's data folder, so that the next time only what is new is computed.
        """
        found = passages(path)
        if not found:
            raise ValueError(f"{path} holds headings and no text below them; wanted something to search in.")
        model, tokenizer = load("course:minilm")
        home = data_folder()
        file = home and home / "search" / f"{fingerprint(str(path_of(path).resolve()))}.safetensors"
        kept = read_vectors(file, model.config.d_model) if file and file.is_file() else {}
        vectors = completed(kept, found, model, tokenizer)
        if file and {fingerprint(passage.whole) for passage in found} != set(kept):
            with suppress(OSError):  # if they cannot be kept they are computed again the next time
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_vectors(file, found, vectors)
        return cls(found, vectors, model, tokenizer)

    def scores(self, question: str) -> Float[Tensor, "N"]:
        return self.vectors @ sentence_vectors(self.model, self.tokenizer, [question])[0]


class WordSearch(Search):
    """Search by words: TF-IDF, where a word counts more the fewer passages have it (Sparck Jones 1972). A baseline.

    It needs scikit-learn, whose vectorizer it is, with its default settings; MissingPackageError without it.
    """

    def __init__(self, found: Sequence[Passage]):
        super().__init__(found)
        if installed("scikit-learn") is None:
            raise MissingPackageError(
                "The search by words needs the package scikit-learn: pip install scikit-learn", name="scikit-learn"
            )
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # it has no types

        self.vectorizer = TfidfVectorizer()
        self.vectors = self.vectorizer.fit_transform(passage.whole for passage in self.passages)

    def scores(self, question: str) -> Float[Tensor, "N"]:
        product = self.vectors @ self.vectorizer.transform([question]).T  # of vectors of length 1
        return torch.tensor(product.toarray()[:, 0], dtype=torch.float32)


def completed(stored: dict[str, Tensor], found: Sequence[Passage], model, tokenizer) -> Float[Tensor, "N D"]:
    """The vectors of all passages: the stored ones, by fingerprint, and those of new passages, which are computed."""
    keys = [fingerprint(passage.whole) for passage in found]
    new = {key: passage.whole for key, passage in zip(keys, found, strict=True) if key not in stored}
    texts = list(new.values())
    computed: list[Tensor] = []
    is_quiet = len(texts) < LONG or not is_watched()
    with ProgressBar(total=len(texts), desc="Reading", unit="passage", disable=is_quiet) as bar:
        for start in range(0, len(texts), LONG):
            computed += sentence_vectors(model, tokenizer, texts[start : start + LONG])
            bar.update(len(texts[start : start + LONG]))
    known = stored | dict(zip(new, computed, strict=True))
    return torch.stack([known[key] for key in keys])


def write_vectors(file: Path, found: Sequence[Passage], vectors: Float[Tensor, "N D"]) -> None:
    """Write the passages' vectors, in 16 bits, with the fingerprint of each passage; the text itself is not written."""
    keys = " ".join(fingerprint(passage.whole) for passage in found)
    write_whole(file, save({"vectors": vectors.half()}, {"passages": keys}))


def read_vectors(file: Path, width: int) -> dict[str, Float[Tensor, "D"]]:
    """The vectors of this width that write_vectors wrote, by their passages' fingerprints; none from a damaged file."""
    try:
        with safe_open(file, "pt") as opened:
            keys, vectors = (opened.metadata() or {}).get("passages", "").split(), opened.get_tensor("vectors")
    except (SafetensorError, OSError):
        return {}
    if vectors.shape != (len(keys), width) or not vectors.isfinite().all():
        return {}
    return dict(zip(keys, F.normalize(vectors.float(), dim=-1), strict=True))


def store_vectors() -> None:
    """Compute the vectors of this Python's documentation with MiniLM and write them to STORED, for `make weights`."""
    found = passages()
    write_vectors(STORED, found, completed({}, found, *load("course:minilm")))
