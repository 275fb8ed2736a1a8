"""Writes those files of tests/photos that nothing in Rust's picture library writes. Needs Pillow 10 or newer.

    python tests/photos/make.py
"""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent / "files"


def scene(mode="RGB", size=(96, 64), moved=0):
    """A sky, a meadow and a ball: no two corners alike, so that a turned picture is noticed."""
    width, height = size
    image = Image.new("RGB", size)
    for y in range(height):
        for x in range(width):
            up = y / height
            sky = (90 + 60 * up, 150 + 50 * up, 235 - 20 * x / width)
            image.putpixel((x, y), tuple(int(v) for v in (sky if up < 0.6 else (70, 150 + 40 * x / width, 60))))
    ball = [width * 0.15 + moved, height * 0.3, width * 0.15 + moved + height * 0.4, height * 0.7]
    ImageDraw.Draw(image).ellipse(ball, fill=(230, 60, 40))
    return image.convert(mode)


def main():
    FOLDER.mkdir(exist_ok=True)
    scene("CMYK").save(FOLDER / "cmyk.jpg", quality=92)
    scene().quantize(16).save(FOLDER / "palette.png")
    clear = scene().quantize(16)
    clear.save(FOLDER / "palette-clear.png", transparency=0)
    scene("L").convert("1").save(FOLDER / "one-bit.png")
    scene("RGB").save(FOLDER / "progressive.jpg", quality=90, progressive=True)
    scene("L").save(FOLDER / "grey.jpg", quality=92)
    frames = [scene(moved=8 * n) for n in range(4)]
    frames[0].save(FOLDER / "moves.webp", save_all=True, append_images=frames[1:], duration=80, lossless=True)
    frames[0].save(FOLDER / "moves.gif", save_all=True, append_images=frames[1:], duration=80)


if __name__ == "__main__":
    main()
