package otherwise.data;

import java.util.List;
import otherwise.io.Video;

/// The synthetic data set of the BTTF paper: one object moves up, down, left or right over a still background, and the question is which.
///
/// Clip `index` is drawn from `(seed, index)` alone, in this order: what the object and the background look like, how far it will travel,
/// where it starts, and only then which way it goes, from a stream of its own. The start lies in the box from which *every* class
/// keeps the whole object inside the picture, so frame 0 is distributed alike for all classes and cannot reveal the class.
///
/// Later frames must reveal something: an object that has gone left is, on average, further left. What softens it is a wide start box
/// against a short way, and the two compete for the same 64 pixels: half the box's width is `32 - 1.5 - reach - travel`. Chosen (in 64ths of the
/// picture): size 7.5 to 9.5, travel 9 to 12, so the box is some 20 wide on average, the way about half as long as the object is wide: plain
/// to the eye, and in the middle of the clip most positions are still shared by all four classes. [FrameProbe] measures what is left. This
/// differs from the paper's "towards the border", where the last frame gives the class away.
///
/// Objects are compact and as wide as two cells of the latent: a video autoencoder halves the picture three times, and what is thinner than a
/// cell (rings, crosses) a small generator cannot keep in shape while it moves.
///
/// @param variety how varied the clips look, for a training curriculum: 1 is the data set; at 0 every clip is a light disc of one size on
///     a dark plain background; between, each property (shape, colours, pattern) is varied in that share of the clips
public record ShapeMoving(Preset preset, double variety) {

    /// The classes in their fixed order.
    public static final List<String> CLASSES = List.of("up", "down", "left", "right");

    /// The least distance in RGB between the object's colour and any colour of its background.
    public static final double CONTRAST = 0.45;

    private static final double SMALLEST = 7.5;
    private static final double LARGEST = 9.5;
    private static final double SHORTEST = 9;
    private static final double LONGEST = 12;
    private static final double MARGIN = 1;

    private static final Rgb LIGHT = new Rgb(0.92, 0.92, 0.92);
    private static final Rgb DARK = new Rgb(0.1, 0.1, 0.1);

    // In an order of their own: the set must not change when somebody sorts an enum.
    private static final List<Shape> SHAPES = List.of(Shape.DISC, Shape.SQUARE, Shape.TRIANGLE, Shape.STAR);
    private static final List<Background.Kind> KINDS = List.of(
            Background.Kind.PLAIN, Background.Kind.GRADIENT, Background.Kind.NOISE, Background.Kind.STRIPES, Background.Kind.CHECKS);

    // One stream a property: how many numbers one of them takes never moves the others.
    private static final int LOOK = 1;
    private static final int BEHIND = 2;
    private static final int WAY = 3;
    private static final int LABEL = 4;
    private static final int HELD_OUT_LABEL = 5;

    /// Which side of the split a clip is on.
    public enum Split {
        TRAIN,
        TEST
    }

    /// A clip of the set: its scene, and the scene drawn.
    public record Clip(long index, int label, Scene scene, Video video) {

        /// The closest clip of class `cls` that there is: the ceiling of every proximity figure.
        public Video ideal(int cls) {
            return scene.toward(cls).render();
        }
    }

    public ShapeMoving {
        if (!(variety >= 0 && variety <= 1)) throw new IllegalArgumentException("variety " + variety + ": between 0 and 1");
    }

    /// The data set itself: full variety.
    public ShapeMoving(Preset preset) {
        this(preset, 1);
    }

    /// Clip `index` of the stream `seed`, drawn.
    ///
    /// @throws IllegalArgumentException if index is negative
    public Clip clip(long seed, long index) {
        Scene scene = scene(seed, index);
        return new Clip(index, scene.label(), scene, scene.render());
    }

