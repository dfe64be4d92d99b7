package otherwise.explain;

/// The size of the videos that a network works on: `frames` of `height` x `width` pixels, shown at `fps` frames a second.
public record VideoFormat(int frames, int height, int width, double fps) {

    /// @throws IllegalArgumentException if a size or the rate is not positive
    public VideoFormat {
        if (frames < 1 || height < 1 || width < 1 || !(fps > 0) || Double.isInfinite(fps)) {
            throw new IllegalArgumentException("no video has " + frames + " frames of " + width + "x" + height + " at " + fps + " fps");
        }
    }

    @Override
    public String toString() {
        return frames + " frames of " + width + "x" + height + " at " + (fps == Math.rint(fps) ? Long.toString((long) fps) : fps) + " fps";
    }
}
