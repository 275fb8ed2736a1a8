"""Scenes and edits in words: sentences, lists, and the few words that people type. Chance picks among them."""

from __future__ import annotations

from backdrops import COLOURS, Back
from paint import TINTS
from world import DEFAULT, Edit, Scene, Thing, World

PLACE = {
    "meadow": (["on a meadow", "in a green field", "on the grass"], ["a meadow", "a green field", "grass"]),
    "beach": (["on the beach", "at the beach", "on the sand by the sea"], ["a beach", "the beach", "a sandy beach"]),
    "desert": (["in the desert", "between sand dunes"], ["a desert", "the desert", "sand dunes"]),
    "forest": (["in the forest", "in the woods", "among trees"], ["a forest", "the woods", "a forest with trees"]),
    "mountains": (["in the mountains", "in front of mountains"], ["mountains", "the mountains", "a mountain landscape"]),
    "sea": (["on the sea", "in the ocean", "on the water"], ["the sea", "the ocean", "open water"]),
    "lake": (["by a lake", "at the lake", "at a pond"], ["a lake", "a pond", "the lake"]),
    "city": (["in the city", "in front of skyscrapers", "downtown"], ["a city", "the city", "a skyline"]),
    "farm": (["on a farm", "at the farm", "in front of a barn"], ["a farm", "the farm", "a barn"]),
    "garden": (["in the garden", "in a garden with flowers"], ["a garden", "the garden", "a flower garden"]),
    "road": (["on the road", "on a street"], ["a road", "a street"]),
    "hills": (["in the hills", "in front of green hills"], ["hills", "rolling hills"]),
    "room": (["in a room", "indoors", "on a wooden floor", "in the living room"], ["a room", "a living room", "a room with a wooden floor"]),
    "kitchen": (["in the kitchen", "in a kitchen"], ["a kitchen", "the kitchen"]),
    "space": (["in space", "in outer space", "among the stars"], ["space", "outer space"]),
    "underwater": (["underwater", "under the sea", "on the sea floor"], ["an underwater scene", "the bottom of the sea"]),
    "sky": (["in the sky", "among the clouds"], ["the sky", "clouds", "a blue sky with clouds"]),
    "stage": (["on a stage", "in a theater"], ["a stage", "a theater stage"]),
}
for _c in COLOURS:
    PLACE[_c] = ([f"on a {_c} background", f"on a plain {_c} background", f"with a {_c} background", f"on {_c}"],
                 [f"{_c}", f"plain {_c}", f"a {_c} background"])
TIME = {"day": ["by day", "in daylight"], "dawn": ["at dawn", "in the early morning", "at sunrise"],
        "sunset": ["at sunset", "in the evening", "at dusk"], "night": ["at night", "under a starry sky", "by moonlight"]}
WEATHER = {"clear": ["in clear weather"], "cloudy": ["under a cloudy sky", "on a cloudy day"], "rain": ["in the rain", "while it rains"],
           "snow": ["in falling snow", "while it snows"], "fog": ["in the fog", "in thick fog"]}
SEASON = {"summer": ["in summer"], "spring": ["in spring"], "autumn": ["in autumn", "in fall"], "winter": ["in winter", "in the snow"]}
POSITION = {"middle": ["in the middle", "in the center"], "left": ["on the left", "on the left side"],
            "right": ["on the right", "on the right side"], "top": ["at the top"], "bottom": ["at the bottom"],
            "top left": ["in the top left corner", "at the top left"], "top right": ["in the top right corner", "at the top right"],
            "bottom left": ["in the bottom left corner", "at the bottom left"],
            "bottom right": ["in the bottom right corner", "at the bottom right"]}
SIZE = {"xs": [""], "s": ["small", "little", "tiny"], "m": [""], "l": ["big", "large", "huge"]}
COLOUR = {"grey": ["grey", "gray"], "purple": ["purple", "violet"]}
NUMBER = {2: ["two", "two", "2", "a pair of", "a couple of"], 3: ["three", "three", "3"], 4: ["four", "four", "4"], 5: ["five", "five", "5"]}
STYLE = {"3d": ["make it 3d", "turn it into a 3d rendering", "3d style"], "flat": ["make it flat", "turn it into a flat illustration", "flat style"],
         "line": ["turn it into a line drawing", "make it a line drawing", "line art"],
         "cartoon": ["make it a cartoon", "turn it into a cartoon", "cartoon style"],
         "grey": ["make it black and white", "make it grayscale", "remove all colors", "black and white"],
         "sepia": ["make it sepia", "make it look like an old photo", "give it a sepia tone"],
         "pixel": ["make it pixel art", "turn it into pixel art", "pixelate it"], "blur": ["blur the picture", "make it blurry", "blur it"],
         "dark": ["make it darker", "darken the picture", "lower the brightness"]}
