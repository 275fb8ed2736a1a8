"""Contact sheets: pictures with the words below them."""

from PIL import Image, ImageDraw


def sheet(path, cells, columns=8, scale=192):
    """cells: ([uint8 pictures that belong together], words). A row is never broken within a cell."""
    text, rows, used = 46, [[]], 0
    for images, words in cells:
        if used + len(images) > columns:
            rows, used = rows + [[]], 0
        rows[-1].append((images, words, used))
        used += len(images)
    out = Image.new("RGB", (columns * (scale + 6), len(rows) * (scale + text)), "white")
    pen = ImageDraw.Draw(out)
    for r, row in enumerate(rows):
        for images, words, at in row:
            x, y = at * (scale + 6), r * (scale + text)
            for k, img in enumerate(images):
                out.paste(Image.fromarray(img).resize((scale, scale), Image.Resampling.LANCZOS), (x + k * (scale + 2), y))
            line, lines, room = "", [], scale * len(images) // 6
            for w in words.split():
                if len(line) + len(w) > room:
                    lines, line = lines + [line], ""
                line += w + " "
            pen.multiline_text((x + 2, y + scale + 2), "\n".join((lines + [line])[:3]), fill="black", spacing=1)
    out.save(path)


def main():
    """python sheet.py work/ out.png: scenes and edits of the world, to look at."""
    import random
    import sys

    import paint
    import words
    import world
    atlas = paint.Atlas(sys.argv[1])
    w, rng = world.World(atlas), random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    t, cells = words.Words(w), []
    for _ in range(24):
        s = w.scene(rng)
        cells.append(([paint.draw(s, atlas)], t.caption(rng, s)))
    for kind in [*world.EDITS, "two", "two", "two"]:
        e = w.edit(rng, kind)
        cells.append(([paint.draw(e.before, atlas), paint.draw(e.after, atlas)], f"[{kind}] " + t.instruction(rng, e)))
    sheet(sys.argv[2], cells)


if __name__ == "__main__":
    main()
