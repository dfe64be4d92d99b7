package otherwise.cli.inspect;

/// The size of a video in frames and pixels.
record Size(int frames, int height, int width) {

    @Override
    public String toString() {
        return frames + " x " + height + " x " + width;
    }
}
