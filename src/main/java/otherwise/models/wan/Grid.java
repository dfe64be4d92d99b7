package otherwise.models.wan;

/// How many patches a latent video has along frames, height and width. Tokens are numbered frame by frame, row by row.
record Grid(long frames, long rows, long columns) {

    long tokens() {
        return frames * rows * columns;
    }
}