DRAWN = {"flat": ["a flat illustration of", "flat style,"], "line": ["a line drawing of", "line art of"], "cartoon": ["a cartoon of", "cartoon style,"]}
PLURAL = {"mouse": "mice", "fish": "fish", "deer": "deer", "sheep": "sheep", "tooth": "teeth", "wolf": "wolves", "leaf": "leaves",
          "knife": "knives", "goose": "geese", "ox": "oxen", "moose": "moose", "bison": "bison", "cactus": "cacti", "shrimp": "shrimp"}


def plural(name: str) -> str:
    head, *tail = name.split(" of ", 1) if " of " in name else name.split(" with ", 1) if " with " in name else [name]
    join = " of " if " of " in name else " with "
    *before, last = head.split(" ")
    if last in PLURAL:
        last = PLURAL[last]
    elif last.endswith(("s", "x", "ch", "sh")):
        last = last if last.endswith("s") and not last.endswith(("ss", "us")) else last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return join.join([" ".join(before + [last]), *tail])


def article(text: str) -> str:
    return "an" if text[0] in "aeio" or text.startswith(("umb", "uni")) and not text.startswith("uni") else "a"


def listing(rng, parts):
    if len(parts) == 1:
        return parts[0]
    comma = "," if len(parts) > 2 and rng.random() < .3 else ""
    return ", ".join(parts[:-1]) + f"{comma} and " + parts[-1]


def polish(rng, text, stop=True):
    if rng.random() < .15:
        text = text[0].upper() + text[1:]
    if stop and rng.random() < .1:
        text += "."
    return text


