package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.function.ObjIntConsumer;
import otherwise.backend.DeviceException;

/// Encodes tensor maps by the driver, `cuTensorMapEncodeTiled`, which JCuda does not know.
@SuppressWarnings("restricted") // native code is what this class is for
final class TensorMaps {
    private static final String NAME = "cuTensorMapEncodeTiled";

    // Constants of cuda.h.
    private static final int BFLOAT16 = 9;
    private static final int INTERLEAVE_NONE = 0;
    private static final int SWIZZLE_128B = 3;
    private static final int L2_PROMOTION_256B = 3;
    private static final int OUTSIDE_ZERO = 0;

    private final MethodHandle encode;
    private final ObjIntConsumer<String> check;

    /// @param check is told of every call and its status
    TensorMaps(ObjIntConsumer<String> check) {
        this.check = check;
        var address = SymbolLookup.libraryLookup(JCudaLibraries.LIBCUDA, Arena.global()).find(NAME)
                .orElseThrow(() -> new DeviceException(JCudaDriver.NAME + ": the driver is too old: it has no " + NAME));
        encode = Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(
                JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT,
                JAVA_INT));
    }

    byte[] encode(TensorMap m) {
        try (var arena = Arena.ofConfined()) {
            var map = arena.allocate(TensorMap.BYTES, TensorMap.BYTES);
            var extents = arena.allocateFrom(JAVA_LONG, m.extents());
            var strides = arena.allocateFrom(JAVA_LONG, m.strides());
            var box = arena.allocateFrom(JAVA_INT, m.box());
            var dense = new int[m.rank()];
            Arrays.fill(dense, 1);
            var steps = arena.allocateFrom(JAVA_INT, dense);
            check.accept(NAME + " " + m, call(map, m.rank(), m.address(), extents, strides, box, steps));
            return map.toArray(JAVA_BYTE);
        }
    }

    private int call(
            MemorySegment map, int rank, long address, MemorySegment extents, MemorySegment strides, MemorySegment box,
            MemorySegment steps) {
        try {
            return (int) encode.invokeExact(map, BFLOAT16, rank, address, extents, strides, box, steps, INTERLEAVE_NONE, SWIZZLE_128B,
                    L2_PROMOTION_256B, OUTSIDE_ZERO);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
