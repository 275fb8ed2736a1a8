//! Honest words about the model inside the program, for the window and the command line.

/// What the embedded model can draw.
pub const NANO: &str = "\
nano is a very small model that was trained on 64 illustrated objects in 18 sceneries or on plain colours, at 256 x 256
pixels. It answers in seconds and shows how everything works; words outside this world mean nothing to it. Photographs and
anything else want the 3B model.
  objects    dog, cat, fox, lion, panda, frog, apple, banana, pizza, car, bus, rocket, castle, tent, umbrella, robot, …
  places     in a meadow, at the beach, in the desert, in the forest, in the mountains, in the city, on a farm, in a
             garden, by a lake, on a road, in a room, in the kitchen, on a stage, in space, underwater, in the sky, …
  light      at dawn, at sunset, at night, in winter, in autumn, in the rain, in the fog, in falling snow
  colours    on a red (yellow, green, blue, purple, pink, white, black, …) background; a red car, a blue cat
  edits      change the background, the time of day, the weather or the season, remove an object, darker, sepia; it
             knows add, replace, recolour, move, enlarge and shrink, but often fails at them";

/// The same in a line.
pub const NANO_SHORT: &str = "Illustrated objects in simple scenes, 256 px. Photographs want the 3B model.";
