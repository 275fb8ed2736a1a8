"""Fetch the drawings and their names, and pack the chosen objects into one file, `art.npz` (about 15 MB).

    python fetch_art.py work/            # npm packs six packages (44 MB); `resvg-py` rasterises

Four drawings of each object: `3d` and `flat` and `line` are Microsoft's Fluent Emoji (MIT), `cartoon` is Google's Noto
Emoji (Apache-2.0). Names and tags are emojibase's (MIT). Every picture is kept as a 132 x 132 WebP.
"""

import argparse
import io
import json
import re
import subprocess
import tarfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

PACKAGES = {
    "3d": ("@lobehub/fluent-emoji-3d", "1.1.0"),
    "flat": ("@iconify-json/fluent-emoji-flat", "1.2.6"),
    "line": ("@iconify-json/fluent-emoji-high-contrast", "1.2.6"),
    "cartoon": ("@iconify-json/noto", "1.2.9"),
    "names": ("emojibase-data", "17.0.0"),
}
ARTS = ("3d", "flat", "line", "cartoon")
SIDE = 132

# Subgroups of emojibase that hold things one can put into a picture, and what is left out of them.
SUBGROUPS = """animal-mammal animal-bird animal-amphibian animal-reptile animal-marine animal-bug plant-flower plant-other
food-fruit food-vegetable food-prepared food-asian food-sweet drink dishware place-building place-other transport-ground
transport-water transport-air hotel time sky-weather event award-medal sport game arts-crafts clothing sound music
musical-instrument phone computer light-video book-paper money mail writing office lock tool science medical household
other-object face-costume person-fantasy person-role heart face-smiling face-hat face-glasses face-affection""".split()
DROP = re.compile(
    r"^(man |woman |men |women |pregnant|breast|person (in|with|wearing|feeding)|people |Mx |Mrs|flag|.*o.clock|.*-thirty|.* moon|"
    r".* moon face|foggy|night with|cityscape|sunrise|sunset|bridge at|hot springs|milky way|fog|wind face|cyclone|cigarette|"
    r"coffin|headstone|funeral|nazar|hamsa|placard|love hotel|Japanese (post|castle)|.*(speaker|bell with slash)|.*tickets?$|"
    r"map of|world map|pager|kiss|beating|revolving|growing|mending|heart (exclam|decor|with|on)|sparkling|love letter|two hearts|"
    r".*(banknote|yen)|.*with (pen|key)|incoming|outbox|inbox|envelope with|e-mail|pile of poo|ogre|goblin|alien monster|"
    r"kaaba|oncoming|metro|station|tram car|light rail|railway|trolleybus|mountain (railway|cableway)|suspension|aerial|"
    r"(open|closed) mailbox|ballot|card (index|file)|bookmark tabs|page|label|ledger|linked|level slider|control|chains|link|"
    r"hole|guide dog|service dog|paw prints|pig nose|microbe|wing$|worker|construction$|motorway|petri|sun behind|"
    r"cloud with|umbrella (on|with)|closed umbrella|snowman without|low battery|mobile phone with|telephone receiver|"
    r"camera with|magnifying glass tilted right|locked with|hammer and|crutch|white cane|drop of blood|x-ray|elevator|"
    r"water wave|red envelope|reminder|pouring|antenna|airplane (dep|arr)|small airplane|goal net|martial|running shirt|"
    r"(spade|heart|diamond|club) suit|mahjong|flower playing|joker|thong|briefs|one-piece|bikini|woman.s clothes|clutch|"
    r"front-facing|black cat|black bird|nest with|wilted|two-hump|ram|water buffalo|stuffed|military helmet|seat|rockfall|"
    r"face with tears|grinning|beaming|rolling|upside|melting|smiling face with (halo|tear|open)|slightly|winking|kissing|"
    r"star-struck|face (blowing|without)|disguised|smiling face$|(broken|pink|orange|yellow|green|blue|light blue|purple|brown|black|grey|white) heart|"
    r"(green|blue|orange) book)")
