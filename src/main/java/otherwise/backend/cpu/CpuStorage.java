package otherwise.backend.cpu;

import java.lang.foreign.MemorySegment;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Elements in native memory, outside the Java heap.
final class CpuStorage extends Storage {
    private final MemorySegment segment;
    private final Pool pool;

    CpuStorage(DType type, long size, MemorySegment segment, Pool pool) {
        super(type, size);
        this.segment = segment;
        this.pool = pool;
    }

    private CpuStorage(CpuStorage parent, long offset, long size) {
        super(parent, size);
        this.segment = parent.segment.asSlice(offset * parent.type().bytes(), size * parent.type().bytes());
        this.pool = parent.pool;
    }

    /// The bytes, little-endian.
    MemorySegment segment() {
        return segment;
    }

    @Override
    public Storage slice(long offset, long size) {
        return new CpuStorage(this, offset, size);
    }

    @Override
    protected void recycle() {
        pool.give(segment);
    }
}
