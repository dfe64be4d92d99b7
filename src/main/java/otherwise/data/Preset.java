package otherwise.data;

/// The size of a Shape-Moving set.
///
/// @param clips how many clips an export writes; the stream of clips itself has no end
/// @param trainParts of every `trainParts + testParts` clips, so many are for training
/// @param testParts and so many are held out
public record Preset(String name, int frames, int height, int width, double fps, long clips, int trainParts, int testParts) {

    /// As in the BTTF paper (arXiv 2511.20295): 65 frames of 224×224 at 16 per second, 64,000 clips, 4:1.
    public static Preset paper() {
        return new Preset("paper", 65, 224, 224, 16, 64_000, 4, 1);
    }

    /// Small enough for a processor: 17 frames of 64×64.
    public static Preset mini() {
        return new Preset("mini", 17, 64, 64, 16, 64_000, 4, 1);
    }

    /// The preset called `name`.
    ///
    /// @throws IllegalArgumentException if there is none
    public static Preset named(String name) {
        return switch (name) {
            case "paper" -> paper();
            case "mini" -> mini();
            default -> throw new IllegalArgumentException("no preset '" + name + "': paper, mini");
        };
    }

    public Preset {
        if (frames < 2 || height < 32 || width < 32) {
            throw new IllegalArgumentException(
                    "preset %s: %d frames of %dx%d; at least 2 frames of 32x32".formatted(name, frames, height, width));
        }
        if (clips < 1 || trainParts < 1 || testParts < 1) {
            throw new IllegalArgumentException(
                    "preset %s: %d clips, split %d:%d; all at least 1".formatted(name, clips, trainParts, testParts));
        }
    }
}
