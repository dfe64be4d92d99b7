package otherwise.backend.cuda;

import static jcuda.driver.CUevent_flags.CU_EVENT_DISABLE_TIMING;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuMemAllocHost;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;

import java.lang.foreign.MemorySegment;
import java.util.function.ObjIntConsumer;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/// Copies between this process and the device, by way of two pieces of pinned memory: while the device reads or writes one, the processor
/// is at the other. Any length and any kind of segment goes.
final class PinnedCopies {
    static final long CHUNK = 32L << 20;

    /// One piece, and what tells that the device is done with it.
    private static final class Piece {
        final Pointer pointer = new Pointer();
        final CUevent done = new CUevent();
        MemorySegment memory = MemorySegment.NULL;
    }

    private final CUstream stream;
    private final ObjIntConsumer<String> check;
    private final Piece[] pieces = {new Piece(), new Piece()};

    /// @param check is told the name of every call and its status
    PinnedCopies(CUstream stream, ObjIntConsumer<String> check) {
        this.stream = stream;
        this.check = check;
        for (var piece : pieces) {
            check.accept("cuEventCreate", cuEventCreate(piece.done, CU_EVENT_DISABLE_TIMING));
            check.accept("cuMemAllocHost", cuMemAllocHost(piece.pointer, CHUNK));
            piece.memory = MemorySegment.ofBuffer(piece.pointer.getByteBuffer());
        }
    }

    /// `from` may be changed as soon as this returns.
    void toDevice(long to, MemorySegment from) {
        long chunk = 0;
        for (long at = 0; at < from.byteSize(); at += CHUNK) {
            long n = Math.min(CHUNK, from.byteSize() - at);
            var piece = piece(chunk++);
            check.accept("cuEventSynchronize", cuEventSynchronize(piece.done));
            MemorySegment.copy(from, at, piece.memory, 0, n);
            check.accept("cuMemcpyHtoDAsync", cuMemcpyHtoDAsync(new DeviceAddress(to + at), piece.pointer, n, stream));
            check.accept("cuEventRecord", cuEventRecord(piece.done, stream));
        }
    }

    void toHost(MemorySegment to, long from) {
        long chunks = (to.byteSize() + CHUNK - 1) / CHUNK;
        for (long chunk = 0; chunk <= chunks; chunk++) {
            if (chunk < chunks) {
                var piece = piece(chunk);
                long at = chunk * CHUNK;
                check.accept("cuMemcpyDtoHAsync",
                        cuMemcpyDtoHAsync(piece.pointer, new DeviceAddress(from + at), Math.min(CHUNK, to.byteSize() - at), stream));
                check.accept("cuEventRecord", cuEventRecord(piece.done, stream));
            }
            if (chunk > 0) {
                var piece = piece(chunk - 1);
                long at = (chunk - 1) * CHUNK;
                check.accept("cuEventSynchronize", cuEventSynchronize(piece.done));
                MemorySegment.copy(piece.memory, 0, to, at, Math.min(CHUNK, to.byteSize() - at));
            }
        }
    }

    private Piece piece(long chunk) {
        return pieces[(int) (chunk % pieces.length)];
    }

    /// Only when the stream has nothing left to do.
    void free() {
        for (var piece : pieces) {
            check.accept("cuMemFreeHost", cuMemFreeHost(piece.pointer));
            check.accept("cuEventDestroy", cuEventDestroy(piece.done));
        }
    }
}
