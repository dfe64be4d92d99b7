package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import otherwise.backend.DeviceException;

/// A library of CUDA for which JCuda has no binding, or none that goes with every release, called through [java.lang.foreign]. Its functions
/// return a status, 0 for good.
@SuppressWarnings("restricted") // native code is what this class is for
final class ForeignLibrary {
    /// What is a pointer in C and a number here: handles, and addresses of the device.
    static final ValueLayout HANDLE = ValueLayout.JAVA_LONG;

    private static final MemoryLayout TEXT = MemoryLayout.sequenceLayout(256, JAVA_BYTE);

    private final String name;
    private final SymbolLookup symbols;
    private final MethodHandle statusName;

    /// @param parts as in [CudaLibraries#find]
    /// @param statusName the function that tells what a status means
    /// @throws DeviceException if the library is missing
    ForeignLibrary(String name, String statusName, String... parts) {
        this.name = name;
        symbols = CudaLibraries.find(name, parts).orElseThrow(() -> new DeviceException(name + " is not found"));
        this.statusName = handle(statusName, FunctionDescriptor.of(ADDRESS.withTargetLayout(TEXT), JAVA_INT));
    }

    /// A function that returns a status.
    ///
    /// @throws DeviceException if the library has none of this name
    Function function(String function, MemoryLayout... arguments) {
        return new Function(function, handle(function, FunctionDescriptor.of(JAVA_INT, arguments)));
    }

    /// A function of any kind.
    MethodHandle handle(String function, FunctionDescriptor descriptor) {
        var address = symbols.find(function).orElseThrow(() -> new DeviceException("cuda: " + name + " has no " + function));
        return Linker.nativeLinker().downcallHandle(address, descriptor);
    }

    static Object invoke(MethodHandle function, Object... arguments) {
        try {
            return function.invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /// A function that returns a status.
    final class Function {
        private final String function;
        private final MethodHandle handle;

        private Function(String function, MethodHandle handle) {
            this.function = function;
            this.handle = handle;
        }

        /// @throws DeviceException with what a bad status means
        void call(Object... arguments) {
            require(status(arguments));
        }

        /// @throws DeviceException with what it means, unless it is good
        void require(int status) {
            if (status != 0)
                throw new DeviceException("cuda: " + function + ": " + ((MemorySegment) invoke(statusName, status)).getString(0));
        }

        int status(Object... arguments) {
            return (int) invoke(handle, arguments);
        }

        /// What a function that makes something writes its handle into.
        long made() {
            try (var arena = Arena.ofConfined()) {
                var made = arena.allocate(HANDLE);
                call(made);
                return made.get(ValueLayout.JAVA_LONG, 0);
            }
        }
    }
}
