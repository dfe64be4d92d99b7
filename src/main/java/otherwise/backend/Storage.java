package otherwise.backend;

import java.util.concurrent.atomic.AtomicInteger;

/// A run of elements on a device, counted by reference.
///
/// Whoever allocates receives one reference, held by the innermost [Scope]; views made by [#slice] share their parent's count.
/// When the last reference is released, the memory goes back to the backend's pool at once: nothing waits for the garbage
/// collector.
public abstract class Storage implements Scope.Owned {
    private final DType type;
    private final long size;
    private final Storage parent;
    private final AtomicInteger references;

    /// A storage of its own, with one reference.
    protected Storage(DType type, long size) {
        this.type = type;
        this.size = size;
        this.parent = null;
        this.references = new AtomicInteger(1);
    }

    /// A view into `parent`, which keeps the count.
    protected Storage(Storage parent, long size) {
        this.type = parent.type;
        this.size = size;
        this.parent = parent.root();
        this.references = null;
    }

    public final DType type() {
        return type;
    }

    /// The number of elements.
    public final long size() {
        return size;
    }

    /// The storage that owns the memory: this one, or the one it is a view of.
    public final Storage root() {
        return parent == null ? this : parent;
    }

    /// Elements `offset … offset+size-1` of this storage, without a copy.
    public abstract Storage slice(long offset, long size);

    /// Gives the memory back to the pool. Called once, when the last reference is gone.
    protected abstract void recycle();

    /// One more owner.
    public final void retain() {
        if (root().references.getAndIncrement() <= 0) throw new IllegalStateException("this storage was freed already");
    }

    /// One owner fewer; the last one frees the memory.
    @Override
    public final void release() {
        var root = root();
        int left = root.references.decrementAndGet();
        if (left == 0) root.recycle();
        if (left < 0) throw new IllegalStateException("this storage was freed twice");
    }

    /// How many owners there are; 0 once it has been freed.
    public final int references() {
        return root().references.get();
    }
}
