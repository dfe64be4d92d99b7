package otherwise.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.io.TensorFile.Entry;

/// The JSON header of a safetensors file, checked:
///
///     {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …}
///
/// Every tensor must span exactly what its shape and type need, and together they must fill the data without overlap, hole or rest,
/// so that no byte of the file has two meanings or none. `entries` carry offsets from the start of the file.
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> entries) {

    private static final int MOST_DIMENSIONS = 64;

    private static final JsonFactory JSON =
            JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

    /// Parses `json`, which describes `dataBytes` bytes of tensors from `dataStart` on.
    ///
    /// @throws InvalidFileException naming the file and the field that is wrong
    static SafetensorsHeader parse(Path file, byte[] json, long dataStart, long dataBytes) throws IOException {
        try (var parser = JSON.createParser(text(file, json))) {
            var header = new Parse(file, parser, dataStart, dataBytes).header();
            if (parser.nextToken() != null) {
                throw new InvalidFileException(file, "header: something follows the JSON object");
            }
            return header;
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(file, "header is not sound JSON: " + e.getOriginalMessage(), e);
        }
    }

    /// Decoded here and strictly, since the parser would otherwise guess UTF-16 from the bytes.
    private static String text(Path file, byte[] json) throws IOException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString();
        } catch (CharacterCodingException e) {
            throw new InvalidFileException(file, "header is not UTF-8", e);
        }
    }

    /// The walk through the tokens.
    private record Parse(Path file, JsonParser parser, long dataStart, long dataBytes) {

        SafetensorsHeader header() throws IOException {
            expect(parser.nextToken(), JsonToken.START_OBJECT, "header");
            var metadata = new LinkedHashMap<String, String>();
            var entries = new LinkedHashMap<String, Entry>();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                var name = parser.currentName();
                if (name.equals("__metadata__")) {
                    metadata(metadata);
                } else {
                    entries.put(name, entry(name));
                }
            }
            checkSpans(entries);
            return new SafetensorsHeader(Collections.unmodifiableMap(metadata), entries);
        }

        private void metadata(Map<String, String> into) throws IOException {
            expect(parser.nextToken(), JsonToken.START_OBJECT, "__metadata__");
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                var key = parser.currentName();
                expect(parser.nextToken(), JsonToken.VALUE_STRING, "__metadata__ " + InvalidFileException.quoted(key));
                into.put(key, parser.getText());
            }
        }

        private Entry entry(String name) throws IOException {
            var where = "tensor " + InvalidFileException.quoted(name);
            expect(parser.nextToken(), JsonToken.START_OBJECT, where);
            String dtype = null;
            long[] shape = null;
            long[] offsets = null;
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                var field = parser.currentName();
                switch (field) {
                    case "dtype" -> {
                        expect(parser.nextToken(), JsonToken.VALUE_STRING, where + ": dtype");
                        dtype = parser.getText();
                    }
                    case "shape" -> shape = sizes(where + ": shape", MOST_DIMENSIONS);
                    case "data_offsets" -> offsets = sizes(where + ": data_offsets", 2);
                    default -> throw wrong(where + ": unknown field " + InvalidFileException.quoted(field));
                }
            }
            if (dtype == null || shape == null || offsets == null) {
                var missing = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets";
                throw wrong(where + ": " + missing + " is missing");
            }
            return checked(name, where, dtype, shape, offsets);
        }

        private Entry checked(String name, String where, String dtype, long[] shape, long[] offsets) throws IOException {
            var type = ElementType.named(dtype);
            if (type.isEmpty()) {
                throw wrong(where + ": dtype " + InvalidFileException.quoted(dtype) + " is none of "
                        + Arrays.toString(ElementType.values()));
            }
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw wrong(where + ": data_offsets " + Arrays.toString(offsets) + " is not [begin, end]");
            }
            if (offsets[1] > dataBytes) {
                throw wrong(where + ": data_offsets " + Arrays.toString(offsets) + " is beyond the " + dataBytes
                        + " bytes of data in the file: truncated?");
            }
            long needed = bytes(where, shape, type.get().size());
            if (needed != offsets[1] - offsets[0]) {
                throw wrong(where + ": " + dtype + " " + Arrays.toString(shape) + " needs " + needed + " bytes, data_offsets "
                        + Arrays.toString(offsets) + " spans " + (offsets[1] - offsets[0]));
            }
            return new Entry(name, dtype, shape, dataStart + offsets[0], needed);
        }

        private long bytes(String where, long[] shape, int elementSize) throws IOException {
            // A zero anywhere makes the tensor empty, however large the other sizes are.
            if (Arrays.stream(shape).anyMatch(d -> d == 0)) {
                return 0;
            }
            try {
                long product = elementSize;
                for (long d : shape) {
                    product = Math.multiplyExact(product, d);
                }
                return product;
            } catch (ArithmeticException e) {
                throw new InvalidFileException(file, "header: " + where + ": shape " + Arrays.toString(shape) + " overflows 64 bits", e);
            }
        }

        private long[] sizes(String where, int most) throws IOException {
            expect(parser.nextToken(), JsonToken.START_ARRAY, where);
            var sizes = new ArrayList<Long>();
            for (var token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
                expect(token, JsonToken.VALUE_NUMBER_INT, where);
                // A number beyond 64 bits, or one of ten thousand digits, is refused here by its kind, before anything makes it a number.
                if (parser.getTextLength() > 19 || parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
                    throw wrong(where + ": a number does not fit into 64 bits");
                }
                if (parser.getLongValue() < 0) {
                    throw wrong(where + ": " + parser.getLongValue() + " is negative");
                }
                if (sizes.size() == most) {
                    throw wrong(where + ": more than " + most + " numbers");
                }
                sizes.add(parser.getLongValue());
            }
            return sizes.stream().mapToLong(Long::longValue).toArray();
        }

        private void checkSpans(Map<String, Entry> entries) throws IOException {
            List<Entry> byOffset = new ArrayList<>(entries.values());
            byOffset.sort(Comparator.comparingLong(Entry::offset).thenComparingLong(Entry::bytes));
            long end = dataStart;
            for (var entry : byOffset) {
                var where = "tensor " + InvalidFileException.quoted(entry.name()) + ": ";
                if (entry.offset() < end) {
                    throw wrong(where + "overlaps the tensor before it by " + (end - entry.offset()) + " bytes");
                }
                if (entry.offset() > end) {
                    throw wrong(where + "leaves a hole of " + (entry.offset() - end) + " bytes before it");
                }
                end = entry.offset() + entry.bytes();
            }
            if (end != dataStart + dataBytes) {
                throw wrong((dataStart + dataBytes - end) + " bytes after the last tensor belong to none");
            }
        }

        private void expect(JsonToken found, JsonToken wanted, String where) throws IOException {
            if (found != wanted) {
                throw wrong(where + ": expected " + kind(wanted) + ", found " + kind(found));
            }
        }

        private static String kind(JsonToken token) {
            return switch (token) {
                case null -> "the end";
                case START_OBJECT -> "an object";
                case START_ARRAY -> "an array";
                case VALUE_STRING -> "text";
                case VALUE_NUMBER_INT -> "a whole number";
                case VALUE_NUMBER_FLOAT -> "a fraction";
                case VALUE_NULL -> "null";
                case VALUE_TRUE, VALUE_FALSE -> "a truth value";
                default -> token.asString();
            };
        }

        private InvalidFileException wrong(String problem) {
            return new InvalidFileException(file, "header: " + problem);
        }
    }
}
