package otherwise.backend;

import otherwise.backend.Backend.Memory;

/// The books of a pool that hands out memory, takes it back and hands it out again: one way of counting, for real devices and for one that is
/// only rehearsed on. All numbers are bytes as the pool rounds them.
public final class PoolBooks {
    private long used;
    private long peak;
    private long pooled;
    private long footprint;

    /// A piece goes out.
    ///
    /// @param reused whether it waited in the pool
    public void out(long bytes, boolean reused) {
        if (reused) pooled -= bytes;
        used += bytes;
        peak = Math.max(peak, used);
        footprint = Math.max(footprint, used + pooled);
    }

    /// A piece comes back, and waits.
    public void back(long bytes) {
        used -= bytes;
        pooled += bytes;
    }

    /// What waited was given back to the system.
    public void trimmed() {
        pooled = 0;
    }

    /// Counts peaks from here on.
    public void restart() {
        peak = used;
        footprint = used + pooled;
    }

    /// Bytes handed out now.
    public long used() {
        return used;
    }

    /// Bytes handed out and bytes that wait.
    public long held() {
        return used + pooled;
    }

    public Memory memory() {
        return new Memory(used, peak, pooled, footprint);
    }
}