# The front view is what people mean by the name; the whole animal is then left out.
RENAME = {
    "dog face": "dog", "cat face": "cat", "tiger face": "tiger", "horse face": "horse", "cow face": "cow", "pig face": "pig",
    "mouse face": "mouse", "rabbit face": "rabbit", "monkey face": "monkey", "dragon face": "dragon head", "red apple": "apple",
    "hamburger": "burger", "automobile": "car", "fire engine": "fire truck", "wrapped gift": "gift", "evergreen tree": "pine tree",
    "deciduous tree": "tree", "honeybee": "bee", "lady beetle": "ladybug", "hot beverage": "cup of coffee", "soft ice cream": "soft ice cream",
    "red heart": "heart", "locomotive": "steam train", "hatching chick": "hatching chick", "baby chick": "chick",
    "spouting whale": "whale", "ear of corn": "corn", "doughnut": "donut", "birthday cake": "cake", "jack-o-lantern": "halloween pumpkin",
    "smiling face with sunglasses": "smiley with sunglasses", "cowboy hat face": "smiley with cowboy hat", "partying face": "party smiley",
    "smiling face with smiling eyes": "smiley", "smiling face with heart-eyes": "smiley with heart eyes", "nerd face": "nerd smiley",
    "smiling face with hearts": "smiley with hearts", "T-Rex": "t-rex", "sauropod": "dinosaur", "mobile phone": "phone",
    "desktop computer": "computer", "computer mouse": "computer mouse", "closed book": "book", "light bulb": "light bulb",
    "tear-off calendar": "tear-off calendar", "cut of meat": "steak", "poultry leg": "chicken leg", "clown face": "clown",
    "flying saucer": "ufo", "headphone": "headphones", "billed cap": "cap", "woman’s hat": "sun hat", "man’s shoe": "shoe",
    "running shoe": "sneaker", "high-heeled shoe": "high heel", "woman’s boot": "boot", "woman’s sandal": "sandal",
    "magnifying glass tilted left": "magnifying glass", "horizontal traffic light": "traffic light", "red paper lantern": "red lantern",
    "glowing star": "shining star", "leafy green": "lettuce", "kiwi fruit": "kiwi", "cup with straw": "soda", "eggplant": "eggplant",
    "wastebasket": "trash can", "locked": "padlock", "unlocked": "open padlock", "pool 8 ball": "billiard ball", "game die": "dice",
}
SAME = {  # emojibase labels that RENAME's targets already have
    "dog", "cat", "tiger", "horse", "cow", "pig", "mouse", "rabbit", "monkey", "whale"}
OTHER = """dog puppy,doggy|cat kitten,kitty|rabbit bunny|turtle tortoise|palm tree palm|pine tree fir tree,evergreen|apple|pizza slice of pizza
burger hamburger,cheeseburger|donut doughnut|car auto|fire truck fire engine|steam train train engine|sailboat sailing boat
airplane plane,aeroplane|gift present,gift box|soccer ball football|bee honey bee|ladybug ladybird|ufo flying saucer,spaceship|phone smartphone
bicycle bike|motorcycle motorbike|cup of coffee coffee,mug of coffee|cake birthday cake|french fries fries|halloween pumpkin jack-o'-lantern,pumpkin
t-shirt tshirt,shirt|top hat magician's hat|mug beer|sheep ewe
crocodile alligator|house home|baby chick chick|teddy bear teddy,plush bear|trash can garbage can,bin|light bulb bulb|umbrella parasol
police car cop car|taxi cab|racing car race car,formula one car|wine glass glass of wine|television tv|laptop notebook computer"""
# What a picture is most often about; the presets that have little time train on the first of them.
CORE = """dog cat fox lion panda frog monkey pig cow rabbit elephant giraffe zebra penguin duck owl flamingo turtle whale octopus crab
butterfly bee snail sunflower rose cactus palm tree|pine tree|mushroom apple banana pineapple watermelon strawberry lemon carrot pizza burger
cake donut ice cream|car bus tractor fire truck|steam train|sailboat rocket airplane helicopter house castle tent snowman balloon gift umbrella
guitar robot ghost star rainbow soccer ball|tree bear horse mouse tiger unicorn fish shark dolphin bicycle heart crown hat cup of coffee
teddy bear|sun t-shirt top hat|chair cherries grapes pear peach tomato broccoli avocado cheese wedge|egg bread hot dog|taco cupcake cookie
lollipop dragon dinosaur t-rex snake spider ladybug parrot eagle chicken rooster chick koala sloth hedgehog kangaroo camel wolf deer
hippopotamus tulip cherry blossom|maple leaf|ufo taxi police car|ambulance motorcycle truck motor scooter|anchor lighthouse fountain
ferris wheel|church key lamp light bulb|candle alarm clock|book books laptop computer phone camera television telescope microscope hammer
axe scissors pencil paintbrush basketball tennis trophy drum trumpet violin piano saxophone kite dice puzzle piece|christmas tree|halloween pumpkin
sneaker dress jeans scarf backpack glasses sunglasses ring bed bathtub door bell shield bomb magnet fire cloud snowflake droplet alien skull clown
mermaid fairy santa claus|vampire astronaut ninja princess prince""".replace("|", "\n")


def core_rank(names):
    """Names in the order of CORE: the longest that fits at each word."""
    words, rank, at = CORE.lower().split(), {}, 0
    while at < len(words):
        for n in (3, 2, 1):
            name = " ".join(words[at:at + n])
            if name in names and name not in rank:
                rank[name] = len(rank)
                break
        at += n
    return rank


def unpack(work: Path, package: str, version: str) -> Path:
    to = work / "npm" / package.replace("/", "-").strip("@")
    if not to.exists():
        to.mkdir(parents=True)
        name = subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=to, check=True,
                              capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(to / name) as t:
            t.extractall(to, filter="data")
    return to / "package"