    /// What clip `index` of the stream `seed` shows.
    ///
    /// @throws IllegalArgumentException if index is negative
    public Scene scene(long seed, long index) {
        if (index < 0) throw new IllegalArgumentException("clip index " + index + ": at least 0");
        double unit = Math.min(preset.height(), preset.width()) / 64.0;

        var look = new Draw(seed, index, LOOK);
        Shape anyShape = SHAPES.get(look.below(SHAPES.size()));
        Rgb anyColor = Rgb.hsv(look.uniform(), look.between(0.65, 1), look.between(0.7, 1));
        Shape shape = look.uniform() < variety ? anyShape : Shape.DISC;
        Rgb color = look.uniform() < variety ? anyColor : LIGHT;
        double middle = (SMALLEST + LARGEST) / 2;
        double size = unit * (middle + (look.between(SMALLEST, LARGEST) - middle) * variety);
        Background background = background(new Draw(seed, index, BEHIND), color);

        var way = new Draw(seed, index, WAY);
        double travel = unit * way.between(SHORTEST, LONGEST);
        double room = shape.reach() * size + travel + unit * MARGIN;
        double x0 = way.between(room - 0.5, preset.width() - 0.5 - room);
        double y0 = way.between(room - 0.5, preset.height() - 0.5 - room);

        return new Scene(
                preset.frames(), preset.height(), preset.width(), preset.fps(), shape, color, size, background, x0, y0, travel,
                label(seed, index));
    }

    /// The side of clip `index`: of every five consecutive clips the last is held out (for a 4:1 preset). Clips are independent draws, so
    /// which ones are held out makes no difference, and the two streams never meet.
    public Split split(long index) {
        return index % period() < preset.trainParts() ? Split.TRAIN : Split.TEST;
    }

    /// The index of the `k`-th clip (from 0) on one side of the split.
    public long index(Split split, long k) {
        int parts = split == Split.TRAIN ? preset.trainParts() : preset.testParts();
        long first = split == Split.TRAIN ? 0 : preset.trainParts();
        return k / parts * period() + first + k % parts;
    }

    /// Labels come in shuffled fours within each side of the split, so both sides are balanced exactly.
    private int label(long seed, long index) {
        Split side = split(index);
        long within = index % period() - (side == Split.TRAIN ? 0 : preset.trainParts());
        long ordinal = index / period() * (side == Split.TRAIN ? preset.trainParts() : preset.testParts()) + within;
        var draw = new Draw(seed, ordinal / 4, side == Split.TRAIN ? LABEL : HELD_OUT_LABEL);
        int[] order = {0, 1, 2, 3};
        for (int i = 3; i > 0; i--) {
            int j = draw.below(i + 1);
            int kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        return order[(int) (ordinal % 4)];
    }

    /// A background that keeps [#CONTRAST] from `color` everywhere: draws until one does (about every second does).
    private Background background(Draw draw, Rgb color) {
        boolean patterned = draw.uniform() < variety;
        boolean colored = draw.uniform() < variety;
        while (true) {
            var kind = KINDS.get(draw.below(KINDS.size()));
            Rgb from = Rgb.hsv(draw.uniform(), draw.between(0, 0.6), draw.between(0.08, 0.92));
            Rgb other = Rgb.hsv(draw.uniform(), draw.between(0, 0.6), draw.between(0.08, 0.92));
            double angle = draw.between(0, 2 * Math.PI);
            double period = draw.between(0.3, 0.6);
            double phase = draw.uniform();
            double shade = draw.between(0.06, 0.14) * (draw.uniform() < 0.5 ? -1 : 1);
            double tint = draw.between(-0.04, 0.04);
            long noise = draw.bits();
            if (!patterned) kind = Background.Kind.PLAIN;
            if (!colored) from = DARK;
            Rgb to =
                    switch (kind) {
                        case PLAIN -> from;
                        // Half of the way to another colour: a gradient over the whole cube would pass near every object.
                        case GRADIENT -> from.mix(other, 0.5);
                        case NOISE, STRIPES, CHECKS -> from.shifted(shade + tint, shade, shade - tint);
                    };
            if (color.distance(from, to) >= CONTRAST) return new Background(kind, from, to, angle, period, phase, noise);
        }
    }

    /// The class called `name`.
    ///
    /// @throws IllegalArgumentException if there is none; the message names them all
    public static int classNamed(String name) {
        int at = CLASSES.indexOf(name);
        if (at < 0) throw new IllegalArgumentException("no class '" + name + "': " + String.join(", ", CLASSES));
        return at;
    }

    static void requireClass(int label) {
        if (label < 0 || label >= CLASSES.size()) {
            throw new IllegalArgumentException("no class " + label + ": 0 to 3 (" + String.join(", ", CLASSES) + ")");
        }
    }

    private int period() {
        return preset.trainParts() + preset.testParts();
    }
}
