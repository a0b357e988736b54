"""What holds for every explorer in Python: a static twin, a saved page, and no trait that the two forget."""

import base64
import io
import json
import re
from pathlib import Path

import pytest
from matplotlib.image import imread

from transformer_lab import viz
from transformer_lab.optional import MissingPackageError
from transformer_lab.viz.explorer import Explorer

# These need a model, and have tests of their own.
WITH_A_MODEL = (viz.ModelTour, viz.DecodingExplorer, viz.AlignmentExplorer, viz.FillExplorer, viz.EntityExplorer)
KINDS = [kind for kind in (getattr(viz, name) for name in viz.__all__)
         if isinstance(kind, type) and issubclass(kind, Explorer) and kind not in WITH_A_MODEL]  # fmt: skip


def made(kind):
    """The explorer as it is without arguments; skips the test where what it shows by itself needs a missing package."""
    try:
        return kind()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_notebook_without_a_kernel_shows_a_picture(kind):
    bundle = made(kind)._repr_mimebundle_()[0]
    assert bundle["image/png"].startswith("iVBORw0KGgo")
    assert len(bundle["image/png"]) < 300_000
    assert bundle["text/plain"].startswith(kind.__name__)
    assert kind().static_twin() == kind().static_twin()  # byte for byte: a rebuilt notebook does not change
    seen = imread(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert not seen[[0, 0, -1, -1], [0, -1, 0, -1], 3].any()  # round corners: the page shows through
    assert (seen[10, 20] == 1).all()  # and the card is white


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_saved_page_holds_every_trait_and_no_address(kind, tmp_path):
    explorer = made(kind)
    page = explorer.save(tmp_path / "explorer.html").read_text(encoding="utf-8")
    saved = json.loads(re.search(r'id="saved">(.*?)</script>', page)[1])
    assert saved["state"] == {name: getattr(explorer, name) for name in kind.own_traits()}
    assert saved["state"], "an explorer without a trait cannot be read from Python"
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_no_class_of_ours_is_one_of_font_awesome():
    """JupyterLab has its sheet, which gives elements of these classes another font."""
    sources = [path for path in (Path(viz.__file__).parent / "static").glob("*.js") if "d3" not in path.name]
    assert len(sources) > 20
    for path in sources:
        named = " ".join(re.findall(r'class: ["`]([^"`]*)', path.read_text(encoding="utf-8"))).split()
        assert not {"fa", "fab", "fad", "fal", "far", "fas"} & set(named), path.name
