package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static otherwise.backend.cuda.ForeignLibrary.HANDLE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import otherwise.backend.DeviceException;

/// CUDA's compiler as a library. It needs no compiler for the host, and knows no headers but those that it is given.
///
/// JNvrtc goes with that of CUDA 12 alone. What is asked for here is the same in both, and called by [java.lang.foreign].
final class Nvrtc implements KernelCompiler.Compiler {
    /// Releases of CUDA, the one first that more drivers can read the code of.
    private static final List<Integer> MAJORS = List.of(12, 13);
    private static final int MINORS = 10;

    /// Statuses that a log explains.
    private static final int INVALID_OPTION = 5;
    private static final int COMPILATION = 6;

    /// It takes a function that does not say where it runs, and generic lambdas cannot, for one of the host, and wants none of those.
    private static final String EVERYTHING_ON_DEVICE = "-default-device";

    private final ForeignLibrary.Function create;
    private final ForeignLibrary.Function compile;
    private final ForeignLibrary.Function destroy;
    private final ForeignLibrary.Function logSize;
    private final ForeignLibrary.Function log;
    private final ForeignLibrary.Function codeSize;
    private final ForeignLibrary.Function code;
    private final String version;
    private final int[] architectures;

    private Nvrtc(String name, String... parts) {
        var library = new ForeignLibrary(name, "nvrtcGetErrorString", parts);
        create = library.function("nvrtcCreateProgram", ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS);
        compile = library.function("nvrtcCompileProgram", HANDLE, JAVA_INT, ADDRESS);
        destroy = library.function("nvrtcDestroyProgram", ADDRESS);
        logSize = library.function("nvrtcGetProgramLogSize", HANDLE, ADDRESS);
        log = library.function("nvrtcGetProgramLog", HANDLE, ADDRESS);
        codeSize = library.function("nvrtcGetCUBINSize", HANDLE, ADDRESS);
        code = library.function("nvrtcGetCUBIN", HANDLE, ADDRESS);
        try (var arena = Arena.ofConfined()) {
            var numbers = arena.allocate(JAVA_INT, 2);
            library.function("nvrtcVersion", ADDRESS, ADDRESS).call(numbers, numbers.asSlice(JAVA_INT.byteSize()));
            version = "NVRTC " + numbers.get(JAVA_INT, 0) + "." + numbers.getAtIndex(JAVA_INT, 1);
            library.function("nvrtcGetNumSupportedArchs", ADDRESS).call(numbers);
            var known = arena.allocate(JAVA_INT, numbers.get(JAVA_INT, 0));
            library.function("nvrtcGetSupportedArchs", ADDRESS).call(known);
            architectures = known.toArray(JAVA_INT);
        }
    }

    /// @param missing is told why there is none, or none that knows the architecture
    static Optional<KernelCompiler.Compiler> find(String architecture, List<String> missing) {
        for (int major : MAJORS) {
            try {
                var library = "libnvrtc.so." + major;
                // It opens its built-in functions by the name of its own release, whichever that is.
                var builtins = IntStream.range(0, MINORS).mapToObj(minor -> "libnvrtc-builtins.so.%d.%d".formatted(major, minor));
                if (CudaLibraries.inBuild(library)) builtins = builtins.filter(CudaLibraries::inBuild);
                var found = new Nvrtc(library, builtins.toArray(String[]::new));
                if (Arrays.stream(found.architectures).anyMatch(a -> architecture.equals("sm_" + a))) return Optional.of(found);
                missing.add(found.version + " does not know " + architecture);
            } catch (DeviceException e) {
                missing.add(e.getMessage());
            }
        }
        return Optional.empty();
    }

    @Override
    public String version() {
        return version;
    }

    @Override
    public byte[] compile(String name, String text, List<String> options) {
        var headers = KernelFiles.HEADERS;
        try (var arena = Arena.ofConfined()) {
            var program = arena.allocate(HANDLE);
            create.call(program, arena.allocateFrom(text), arena.allocateFrom(name), headers.size(),
                    strings(arena, headers.stream().map(KernelFiles::text).toList()), strings(arena, headers));
            long handle = program.get(JAVA_LONG, 0);
            try {
                var all = Stream.concat(Stream.of(EVERYTHING_ON_DEVICE), options.stream()).toList();
                int status = compile.status(handle, all.size(), strings(arena, all));
                if (status == COMPILATION || status == INVALID_OPTION)
                    throw new DeviceException("NVRTC refuses: " + made(arena, handle, logSize, log).getString(0).strip());
                compile.require(status);
                return made(arena, handle, codeSize, code).toArray(JAVA_BYTE);
            } finally {
                destroy.call(program);
            }
        }
    }

    private static MemorySegment strings(SegmentAllocator arena, List<String> all) {
        var addresses = arena.allocate(ADDRESS, all.size());
        for (int i = 0; i < all.size(); i++) addresses.setAtIndex(ADDRESS, i, arena.allocateFrom(all.get(i)));
        return addresses;
    }

    /// What came of a program.
    private static MemorySegment made(
            SegmentAllocator arena, long program, ForeignLibrary.Function sizeOf, ForeignLibrary.Function contentsOf) {
        var size = arena.allocate(JAVA_LONG);
        sizeOf.call(program, size);
        var contents = arena.allocate(size.get(JAVA_LONG, 0));
        contentsOf.call(program, contents);
        return contents;
    }
}
