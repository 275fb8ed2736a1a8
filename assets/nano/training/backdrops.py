"""Backgrounds: 18 places by time of day, season and variant, drawn from formulas; 11 plain colours; and the weather over them.

A backdrop is a function of its key alone, so "make it night" has one exact answer. Needs numpy only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

SIDE = 256
PLACES = ["meadow", "beach", "desert", "forest", "mountains", "sea", "lake", "city", "farm", "garden", "road", "hills"]
INDOOR = ["room", "kitchen", "space", "underwater", "sky", "stage"]
COLOURS = {"red": (214, 62, 58), "orange": (246, 146, 60), "yellow": (248, 212, 74), "green": (84, 176, 92), "blue": (66, 128, 222),
           "purple": (140, 84, 190), "pink": (246, 160, 196), "brown": (146, 98, 62), "black": (34, 34, 40),
           "white": (246, 246, 246), "grey": (150, 152, 158)}
PLAIN = list(COLOURS)
TIMES = ["day", "dawn", "sunset", "night"]
SEASONS = ["summer", "spring", "autumn", "winter"]
WEATHERS = ["clear", "cloudy", "rain", "snow", "fog"]
VARIANTS = 3
WITHOUT_SEASON = {"beach", "desert", "sea", "city", "road"}  # only winter shows there, as snow

SKY = {"day": ((92, 170, 240), (200, 232, 252)), "dawn": ((150, 150, 214), (255, 208, 190)),
       "sunset": ((98, 62, 134), (250, 146, 74)), "night": ((14, 18, 56), (54, 62, 126))}
LIGHT = {"day": (1, 1, 1), "dawn": (1, .9, .88), "sunset": (.96, .72, .60), "night": (.30, .36, .58)}
GRASS = {"summer": ((124, 194, 84), (72, 152, 58)), "spring": ((160, 218, 104), (104, 186, 80)),
         "autumn": ((214, 172, 88), (168, 114, 54)), "winter": ((248, 251, 255), (214, 226, 242))}
LEAVES = {"summer": (52, 124, 66), "spring": (126, 198, 96), "autumn": (220, 124, 44), "winter": (226, 236, 246)}


class Back(NamedTuple):
    """place: one of PLACES, INDOOR or PLAIN; the rest is "day", "clear", "summer" where it does not apply."""
    place: str
    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    variant: int = 0

    def outdoor(self):
        return self.place in PLACES


_Y, _X = ((np.mgrid[0:SIDE, 0:SIDE] + .5) / SIDE).astype(np.float32)


def _c(v):
    return np.asarray(v, np.float32)


def _ramp(top, low, y0=0.0, y1=1.0):
    return _c(top) + (_c(low) - _c(top)) * np.clip((_Y - y0) / (y1 - y0), 0, 1)[..., None]


def _soft(distance):
    """Coverage of the half plane distance > 0, one pixel wide."""
    return np.clip(distance * SIDE + .5, 0, 1)[..., None]


def _over(img, mask, colour):
    return img + (_c(colour) - img) * mask


def _disc(img, cx, cy, r, colour):
    return _over(img, _soft(r - np.hypot(_X - cx, _Y - cy)), colour)


def _box(img, x0, y0, x1, y1, colour):
    return _over(img, _soft(np.minimum(np.minimum(_X - x0, x1 - _X), np.minimum(_Y - y0, y1 - _Y))), colour)


def _wave(base, amp, f, ph):
    return _Y - (base + amp * np.sin(_X * f + ph))


def _tree(img, cx, foot, h, leaf, trunk=(112, 78, 52)):
    img = _box(img, cx - .012, foot - h * .45, cx + .012, foot, trunk)
    for dx, dy, r in ((-.25, .6, .24), (.25, .6, .24), (0, .82, .27)):
        img = _disc(img, cx + dx * h * .6, foot - dy * h, r * h, leaf)
    return img


def _fir(img, cx, foot, h, leaf):
    for k in range(3):
        tip, low = foot - h * (1 - .26 * k), foot - h * (.52 - .24 * k)
        img = _over(img, _soft(np.minimum((_Y - tip) * .42 - np.abs(_X - cx) * .8, low - _Y)), leaf)
    return img


def _sky(time, rng, winter):
    img = _ramp(*SKY[time], 0, .62)
    if winter and time == "day":
        img = img * .55 + _c((206, 222, 238)) * .45
    x = rng.choice([.18, .8])
    if time == "night":
        for _ in range(42):
            img = _disc(img, rng.random(), rng.random() * .6, .003 + .004 * rng.random(), (255, 250, 214))
        img = _disc(img, x, .16, .07, (252, 240, 190))
        return _disc(img, x - .03, .145, .06, _ramp(*SKY[time], 0, .62)[int(.145 * SIDE), 0])
    if time == "sunset":
        return _disc(img, .5, .56, .15, (255, 222, 120))
    if time == "dawn":
        return _disc(img, x, .5, .09, (255, 240, 200))
    img = _disc(img, x, .15, .065, (255, 236, 130))
    for _ in range(2):
        cx, cy = rng.random() * .8 + .1, .1 + rng.random() * .18
        for k in (-1, 0, 1):
            img = _disc(img, cx + k * .06, cy + abs(k) * .015, .05 - abs(k) * .012, (250, 252, 255))
    return img


def _outdoor(b: Back, rng):
    season = b.season
    winter = season == "winter"
    # three streams of chance, so that the ground's shape depends neither on the hour nor on the season
    sky, detail = _sky(b.time, rng, winter), np.random.default_rng(rng.bit_generator.seed_seq.entropy + 5000)
    rng = np.random.default_rng(rng.bit_generator.seed_seq.entropy + 9000)
    grass, leaf = GRASS[season], LEAVES[season]
    img = np.full((SIDE, SIDE, 3), np.nan, np.float32)  # what stays NaN is sky
    img, cover = np.zeros_like(img), np.zeros((SIDE, SIDE, 1), np.float32)
    layers = []

    def add(mask, colour):
        layers.append((mask, colour))

    def snow(colour):
        return _ramp((244, 248, 253), (216, 228, 242), .5, 1) if winter else colour

    ph = rng.random() * 6
    if b.place == "beach":
        add(_soft(_Y - .45), _ramp((40, 150, 196), (96, 206, 216), .45, .64))
        add(_soft(_wave(.63, .012, 14, ph)), (250, 248, 240))
        add(_soft(_wave(.65, .012, 14, ph)), snow(_ramp((244, 218, 160), (226, 190, 124), .64, 1)))
    elif b.place == "sea":
        add(_soft(_Y - .42), _ramp((44, 132, 202), (14, 70, 142), .42, 1))
        for k, y in enumerate((.5, .62, .75, .9)):
            add(_soft(.006 - np.abs(_wave(y, .012, 25, k * 2 + ph))) * .5, (236, 246, 252))
    elif b.place == "desert":
        add(_soft(_wave(.54, .05, 5, ph)), snow((226, 160, 90)))
        add(_soft(_wave(.66, .04, 6, ph + 2)), snow(_ramp((240, 188, 112), (206, 140, 74), .62, 1)))
    elif b.place == "mountains":
        for cx, h, w in ((.24 + .1 * rng.random(), .2, .36), (.76 - .1 * rng.random(), .14, .4)):
            ridge = _Y - (h + np.abs(_X - cx) / w * .52)
            add(_soft(ridge), _ramp((120, 130, 154), (86, 96, 122), h, .7))
            add(_soft(np.minimum(ridge, h + (.3 if winter else .11) + .03 * np.sin(_X * 40) - _Y)), (248, 250, 255))
        add(_soft(_wave(.68, .02, 5, ph)), _ramp(*grass, .66, 1))
    elif b.place == "city":
        for k in range(9):
            x, h = k / 9 - .02, .18 + rng.random() * .3
            tone = 96 + 50 * rng.random()
            add(_soft(np.minimum(np.minimum(_X - x, x + .105 - _X), _Y - (.68 - h))), (tone * .9, tone, tone * 1.12))
            lit = (np.mod(_X - x, .035) > .012) & (np.mod(_Y, .05) > .024) & (_X > x + .01) & (_X < x + .1) & (_Y > .7 - h) & (_Y < .66)
            add(lit[..., None].astype(np.float32), "window")
        add(_soft(_Y - .68), snow(_ramp((128, 130, 138), (96, 98, 106), .68, 1)))
    elif b.place == "road":
        add(_soft(_wave(.5, .02, 6, ph)), _ramp(*GRASS["winter" if winter else "summer"], .5, 1))
        add(_soft(_Y - .6), (112, 114, 122))
        add(_soft(np.minimum(_Y - .6, .615 - _Y)), (236, 238, 240))
        for k in range(5):
            add(_soft(np.minimum(np.minimum(_X - k * .25 + .02, k * .25 + .1 - _X), .012 - np.abs(_Y - .8))), (248, 240, 200))
    else:
        if b.place in ("hills", "farm"):
            add(_soft(_wave(.5, .05, 6, ph)), _c(grass[0]) * .86)
        add(_soft(_wave(.62, .03, 5, ph)), _ramp(*grass, .58, 1))
        if b.place == "hills":
            add(_soft(_wave(.74, .06, 4, ph + 2)), _c(grass[1]) * .94)
        if b.place == "forest":
            for row, n in ((0, 9), (1, 7)):
                for k in range(n):
                    add(("fir" if (k + row) % 2 else "tree", (k + .5 + .3 * (rng.random() - .5)) / n, .62 + .07 * row,
                         .36 + .1 * rng.random()), _c(leaf) * (.78 if row == 0 else 1))
        if b.place == "lake":
            e = np.hypot((_X - .5) / .44, (_Y - .78) / .13)
            add(_soft((1.06 - e) * .13), (196, 178, 128) if not winter else (226, 234, 244))
            add(_soft((1 - e) * .13), (196, 222, 240) if winter else _ramp((96, 178, 226), (44, 124, 190), .65, .9))
        if b.place == "farm":
            for k in range(7):
                add(_soft(np.minimum(.008 - np.abs(_X - .08 - k * .14), np.minimum(_Y - .56, .68 - _Y))), (226, 206, 170))
            for y in (.59, .64):
                add(_soft(.007 - np.abs(_Y - y)), (226, 206, 170))
            add(_soft(np.minimum(np.minimum(_X - .66, .9 - _X), np.minimum(_Y - .36, .56 - _Y))), (176, 58, 50))
            add(_soft(np.minimum((_Y - .26) * .9 - np.abs(_X - .78) * .62, .37 - _Y)), snow((120, 44, 42)))
        if b.place == "garden":
            for k in range(12):
                add(("disc", .04 + k / 12 + .02 * rng.random(), .6 + .02 * rng.random(), .05), _c(leaf) * .9)
            for _ in range(0 if winter else 34):
                add(("disc", detail.random(), .58 + .4 * detail.random(), .009), [(240, 90, 110), (250, 220, 90), (200, 120, 220), (255, 255, 255)][detail.integers(4)])
        if b.place == "meadow" and season == "spring":
            for _ in range(26):
                add(("disc", detail.random(), .68 + .3 * detail.random(), .008), [(250, 170, 200), (255, 255, 255)][detail.integers(2)])
        if b.place == "meadow" and season == "autumn":
            for _ in range(30):
                add(("disc", detail.random(), .68 + .3 * detail.random(), .008), [(206, 80, 40), (240, 190, 60)][detail.integers(2)])
        if b.place in ("meadow", "hills"):
            for _ in range(2):
                add(("tree", rng.choice([.08, .9, .2, .78]), .64, .2 + .06 * rng.random()), leaf)
    # ground first without the sky, so that the light of the hour falls on it alone
    for mask, colour in layers:
        if isinstance(colour, str):
            colour = (255, 226, 130) if b.time in ("night", "sunset") else (176, 206, 228)
            light = (1, 1, 1)
        else:
            light = LIGHT[b.time]
        if isinstance(mask, tuple):
            kind, *at = mask
            m = np.zeros((SIDE, SIDE, 1), np.float32)
            shape = {"tree": _tree, "fir": _fir}
            if kind == "disc":
                m = _soft(at[2] - np.hypot(_X - at[0], _Y - at[1]))
            elif kind == "fir":
                m = _fir(m, *at, 1.0)
            else:
                m = _tree(m, *at, 1.0, 1.0)
                trunk = _box(np.zeros_like(m), at[0] - .012, at[1] - at[2] * .45, at[0] + .012, at[1], 1.0)
                img = _over(img, trunk, _c((112, 78, 52)) * _c(light))
                cover = np.maximum(cover, trunk)
            mask = m
        img = _over(img, mask, _c(colour) * _c(light))
        cover = np.maximum(cover, mask)
    return sky * (1 - cover) + img * cover


def _indoor(place, rng):
    if place == "space":
        img = _ramp((10, 8, 30), (40, 22, 70))
        for _ in range(80):
            img = _disc(img, rng.random(), rng.random(), .002 + .004 * rng.random(), (255, 252, 230))
        x = rng.choice([.16, .84])
        img = _disc(img, x, .2, .09, (206, 140, 96))
        return _over(img, _soft(np.minimum(.014 - np.abs((_Y - .2) + (_X - x) * .3), .15 - np.abs(_X - x))), (236, 206, 160))
    if place == "underwater":
        img = _ramp((60, 180, 214), (16, 74, 138))
        for k in range(4):
            x = rng.random()
            img = _over(img, _soft(.04 - np.abs(_X - x - (_Y * .3))) * .12, (255, 255, 255))
        img = _over(img, _soft(_wave(.84, .02, 9, rng.random() * 6)), _ramp((226, 206, 150), (190, 164, 110), .82, 1))
        for _ in range(12):
            img = _disc(img, rng.random(), rng.random() * .8, .006 + .01 * rng.random(), (170, 226, 240))
        for _ in range(4):
            x = rng.random()
            img = _over(img, _soft(np.minimum(.012 - np.abs(_X - x - .02 * np.sin(_Y * 30)), _Y - .66)), (40, 140, 90))
        return img
    if place == "sky":
        img = _ramp((96, 172, 240), (206, 234, 252))
        for _ in range(6):
            cx, cy, s = rng.random(), rng.random(), .7 + rng.random() * .7
            for k in (-1, 0, 1):
                img = _disc(img, cx + k * .07 * s, cy + abs(k) * .02, (.06 - abs(k) * .015) * s, (250, 252, 255))
        return img
    if place == "stage":
        img = _ramp((52, 26, 60), (86, 40, 84))
        for x in (.2, .5, .8):
            img = _over(img, _soft(np.minimum(_Y * .22 - np.abs(_X - x), .8 - _Y)) * .16, (255, 244, 190))
        img = _over(img, _soft(_Y - .76), _ramp((176, 120, 72), (130, 84, 50), .76, 1))
        for side in (0, 1):
            edge = _X if side == 0 else 1 - _X
            img = _over(img, _soft(.13 + .012 * np.sin(_Y * 9) - edge), _c((176, 36, 48)) * (0.82 + .18 * np.sin(_X * 90))[..., None])
        return img
    wall, floor = [((244, 226, 200), (188, 132, 84)), ((222, 234, 240), (206, 198, 190))][place == "kitchen"]
    wall = [wall, (226, 214, 236), (214, 232, 214)][rng.integers(3)] if place == "room" else wall
    img = np.broadcast_to(_c(wall), (SIDE, SIDE, 3)) * (1.02 - .08 * _Y[..., None])
    x = rng.choice([.1, .64])
    img = _box(img, x - .02, .08, x + .28, .42, (255, 255, 255))
    img = np.where(((_X > x) & (_X < x + .26) & (_Y > .1) & (_Y < .4))[..., None], _ramp((150, 208, 246), (210, 238, 250), .1, .4), img)
    img = _box(img, x + .123, .1, x + .137, .4, (255, 255, 255))
    if place == "kitchen":
        tile = (np.mod(_X, .08) < .006) | (np.mod(_Y, .08) < .006)
        img = np.where((tile & (_Y > .44) & (_Y < .64))[..., None], _c((200, 212, 220)), img)
        img = _over(img, _soft(_Y - .64), _c((150, 104, 70)))
        return _over(img, _soft(_Y - .69), _ramp((232, 226, 216), (206, 198, 188), .69, 1))
    img = _over(img, _soft(_Y - .7), _ramp(floor, _c(floor) * .8, .7, 1))
    return np.where(((_Y > .7) & (np.mod((_Y - .7) * 12, 1) < .08))[..., None], img * .88, img)


@lru_cache(600)
def backdrop(b: Back) -> np.ndarray:
    """Without its weather: uint8 256 x 256 x 3. Geometry depends on place and variant alone."""
    seed = (PLACES + INDOOR + PLAIN).index(b.place) * 101 + b.variant * 7 + 1
    rng = np.random.default_rng(seed)
    if b.place in COLOURS:
        img = _c(COLOURS[b.place]) * (1.03 - .06 * _Y[..., None])
    elif b.place in PLACES:
        img = _outdoor(b, rng)
    else:
        img = _indoor(b.place, rng)
    return np.clip(img + .5, 0, 255).astype(np.uint8)


@lru_cache(None)
def weather_layer(weather: str, variant: int):
    """(colour cast, its strength, coverage of drops or flakes 256 x 256 x 1, their colour)."""
    rng = np.random.default_rng(900 + variant)
    flakes = np.zeros((SIDE, SIDE, 1), np.float32)
    if weather == "snow":
        for _ in range(90):
            flakes = _disc(flakes, rng.random(), rng.random(), .005 + .007 * rng.random(), 1.0)
        return _c((206, 216, 228)), np.float32(.35), flakes, _c((255, 255, 255))
    if weather == "rain":
        for _ in range(110):
            x, y = rng.random() * 1.2, rng.random()
            d = np.minimum(.0022 - np.abs(_X - x + (_Y - y) * .3), .03 - np.abs(_Y - y))
            flakes = np.maximum(flakes, _soft(d) * .75)
        return _c((96, 108, 128)), np.float32(.45), flakes, _c((214, 228, 244))
    if weather == "fog":
        return _c((222, 226, 230)), .45 + .35 * np.clip(1 - np.abs(_Y - .6) / .5, 0, 1)[..., None], flakes, _c((255, 255, 255))
    if weather == "cloudy":
        for _ in range(9):
            cx, cy = rng.random(), .02 + .2 * rng.random()
            for k in (-1, 0, 1):
                flakes = _disc(flakes, cx + k * .08, cy + abs(k) * .012, .075 - abs(k) * .02, 1.0)
        return _c((150, 158, 170)), np.float32(.3), flakes * .9, _c((196, 202, 210))
    return _c((0, 0, 0)), np.float32(0), flakes, _c((0, 0, 0))


@lru_cache(400)
def background(b: Back) -> np.ndarray:
    """With its weather: float32 256 x 256 x 3 in 0..255, whole numbers."""
    img = backdrop(b._replace(weather="clear")).astype(np.float32)
    if b.weather != "clear":
        cast, strength, cover, colour = weather_layer(b.weather, b.variant)
        dim = .45 if b.time == "night" else 1.0
        img = img + (cast * dim - img) * strength
        img = img + (colour * (.6 if b.time == "night" else 1.0) - img) * cover
    return np.floor(np.clip(img, 0, 255) + .5)


def every():
    """All backdrops without weather, in a fixed order: what a device keeps."""
    out = [Back(p, t, "clear", s, v) for p in PLACES for t in TIMES
           for s in (SEASONS if p not in WITHOUT_SEASON else ["summer", "winter"]) for v in range(VARIANTS)]
    return out + [Back(p, variant=v) for p in INDOOR for v in range(VARIANTS)] + [Back(p) for p in PLAIN]
