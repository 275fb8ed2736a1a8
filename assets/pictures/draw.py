"""Draws the program's icon and the picture of the first start.

    python draw.py PACKAGE     # the unpacked npm package @lobehub/fluent-emoji-3d, which ../nano/training/fetch_art.py fetches; needs numpy and pillow

The sticker art in welcome.png is Fluent Emoji, Copyright (c) Microsoft Corporation, MIT licence.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "nano" / "training"))
BIG = 1024


def icon():
    """A fox-coloured hill over an earlier, paler picture that shows through."""
    img = Image.new("RGBA", (BIG, BIG), (0, 0, 0, 0))
    mask = Image.new("L", (BIG, BIG), 0)
    ImageDraw.Draw(mask).rounded_rectangle((40, 40, BIG - 40, BIG - 40), 220, fill=255)
    y = np.linspace(0, 1, BIG)[:, None, None]
    sky = np.array((44, 42, 52)) * (1 - y) + np.array((92, 66, 72)) * y
    pic = Image.fromarray(np.repeat(sky, BIG, 1).astype(np.uint8)).convert("RGBA")

    def layer(draw):
        over = Image.new("RGBA", (BIG, BIG), (0, 0, 0, 0))
        draw(ImageDraw.Draw(over))
        pic.alpha_composite(over)

    layer(lambda d: d.ellipse((470, 180, 850, 560), fill=(242, 196, 140, 255)))
    layer(lambda d: d.polygon([(40, 760), (330, 330), (640, 820), (40, 980)], fill=(252, 240, 226, 88)))
    layer(lambda d: d.polygon([(40, 1000), (40, 830), (300, 640), (520, 760), (760, 520), (1000, 760), (1000, 1000)], fill=(226, 126, 62, 255)))
    layer(lambda d: d.line([(330, 330), (640, 820)], fill=(255, 246, 236, 150), width=14))
    img.paste(pic, (0, 0), mask)
    img.resize((256, 256), Image.Resampling.LANCZOS).save(HERE.parent / "icon.png", optimize=True)


def welcome(root):
    """Objects that the embedded model knows, on a backdrop that it knows, sharp enough for a large window."""
    import world
    side = 640
    n = world.SIDE
    back = Image.fromarray(world.backdrop("grass").clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    img = back.filter(ImageFilter.GaussianBlur(1.2)).convert("RGBA")

    def put(code, x, y, size):
        art = Image.open(root / "assets" / f"{code}.webp").convert("RGBA")
        art = art.crop(art.getbbox())
        k = size * side / n / max(art.size)
        art = art.resize((round(art.width * k), round(art.height * k)), Image.Resampling.LANCZOS)
        img.alpha_composite(art, (round(x * side / n - art.width / 2), round(y * side / n - art.height / 2)))

    put("1f98a", 64, 78, 76)
    img.convert("RGB").save(HERE.parent / "welcome.png", optimize=True)


if __name__ == "__main__":
    icon()
    welcome(Path(sys.argv[1]))
