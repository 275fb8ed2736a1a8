//! Honest words about the model inside the program, for the window and the command line.

/// What the embedded model can draw.
pub const NANO: &str = "\
nano is a very small model that was trained on 64 illustrated objects in 10 sceneries or on 8 plain colours, at 128 x 128
pixels. It answers at once and shows how everything works; words outside this world mean nothing to it. Photographs and
anything else want the 3B model.
  objects    dog, cat, fox, lion, panda, frog, apple, banana, pizza, car, bus, rocket, castle, tent, umbrella, robot, …
  places     on the grass, at the beach, at night, in the snow, in the desert, at sunset, in the ocean, in the forest,
             in the mountains, in a room, on a red (yellow, green, blue, purple, pink, white, black) background
  edits      add, remove, replace, move, enlarge or shrink an object, change the background, black and white, sepia,
             darker, blurred";

/// The same in a line.
pub const NANO_SHORT: &str = "Illustrated objects in simple scenes, 128 px. Photographs want the 3B model.";