def everyday(names_folder: Path, have: set) -> list[dict]:
    """The chosen objects with their names, drawings' keys and further words, the best known first."""
    groups = json.loads((names_folder / "meta/groups.json").read_text())["subgroups"]
    out = []
    for e in json.loads((names_folder / "en/data.json").read_text()):
        label, code = e["label"], e["hexcode"].lower()
        if groups.get(str(e.get("subgroup"))) not in SUBGROUPS or DROP.match(label) or label in SAME and label not in RENAME:
            continue
        found = [c for c in (code, code + "-fe0f", code.replace("-fe0f", "")) if c in have]
        if not found or "-200d-" in code:
            continue
        name = RENAME.get(label, label).lower().replace("’", "'").replace(",", "")
        out.append(dict(name=name, code=found[0], label=label, tags=e.get("tags", []), group=groups[str(e["subgroup"])]))
    names = [o["name"] for o in out]
    assert len(set(names)) == len(names), sorted(n for n in set(names) if names.count(n) > 1)
    other = {}
    for part in OTHER.replace("\n", "|").split("|"):
        name = next((n for n in sorted(names, key=len, reverse=True) if part.startswith(n + " ")), None)
        if name:
            other[name] = [w.strip() for w in part[len(name):].split(",")]
    uses = {}
    for o in out:
        for t in o["tags"]:
            uses[t] = uses.get(t, 0) + 1
    taken = set(names) | {w for v in other.values() for w in v}
    for o in out:  # a tag that belongs to one object alone is a word for it
        own = [t for t in o["tags"] if uses[t] == 1 and t not in taken and t.isalpha() and len(t) > 3]
        o["other"], o["rare"] = [w for w in other.get(o["name"], []) if w not in names], own[:3]
    rank = core_rank(set(names))
    out.sort(key=lambda o: rank.get(o["name"], 10 ** 6))
    return out


def trimmed(img: Image.Image) -> Image.Image:
    """Without the transparent margin, centred on a square of SIDE."""
    img = img.convert("RGBA")
    img = img.crop(img.getchannel("A").point(lambda v: 255 if v > 12 else 0).getbbox())
    side = max(img.size)
    a = np.zeros((side, side, 4), np.float32)
    x, y = (side - img.width) // 2, (side - img.height) // 2
    a[y:y + img.height, x:x + img.width] = np.asarray(img, np.float32)
    a[..., :3] *= a[..., 3:] / 255
    planes = [np.asarray(Image.fromarray(a[..., c]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for c in range(4)]
    a = np.clip(np.stack(planes, -1), 0, 255)
    a[..., :3] = np.clip(a[..., :3] * 255 / np.maximum(a[..., 3:], 1), 0, 255)
    return Image.fromarray((a + .5).clip(0, 255).astype(np.uint8), "RGBA")


def packed(job) -> bytes:
    kind, data = job
    if kind == "svg":
        import resvg_py
        data = bytes(resvg_py.svg_to_bytes(svg_string=data, width=256, height=256))
    out = io.BytesIO()
    trimmed(Image.open(io.BytesIO(data))).save(out, "WEBP", quality=88, method=5, alpha_quality=90)
    return out.getvalue()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    a = ap.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    at = {k: unpack(a.work, *v) for k, v in PACKAGES.items()}
    have = {p.stem for p in (at["3d"] / "assets").glob("*.webp")}
    objects = everyday(at["names"], have)
    icons = {k: json.loads((at[k] / "icons.json").read_text()) for k in ARTS[1:]}
    jobs, keep = {k: [] for k in ARTS}, []
    for o in objects:
        slug = re.sub(r"[^a-z0-9]+", "-", o["label"].lower().replace("’", "").replace("ñ", "n")).strip("-")
        art = {}
        for k, j in icons.items():
            names = [slug, slug.replace("-", "")]
            name = next((n for n in names if n in j["icons"] or n in j.get("aliases", {})), None)
            while name is not None and name not in j["icons"]:
                name = j["aliases"][name]["parent"]
            if name is not None:
                side = j["icons"][name].get("width", j["width"])
                art[k] = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" color="#202028">'
                          f'{j["icons"][name]["body"]}</svg>')
        if len(art) < 3:
            continue
        keep.append(o)
        jobs["3d"].append(("webp", (at["3d"] / "assets" / f"{o['code']}.webp").read_bytes()))
        for k, svg in art.items():
            jobs[k].append(("svg", svg))
    data = {}
    with ProcessPoolExecutor() as pool:
        for k in ARTS:
            files = list(pool.map(packed, jobs[k], chunksize=16))
            data[k] = np.frombuffer(b"".join(files), np.uint8)
            data[k + "_ends"] = np.cumsum([len(f) for f in files])
    words = [dict(name=o["name"], code=o["code"], other=o["other"], rare=o["rare"], group=o["group"]) for o in keep]
    data["objects"] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    np.savez(a.work / "art.npz", **data)
    size = (a.work / "art.npz").stat().st_size
    print(f"{len(keep)} objects of {len(objects)}, {size / 1e6:.1f} MB, crc {zlib.crc32((a.work / 'art.npz').read_bytes()):08x}")


if __name__ == "__main__":
    main()