class Words:
    def __init__(self, world: World):
        self.world = world

    def name(self, rng, kind):
        o = self.world.atlas.objects[kind]
        r = rng.random()
        if r < .16 and o["other"]:
            return rng.choice(o["other"])
        if r < .03 and o["rare"]:
            return rng.choice(o["rare"])
        return o["name"]

    def noun(self, rng, t: Thing, sized=False, n=1, the=False, bare=False):
        """A thing, or n like it: "a small red car", "three cats", "the dog"."""
        words, natural = [], self.world.atlas.colour[t.kind]
        if sized:
            words.append(rng.choice(SIZE[t.size]))
        if t.tint >= 0:
            words.append(rng.choice(COLOUR.get(TINTS[t.tint], [TINTS[t.tint]])))
        elif natural and rng.random() < .06:
            words.append(natural)
        name = self.name(rng, t.kind)
        words.append(plural(name) if n > 1 else name)
        text = " ".join(w for w in words if w)
        if the:
            return f"the {text}"
        if n > 1:
            return f"{rng.choice(NUMBER[n])} {text}"
        return text if bare or plural(name) == name else f"{article(text)} {text}"

    def where(self, rng, b: Back, short=False):
        """The background in words; what goes without saying is not said."""
        parts = []
        if b._replace(variant=0) == DEFAULT and rng.random() < .75:
            return ""
        if b.place != DEFAULT.place or b.outdoor() and rng.random() < .3 or b._replace(variant=0) == DEFAULT:
            parts.append(rng.choice(PLACE[b.place][1 if short and b.place not in COLOURS else 0]))
        more = []
        if b.time != "day":
            more.append(b.time if short else rng.choice(TIME[b.time]))
        if b.season != "summer" and not (b.season == "winter" and b.weather == "snow" and rng.random() < .5):
            more.append(b.season if short else rng.choice(SEASON[b.season]))
        if b.weather != "clear":
            more.append(dict(cloudy="clouds").get(b.weather, b.weather) if short else rng.choice(WEATHER[b.weather]))
        rng.shuffle(more)
        return (", " if short else " ").join(parts + more)

    def groups(self, s: Scene):
        """Things that are told together: like kind, colour and size, in the order they lie."""
        out = {}
        for t in sorted(s.things, key=lambda t: (t.y // 70, t.x) if s.layout in ("square", "dice", "triangle", "column") else (t.x, t.y)):
            out.setdefault((t.kind, t.tint, t.size), []).append(t)
        return list(out.values())

    @staticmethod
    def position(t: Thing):
        col = "left" if t.x < 96 else "right" if t.x > 160 else ""
        row = "top" if t.y < 100 else "bottom" if t.y > 180 else ""
        return f"{row} {col}".strip() or "middle"

    def objects(self, rng, s: Scene):
        g = self.groups(s)
        sized = len({t.size for t in s.things}) > 1 or len(s.things) == 1
        text = [self.noun(rng, v[0], sized, len(v)) for v in g]
        if len(s.things) == 1:
            at = self.position(s.things[0])
            return text[0] + (" " + rng.choice(POSITION[at]) if at != "middle" or rng.random() < .15 else "")
        if len(g) == 2 and len(s.things) == 2:
            (a,), (b,), (ta, tb) = g[0], g[1], text
            r = rng.random()
            if s.layout == "column":
                return rng.choice([f"{ta} above {tb}", f"{tb} below {ta}", f"{ta} over {tb}", f"{ta} at the top and {tb} at the bottom"])
            if r < .5:
                return f"{ta} and {tb}"
            return rng.choice([f"{ta} on the left and {tb} on the right", f"{tb} on the right and {ta} on the left",
                               f"{ta} to the left of {tb}", f"{tb} to the right of {ta}", f"{ta} next to {tb}", f"{ta} beside {tb}"])
        if len(g) == 3 and len(s.things) == 3 and rng.random() < .4:
            a, b, c = text
            if s.layout == "row":
                return rng.choice([f"{a} on the left, {b} in the middle and {c} on the right", f"{b} between {a} and {c}"])
            return f"{a} above {b} and {c}"
        if len(g) == 1 and s.layout in ("row", "column") and rng.random() < .2:
            return text[0] + (" in a row" if s.layout == "row" else " in a column")
        if len(g) > 1 and rng.random() < .3:
            rng.shuffle(text)
        return listing(rng, text)

    def caption(self, rng, s: Scene) -> str:
        if not s.things:
            return polish(rng, rng.choice(["an empty scene ", "nothing "]) + (self.where(rng, s.back) or "on a meadow"))
        if rng.random() < .22:  # as people type
            what = listing(rng, [self.noun(rng, v[0], len(s.things) == 1, len(v), bare=True) for v in self.groups(s)])
            at = self.position(s.things[0])
            if len(s.things) == 1 and at != "middle":
                what += " " + at
            where = self.where(rng, s.back, short=True)
            parts = [p for p in (where, what) if p]
            if rng.random() < .6:
                parts.reverse()
            if s.art != "3d":
                parts.append(dict(flat="flat", line="line art", cartoon="cartoon")[s.art])
            return rng.choice([", ", ", ", " "]).join(parts)
        what, where = self.objects(rng, s), self.where(rng, s.back)
        if s.art != "3d":
            what = f"{rng.choice(DRAWN[s.art])} {what}"
        elif rng.random() < .1:
            what = f"{rng.choice(['a picture of', 'an illustration of', 'a drawing of', 'an image of'])} {what}"
        if not where:
            return polish(rng, what)
        r = rng.random()
        return polish(rng, f"{what} {where}" if r < .7 else f"{what}, {where}" if r < .85 or s.art != "3d" else f"{where}, {what}")

    # ------------------------------------------------------------------------- instructions

    def instruction(self, rng, e: Edit) -> str:
        s, parts = e.before, []
        for step in e.steps:
            parts.append(self.step(rng, s, step))
        return polish(rng, rng.choice([" and ", " and ", ", then ", ". "]).join(parts))

    def the(self, rng, s: Scene, t: Thing):
        """The thing by its name; with its colour where another of its kind is there."""
        alone = sum(v.kind == t.kind for v in s.things) <= 1
        return self.noun(rng, t._replace(tint=-1) if alone and rng.random() < .7 else t, the=True)

    def step(self, rng, s, step):
        k, d = step.kind, step.data
        old, new = (step.gone or (None,))[0], (step.new or (None,))[0]
        say = rng.choice
        if k == "add":
            thing, where = self.noun(rng, new, sized=rng.random() < .3), say(POSITION[d["where"]])
            near = [t for t in s.things if abs(t.y - new.y) < 40 and 40 < abs(t.x - new.x) < 110]
            if len(near) == 1 and sum(t.kind == near[0].kind for t in s.things) == 1 and rng.random() < .4:
                side = "left" if new.x < near[0].x else "right"
                where = say([f"to the {side} of {self.the(rng, s, near[0])}", f"next to {self.the(rng, s, near[0])} on the {side}"])
            return say([f"add {thing} {where}", f"put {thing} {where}", f"place {thing} {where}", f"draw {thing} {where}"])
        if k == "remove":
            what = self.the(rng, s, old)
            if len(step.gone) > 1:
                what = f"{say(['all ', ''])}the {plural(self.world.names[old.kind])}"
            return say([f"remove {what}", f"delete {what}", f"take away {what}", f"erase {what}", f"get rid of {what}"])
        if k == "replace":
            a, b = self.the(rng, s, old), self.noun(rng, new)
            return say([f"replace {a} with {b}", f"change {a} to {b}", f"turn {a} into {b}", f"swap {a} for {b}"])
        if k == "move":
            a = self.the(rng, s, old)
            to = d["where"] + (" corner" if " " in d["where"] else "")
            return say([f"move {a} to the {to}", f"put {a} {say(POSITION[d['where']])}", f"shift {a} to the {to}"])
        if k == "resize":
            a = self.the(rng, s, old)
            return say([f"make {a} bigger", f"make {a} larger", f"enlarge {a}"] if d["grow"] else
                       [f"make {a} smaller", f"shrink {a}", f"reduce the size of {a}"])
        if k == "recolour":
            a, c = self.the(rng, s, old), say(COLOUR.get(TINTS[new.tint], [TINTS[new.tint]]))
            return say([f"make {a} {c}", f"change the color of {a} to {c}", f"paint {a} {c}", f"turn {a} {c}"])
        if k == "count":
            t = (step.gone or step.new)[0]._replace(tint=-1)
            many = self.noun(rng, t, n=d["n"]) if d["n"] > 1 else f"only one {self.name(rng, t.kind)}"
            more = d["n"] - d["old"]
            how = [f"make it {many}", f"there should be {many}", f"change it to {many}"]
            if more == 1:
                how += [f"add another {self.name(rng, t.kind)}", f"one more {self.name(rng, t.kind)}"]
            elif more > 1:
                how.append(f"add {say(NUMBER[more][:2])} more {plural(self.name(rng, t.kind))}")
            elif more < -1:
                how.append(f"remove {say(NUMBER[-more][:2])} {plural(self.name(rng, t.kind))}")
            else:
                how.append(f"remove one {self.name(rng, t.kind)}")
            return say(how)
        if k == "background":
            to = say(PLACE[d["back"].place][1])
            return say([f"change the background to {to}", f"replace the background with {to}", f"make the background {to}",
                        f"set the scene {say(PLACE[d['back'].place][0])}", f"put it {say(PLACE[d['back'].place][0])}"])
        if k == "time":
            v = d["time"]
            return say([f"make it {dict(day='daytime', dawn='early morning', sunset='evening', night='night')[v]}",
                        f"change the time of day to {v}", f"show it {say(TIME[v])}", f"turn it into {dict(dawn='a sunrise', sunset='a sunset').get(v, v)}"])
        if k == "season":
            return say([f"make it {d['season']}", f"change the season to {d['season']}", f"show it {SEASON[d['season']][0]}"])
        if k == "weather":
            v = d["weather"]
            return say({"clear": ["clear the sky", "make the weather clear", "stop the bad weather"], "cloudy": ["make it cloudy", "add clouds"],
                        "rain": ["make it rain", "add rain", "make it rainy"], "snow": ["let it snow", "add falling snow", "make it snow"],
                        "fog": ["add fog", "make it foggy"]}[v])
        if k == "style":
            return say(STYLE[d["style"]])
        if d["absent"] is not None:
            return say(["remove the ", "delete the ", "make the "]) .replace("make the ", "shrink the ") + self.world.names[d["absent"]]
        return say(["do nothing", "keep it as it is", "change nothing", "leave the picture as it is", "don't change anything"])

    def corpus(self, n, rng):
        """Text for the tokenizer; every object's names are in it."""
        for i in range(n):
            yield self.caption(rng, self.world.scene(rng))
            yield self.instruction(rng, self.world.edit(rng))
            if i % 4 == 0:
                o = self.world.atlas.objects[i // 4 % self.world.count]
                for w in (o["name"], plural(o["name"]), *o["other"], *o["rare"]):
                    yield f"a {w} and {w}"
