package otherwise.backend.dry;

import otherwise.backend.DType;
import otherwise.backend.Storage;

/// As many elements as one likes, none of them there.
final class DryStorage extends Storage {
    private final DryBackend owner;

    DryStorage(DType type, long size, DryBackend owner) {
        super(type, size);
        this.owner = owner;
    }

    private DryStorage(DryStorage parent, long size) {
        super(parent, size);
        this.owner = parent.owner;
    }

    @Override
    public Storage slice(long offset, long size) {
        return new DryStorage(this, size);
    }

    @Override
    protected void recycle() {
        owner.give(size() * type().bytes());
    }
}
