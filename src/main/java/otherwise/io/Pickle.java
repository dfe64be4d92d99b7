package otherwise.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads the data out of a Python pickle, protocols 0 to 5, and nothing but data: of its stack machine only those instructions that build
/// numbers, text and containers. A pickle can name any Python function to be called; here it can name what [Constructors] allows, and no
/// class is ever loaded. Whatever else a file asks for is refused by its name.
///
/// Python's values become: `int` → [Long] or [BigInteger] · `float` → [Double] · `bool` → [Boolean] · `None` → [None] · `str`, `bytes` →
/// [String] · `list`, `set` → [List] · `tuple` → [Tuple] · `dict` → [Map] with text and numbers as keys, in order.
final class Pickle {

    /// What a pickle may call, and what its references to things outside of it mean.
    interface Constructors {
        /// Whether a pickle may name this, `module.name`.
        boolean allows(String name);

        /// What it gets for calling it.
        ///
        /// @throws InvalidFileException if it is no function, or the arguments are wrong
        Object call(String name, List<Object> arguments) throws IOException;

        /// What stands outside under this identity.
        ///
        /// @throws InvalidFileException if nothing can
        Object outside(Object identity) throws IOException;
    }

    /// Python's `None`.
    enum None {
        NONE
    }

    /// A Python tuple.
    record Tuple(List<Object> items) {}

    /// Something that the pickle named, `module.name`, and that [Constructors] allows.
    record Global(String name) {}

    private static final int LONGEST_NUMBER = 1024;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble BIG_ENDIAN_DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Path file;
    private final MemorySegment data;
    private final Constructors constructors;
    private final List<Object> stack = new ArrayList<>();
    private final Deque<Integer> marks = new ArrayDeque<>();
    private final Map<Long, Object> memo = new HashMap<>();
    private long at;

    /// @param file for messages
    /// @param data one or several pickles, one after the other
    Pickle(Path file, MemorySegment data, Constructors constructors) {
        this.file = file;
        this.data = data;
        this.constructors = constructors;
    }

    /// The bytes read so far.
    long position() {
        return at;
    }

    /// The next pickle's value.
    ///
    /// @throws InvalidFileException if it is cut off, makes no sense, or asks for what is not allowed
    Object read() throws IOException {
        stack.clear();
        marks.clear();
        memo.clear();
        while (true) {
            int op = u8();
            if (op == '.') return pop();
            step(op);
        }
    }

