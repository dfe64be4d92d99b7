package otherwise.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import otherwise.io.Pickle.Global;
import otherwise.io.Pickle.Tuple;

/// What the pickle of a PyTorch checkpoint may ask for: ordered dictionaries, tensors as views of storages that lie outside the pickle,
/// and a few harmless containers beside them.
///
/// @param storages all that the pickle has referred to, whole, by key
record TorchPickle(Path file, Map<String, Stored> storages) implements Pickle.Constructors {

    private static final Map<String, ElementType> STORAGES = Map.ofEntries(
            Map.entry("torch.DoubleStorage", ElementType.F64),
            Map.entry("torch.FloatStorage", ElementType.F32),
            Map.entry("torch.HalfStorage", ElementType.F16),
            Map.entry("torch.BFloat16Storage", ElementType.BF16),
            Map.entry("torch.LongStorage", ElementType.I64),
            Map.entry("torch.IntStorage", ElementType.I32),
            Map.entry("torch.ShortStorage", ElementType.I16),
            Map.entry("torch.CharStorage", ElementType.I8),
            Map.entry("torch.ByteStorage", ElementType.U8),
            Map.entry("torch.BoolStorage", ElementType.BOOL),
            // Of bytes; the tensor says what they mean.
            Map.entry("torch.storage.UntypedStorage", ElementType.U8),
            Map.entry("torch.UntypedStorage", ElementType.U8));

    private static final Map<String, ElementType> DTYPES = Map.ofEntries(
            Map.entry("torch.float64", ElementType.F64),
            Map.entry("torch.float32", ElementType.F32),
            Map.entry("torch.float16", ElementType.F16),
            Map.entry("torch.bfloat16", ElementType.BF16),
            Map.entry("torch.float8_e4m3fn", ElementType.F8_E4M3),
            Map.entry("torch.float8_e5m2", ElementType.F8_E5M2),
            Map.entry("torch.int64", ElementType.I64),
            Map.entry("torch.int32", ElementType.I32),
            Map.entry("torch.int16", ElementType.I16),
            Map.entry("torch.int8", ElementType.I8),
            Map.entry("torch.uint64", ElementType.U64),
            Map.entry("torch.uint32", ElementType.U32),
            Map.entry("torch.uint16", ElementType.U16),
            Map.entry("torch.uint8", ElementType.U8),
            Map.entry("torch.bool", ElementType.BOOL));

    /// Memory outside the pickle: `count` elements of `type`, from element `from` of what lies under `key`.
    record Stored(String key, ElementType type, long from, long count) {}

    /// A tensor: the elements of a storage at `offset + Σ index · stride`.
    record View(Stored storage, ElementType type, long offset, long[] size, long[] stride) {}

    @Override
    public boolean allows(String name) {
        return switch (name) {
            case "collections.OrderedDict", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
                    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch.Size", "_codecs.encode",
                    "__builtin__.set", "builtins.set", "__builtin__.frozenset", "builtins.frozenset", "__builtin__.bytearray",
                    "builtins.bytearray" ->
                true;
            default -> STORAGES.containsKey(name) || DTYPES.containsKey(name);
        };
    }

    @Override
    public Object call(String name, List<Object> a) throws IOException {
        return switch (name) {
            case "collections.OrderedDict" -> dictionary(a);
            case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2" -> view(name, a, null);
            case "torch._utils._rebuild_tensor_v3" -> view(name, a, dtype(name, a));
            case "torch._utils._rebuild_parameter" -> argument(name, a, 0, View.class);
            case "torch.Size" -> argument(name, a, 0, Object.class);
            case "_codecs.encode", "__builtin__.bytearray", "builtins.bytearray" -> a.isEmpty() ? "" : a.getFirst();
            case "__builtin__.set", "builtins.set", "__builtin__.frozenset", "builtins.frozenset" -> new ArrayList<>(a);
            default -> throw wrong(name + " is no function");
        };
    }

    /// `OrderedDict()`, or of pairs, as Python 2 wrote them.
    private Map<Object, Object> dictionary(List<Object> a) throws IOException {
        var dictionary = new LinkedHashMap<Object, Object>();
        if (a.isEmpty()) return dictionary;
        for (var item : argument("OrderedDict", a, 0, List.class)) {
            var pair = item instanceof Tuple t ? t.items() : item instanceof List<?> l ? l : List.of();
            if (pair.size() != 2 || !(pair.get(0) instanceof String key)) throw wrong("an OrderedDict is made of what are no pairs");
            dictionary.put(key, pair.get(1));
        }
        return dictionary;
    }

    private View view(String name, List<Object> a, ElementType type) throws IOException {
        var storage = argument(name, a, 0, Stored.class);
        var size = longs(name, argument(name, a, 2, Tuple.class));
        var stride = longs(name, argument(name, a, 3, Tuple.class));
        if (size.length != stride.length) throw wrong("a tensor has " + size.length + " sizes and " + stride.length + " strides");
        return new View(storage, type == null ? storage.type : type, argument(name, a, 1, Long.class), size, stride);
    }

    private ElementType dtype(String name, List<Object> a) throws IOException {
        var type = DTYPES.get(argument(name, a, 6, Global.class).name());
        if (type == null) throw wrong(name + ": the last argument is no dtype");
        return type;
    }

    private long[] longs(String name, Tuple tuple) throws IOException {
        var longs = new long[tuple.items().size()];
        for (int i = 0; i < longs.length; i++) longs[i] = argument(name, tuple.items(), i, Long.class);
        return longs;
    }

    /// `("storage", type, key, device, elements)`, in old files followed by `None` or `(key of the view, first element, elements)`.
    @Override
    public Object outside(Object identity) throws IOException {
        var what = "a storage";
        if (!(identity instanceof Tuple(List<Object> id)) || id.size() < 5 || !"storage".equals(id.getFirst())) {
            throw wrong("refers to what is no storage");
        }
        var typeName = argument(what, id, 1, Global.class).name();
        var type = Optional.ofNullable(STORAGES.get(typeName)).orElseThrow(() -> wrong(typeName + " is no type of a storage"));
        var key = argument(what, id, 2, String.class);
        long count = argument(what, id, 4, Long.class);
        var whole = new Stored(key, type, 0, count);
        var known = storages.putIfAbsent(key, whole);
        if (known != null && !known.equals(whole)) throw wrong("storage " + InvalidFileException.quoted(key) + " is described in two ways");
        if (id.size() > 5 && id.get(5) instanceof Tuple(List<Object> part)) {
            return new Stored(key, type, argument(what, part, 1, Long.class), argument(what, part, 2, Long.class));
        }
        return whole;
    }

    private <T> T argument(String function, List<Object> arguments, int i, Class<T> type) throws IOException {
        if (i >= arguments.size() || !type.isInstance(arguments.get(i))) {
            throw wrong(function + ": argument " + (i + 1) + " is not what it should be");
        }
        return type.cast(arguments.get(i));
    }

    private InvalidFileException wrong(String problem) {
        return new InvalidFileException(file, "its pickle makes no sense: " + problem);
    }
}
