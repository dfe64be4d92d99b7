package otherwise.backend.cuda;

/// The geometry of a launch.
///
/// @param sharedBytes dynamic shared memory of a block
record Grid(long blocksX, long blocksY, long blocksZ, int threadsX, int threadsY, int threadsZ, int sharedBytes) {
    private static final long MOST_X = Integer.MAX_VALUE;
    private static final long MOST_YZ = 65_535;
    private static final int MOST_THREADS = 1024;

    Grid {
        if (blocksX < 1 || blocksY < 1 || blocksZ < 1 || blocksX > MOST_X || blocksY > MOST_YZ || blocksZ > MOST_YZ)
            throw new IllegalArgumentException("a grid of %d × %d × %d blocks".formatted(blocksX, blocksY, blocksZ));
        if (threadsX < 1 || threadsY < 1 || threadsZ < 1 || (long) threadsX * threadsY * threadsZ > MOST_THREADS)
            throw new IllegalArgumentException("a block of %d × %d × %d threads".formatted(threadsX, threadsY, threadsZ));
    }

    static Grid of(long blocks, int threads) {
        return new Grid(blocks, 1, 1, threads, 1, 1, 0);
    }

    static Grid of(long blocksX, long blocksY, int threads) {
        return new Grid(blocksX, blocksY, 1, threads, 1, 1, 0);
    }

    Grid shared(long bytes) {
        return new Grid(blocksX, blocksY, blocksZ, threadsX, threadsY, threadsZ, Math.toIntExact(bytes));
    }

    @Override
    public String toString() {
        return "%d×%d×%d blocks of %d×%d×%d threads, %d bytes shared".formatted(blocksX, blocksY, blocksZ, threadsX, threadsY, threadsZ,
                sharedBytes);
    }
}