    /// One instruction; names as in Python's `pickletools`.
    private void step(int op) throws IOException {
        switch (op) {
            case 0x80 -> u8(); // PROTO
            case 0x95 -> u64(); // FRAME
            case '(' -> marks.push(stack.size()); // MARK
            case '0' -> pop(); // POP
            case '1' -> marked(); // POP_MARK
            case '2' -> push(top()); // DUP

            case 'N' -> push(None.NONE); // NONE
            case 0x88 -> push(true); // NEWTRUE
            case 0x89 -> push(false); // NEWFALSE
            case 'I' -> push(line().equals("01") ? true : last.equals("00") ? (Object) false : number(last)); // INT
            case 'L' -> push(number(line().endsWith("L") ? last.substring(0, last.length() - 1) : last)); // LONG
            case 'F' -> push(fraction(line())); // FLOAT
            case 'J' -> push((long) take(4).get(INT, 0)); // BININT
            case 'K' -> push((long) u8()); // BININT1
            case 'M' -> push((long) Short.toUnsignedInt(take(2).get(SHORT, 0))); // BININT2
            case 0x8a -> push(number(bytes(u8()))); // LONG1
            case 0x8b -> push(number(bytes(u32()))); // LONG4
            case 'G' -> push(take(8).get(BIG_ENDIAN_DOUBLE, 0)); // BINFLOAT

            case 'V' -> push(line()); // UNICODE
            case 'X' -> push(text(u32(), StandardCharsets.UTF_8)); // BINUNICODE
            case 0x8c -> push(text(u8(), StandardCharsets.UTF_8)); // SHORT_BINUNICODE
            case 0x8d -> push(text(u64(), StandardCharsets.UTF_8)); // BINUNICODE8
            case 'T', 'B' -> push(text(u32(), StandardCharsets.ISO_8859_1)); // BINSTRING, BINBYTES
            case 'U', 'C' -> push(text(u8(), StandardCharsets.ISO_8859_1)); // SHORT_BINSTRING, SHORT_BINBYTES
            case 0x8e, 0x96 -> push(text(u64(), StandardCharsets.ISO_8859_1)); // BINBYTES8, BYTEARRAY8

            case ')' -> push(new Tuple(List.of())); // EMPTY_TUPLE
            case 't' -> push(new Tuple(marked())); // TUPLE
            case 0x85, 0x86, 0x87 -> push(new Tuple(popped(op - 0x84))); // TUPLE1, TUPLE2, TUPLE3
            case ']', 0x8f -> push(new ArrayList<>()); // EMPTY_LIST, EMPTY_SET
            case 'l' -> push(marked()); // LIST
            case 'a' -> append(popped(1)); // APPEND
            case 'e', 0x90 -> append(marked()); // APPENDS, ADDITEMS
            case '}' -> push(new LinkedHashMap<>()); // EMPTY_DICT
            case 'd' -> { // DICT
                var items = marked();
                push(new LinkedHashMap<>());
                put(items);
            }
            case 's' -> put(popped(2)); // SETITEM
            case 'u' -> put(marked()); // SETITEMS

            case 'q' -> memo.put((long) u8(), top()); // BINPUT
            case 'r' -> memo.put(u32(), top()); // LONG_BINPUT
            case 'p' -> memo.put(index(line()), top()); // PUT
            case 0x94 -> memo.put((long) memo.size(), top()); // MEMOIZE
            case 'h' -> push(remembered(u8())); // BINGET
            case 'j' -> push(remembered(u32())); // LONG_BINGET
            case 'g' -> push(remembered(index(line()))); // GET

            case 'c' -> { // GLOBAL
                var module = line();
                push(global(module + "." + line()));
            }
            case 0x93 -> { // STACK_GLOBAL
                var name = popped(2);
                push(global(name.get(0) + "." + name.get(1)));
            }
            case 'R' -> { // REDUCE
                var call = popped(2);
                if (!(call.get(0) instanceof Global f && call.get(1) instanceof Tuple arguments)) throw wrong("calls what is no function");
                push(constructors.call(f.name, arguments.items));
            }
            case 'b' -> pop(); // BUILD: attributes of an object, of which data has none
            case 'Q' -> push(constructors.outside(pop())); // BINPERSID
            default -> throw wrong("has an instruction, 0x%02x, that data does not need; refused".formatted(op));
        }
    }

    // ---- the stack -----------------------------------------------------------------------------------------------------------------

    private void push(Object value) {
        stack.add(value);
    }

    private Object top() throws IOException {
        if (stack.size() <= (marks.isEmpty() ? 0 : marks.peek())) throw wrong("takes a value where there is none");
        return stack.getLast();
    }

    private Object pop() throws IOException {
        var top = top();
        stack.removeLast();
        return top;
    }

    /// The last `n` values, the deepest first.
    private List<Object> popped(int n) throws IOException {
        var values = new ArrayList<Object>();
        for (int i = 0; i < n; i++) values.addFirst(pop());
        return values;
    }

    /// All values since the last mark.
    private List<Object> marked() throws IOException {
        if (marks.isEmpty()) throw wrong("goes back to a mark that is not there");
        var since = stack.subList(marks.pop(), stack.size());
        var values = new ArrayList<>(since);
        since.clear();
        return values;
    }

    @SuppressWarnings("unchecked")
    private void append(List<Object> values) throws IOException {
        if (!(top() instanceof List<?> list)) throw wrong("appends to what is no list");
        ((List<Object>) list).addAll(values);
    }

