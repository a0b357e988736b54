"""Text to ids and back, on Hugging Face's `tokenizers` library."""

import torch
from jaxtyping import Bool, Int
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

SPECIAL = PAD, BOS, EOS, UNK = "[PAD]", "[BOS]", "[EOS]", "[UNK]"

# A token is a digit, a word in Latin letters, a Chinese weekday or character, or any other visible sign.
TOKEN = r"\d|\p{Latin}+|星期\p{Han}|\p{Han}|[^\s\d\p{Latin}\p{Han}]"


class WordTokenizer:
    """Words, single digits and Chinese characters, each one id; unknown tokens become [UNK]."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.pad_id, self.bos_id, self.eos_id, self.unk_id = map(tokenizer.token_to_id, SPECIAL)

    @classmethod
    def train(cls, texts: list[str]) -> "WordTokenizer":
        """A tokenizer whose vocabulary is every token in texts."""
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNK))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(TOKEN), behavior="isolated"),
                pre_tokenizers.Split(Regex(r"\s+"), behavior="removed"),
            ]
        )
        tokenizer.decoder = decoders.Fuse()
        tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=list(SPECIAL)))
        return cls(tokenizer)

    @classmethod
    def load(cls, path) -> "WordTokenizer":
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path) -> None:
        self.tokenizer.save(str(path))

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids) -> str:
        """The tokens run together (as Chinese is written), special tokens left out."""
        return self.tokenizer.decode([int(i) for i in ids])

    def tokens(self, ids) -> list[str]:
        """Each id's token, as text."""
        return [self.tokenizer.id_to_token(int(i)) for i in ids]

    def batch(self, texts: list[str], bos=False, eos=False) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
        """Right-padded ids and their mask (True at real tokens), with [BOS] or [EOS] around each where asked."""
        rows = [[self.bos_id] * bos + self.encode(text) + [self.eos_id] * eos for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.pad_id] * (width - len(row)) for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        return ids, torch.arange(width) < lengths[:, None]
