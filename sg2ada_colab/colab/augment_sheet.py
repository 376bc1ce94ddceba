"""What augmentation does to one's own images, as notebook 2 shows it: all transforms together, each alone folded below."""

import io
from typing import List, Optional, Sequence, Tuple

from PIL import Image

from ..dataset import open_dataset
from ..files import FilePath
from .html import picture, show
from .plan import find_dataset
from .session import plainly, workspace

TILE_PX, LABEL_PX, FOLDED_TILE_PX = 150, 22, 110


@plainly
def preview_augment(
    dataset: Optional[FilePath] = None, pipe: str = "bgc", strengths: Sequence[float] = (0.0, 0.2, 0.5, 0.8), num_images: int = 3
) -> List[Tuple[str, Image.Image]]:
    """Show what augmentation does to images of a dataset: a row an image, a column a strength p.

    Args:
        dataset: Name or path; None is the one that was prepared last.
        pipe: Transforms, such as bgc; see `sg2ada train --help`.
        strengths: Values of p.
        num_images: Rows.

    Returns:
        [(name, PIL image)]: all transforms together, then each alone.
    """
    from ..augment.preview import panels_of_dataset
    from ..runs.device import prepare_device

    prepare_device()  # or this kernel would take the whole GPU, and training have none
    data = open_dataset(find_dataset(workspace(), dataset))
    drawn = panels_of_dataset(data, pipe, num_images, strengths=tuple(strengths), tile_px=TILE_PX, label_px=LABEL_PX)
    alt = "{} of your images as the discriminator sees them, at strengths {}".format(num_images, ", ".join(map(str, strengths)))
    content = picture(
        _jpeg(drawn[0][1]), alt, f"Augmentation {pipe}: each row is one image, each column a strength p", zoom=False
    )
    if drawn[1:]:
        alone = "".join(picture(_jpeg(_smaller(sheet)), f"{alt}: {name}", zoom=False) for name, sheet in drawn[1:])
        content += f"<details><summary>Each of the {len(drawn) - 1} transforms alone</summary>{alone}</details>"
    show(content, alt)
    return drawn


def _smaller(sheet):
    ratio = FOLDED_TILE_PX / TILE_PX
    return sheet.resize((round(sheet.width * ratio), round(sheet.height * ratio)))


def _jpeg(sheet):
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    return file.getvalue()