    @SuppressWarnings("unchecked")
    private void put(List<Object> pairs) throws IOException {
        if (!(top() instanceof Map<?, ?> map) || pairs.size() % 2 != 0) throw wrong("sets items of what is no dictionary");
        for (int i = 0; i < pairs.size(); i += 2) {
            switch (pairs.get(i)) {
                case String s -> ((Map<Object, Object>) map).put(s, pairs.get(i + 1));
                case Number n -> ((Map<Object, Object>) map).put(n, pairs.get(i + 1));
                case Boolean b -> ((Map<Object, Object>) map).put(b, pairs.get(i + 1));
                default -> throw wrong("has a dictionary key that is neither text nor number");
            }
        }
    }

    private Object remembered(long index) throws IOException {
        var value = memo.get(index);
        if (value == null) throw wrong("recalls value " + index + ", which it never stored");
        return value;
    }

    private Global global(String name) throws IOException {
        if (!constructors.allows(name)) {
            throw wrong("asks for " + InvalidFileException.quoted(name) + ", which tensors do not need; refused");
        }
        return new Global(name);
    }

    // ---- the bytes -----------------------------------------------------------------------------------------------------------------

    private String last = "";

    private MemorySegment take(long n) throws IOException {
        if (n < 0 || n > data.byteSize() - at) throw wrong("is cut off: " + Long.toUnsignedString(n) + " more bytes are missing");
        at += n;
        return data.asSlice(at - n, n);
    }

    private int u8() throws IOException {
        return Byte.toUnsignedInt(take(1).get(ValueLayout.JAVA_BYTE, 0));
    }

    private long u32() throws IOException {
        return Integer.toUnsignedLong(take(4).get(INT, 0));
    }

    private long u64() throws IOException {
        return take(8).get(LONG, 0);
    }

    private byte[] bytes(long n) throws IOException {
        if (n > LONGEST_NUMBER) throw wrong("has a number of " + n + " bytes");
        return take(n).toArray(ValueLayout.JAVA_BYTE);
    }

    private String text(long n, Charset charset) throws IOException {
        if (n > Integer.MAX_VALUE - 8) throw wrong("has a text of " + Long.toUnsignedString(n) + " bytes");
        try {
            return charset.newDecoder().decode(ByteBuffer.wrap(take(n).toArray(ValueLayout.JAVA_BYTE))).toString();
        } catch (CharacterCodingException e) {
            throw wrong("has a text that is not " + charset);
        }
    }

    /// Up to the end of the line; kept in `last`.
    private String line() throws IOException {
        long from = at;
        while (u8() != '\n') if (at - from > LONGEST_NUMBER) throw wrong("has a line without end");
        last = new String(data.asSlice(from, at - 1 - from).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        return last;
    }

    /// Little-endian two's complement; nothing is 0.
    private static Object number(byte[] bytes) {
        if (bytes.length == 0) return 0L;
        var reversed = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) reversed[i] = bytes[bytes.length - 1 - i];
        return number(new BigInteger(reversed));
    }

    private Object number(String decimal) throws IOException {
        try {
            return number(new BigInteger(decimal));
        } catch (NumberFormatException e) {
            throw wrong("has a number that is none: " + InvalidFileException.quoted(decimal));
        }
    }

    private static Object number(BigInteger n) {
        return n.bitLength() < Long.SIZE ? (Object) n.longValue() : n;
    }

    private long index(String decimal) throws IOException {
        if (number(decimal) instanceof Long n) return n;
        throw wrong("has an index that is none: " + InvalidFileException.quoted(decimal));
    }

    private Double fraction(String decimal) throws IOException {
        try {
            return Double.valueOf(decimal);
        } catch (NumberFormatException e) {
            throw wrong("has a number that is none: " + InvalidFileException.quoted(decimal));
        }
    }

    private InvalidFileException wrong(String problem) {
        return new InvalidFileException(file, "its pickle " + problem + " (at byte " + at + ")");
    }
}
