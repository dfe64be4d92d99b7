package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the writer wrote, the reader reads: every type, odd sizes, scalars, empty tensors, shards.
class SafetensorsTest {

    @TempDir
    Path folder;

    @Test
    void readsBackEveryTypeThatItWrites() throws IOException {
        var file = folder.resolve("all.safetensors");
        var floats = new float[] {0, -0f, 1, -2.5f, 0.333333f, 65504};
        new SafetensorsWriter()
                .metadata("format", "pt")
                .add("u8", "U8", new long[] {3}, new byte[] {0, 127, -1})
                .add("f32", "F32", new long[] {2, 3}, floats)
                .add("f64", "F64", new long[] {2}, new double[] {Math.PI, -1e300})
                .add("i64", "I64", new long[] {2}, new long[] {Long.MIN_VALUE, 7})
                .add("i32", "I32", new long[] {2}, new long[] {Integer.MIN_VALUE, 7})
                .add("i16", "I16", new long[] {1, 1, 2}, new long[] {-32768, 7})
                .add("u32", "U32", new long[] {1}, new long[] {4294967295L})
                .add("bool", "BOOL", new long[] {3}, new long[] {0, 1, 1})
                .add("f16", "F16", new long[] {6}, floats)
                .add("bf16", "BF16", new long[] {6}, floats)
                .add("scalar", "F32", new long[] {}, new float[] {4})
                .add("empty", "F32", new long[] {0, 7}, new float[0])
                .addRaw("raw", "F16", new long[] {1}, MemorySegment.ofArray(new byte[] {0, 0x3C}))
                .write(file);
        try (var read = Safetensors.open(file)) {
            assertEquals(Map.of("format", "pt"), read.metadata());
            assertEquals(13, read.names().size());
            assertArrayEquals(floats, read.floats("f32"));
            assertArrayEquals(new long[] {2, 3}, read.entry("f32").shape());
            assertArrayEquals(new double[] {Math.PI, -1e300}, read.doubles("f64"));
            assertArrayEquals(new float[] {(float) Math.PI, Float.NEGATIVE_INFINITY}, read.floats("f64"));
            assertArrayEquals(new long[] {Long.MIN_VALUE, 7}, read.longs("i64"));
            assertArrayEquals(new long[] {Integer.MIN_VALUE, 7}, read.longs("i32"));
            assertArrayEquals(new long[] {-32768, 7}, read.longs("i16"));
            assertArrayEquals(new long[] {4294967295L}, read.longs("u32"));
            assertArrayEquals(new long[] {0, 127, 255}, read.longs("u8"));
            assertArrayEquals(new float[] {0, 1, 1}, read.floats("bool"));
            assertArrayEquals(new float[] {0, -0f, 1, -2.5f, 0.33325195f, 65504}, read.floats("f16"));
            assertArrayEquals(new float[] {0, -0f, 1, -2.5f, 0.33398438f, 65536}, read.floats("bf16"));
            assertArrayEquals(new float[] {4}, read.floats("scalar"));
            assertEquals(1, read.entry("scalar").count());
            assertEquals(0, read.floats("empty").length);
            assertArrayEquals(new float[] {1}, read.floats("raw"));
            assertThrows(IllegalArgumentException.class, () -> read.longs("f32"));
            var e = assertThrows(IllegalArgumentException.class, () -> read.floats("nobody"));
            assertEquals(file + ": has no tensor \"nobody\"", e.getMessage());
            for (var entry : read.entries().values()) {
                long size = Math.max(1, entry.count() == 0 ? 1 : entry.bytes() / entry.count());
                assertEquals(0, entry.offset() % size, entry + " is not aligned");
            }
        }
    }

    @Test
    void knowsTheEightBitFloats() {
        assertEquals(448, ElementType.e4m3((byte) 0x7E));
        assertEquals(-448, ElementType.e4m3((byte) 0xFE));
        assertEquals(0x1p-9f, ElementType.e4m3((byte) 1));
        assertEquals(0x1p-6f, ElementType.e4m3((byte) 8));
        assertEquals(1, ElementType.e4m3((byte) 0x38));
        assertTrue(Float.isNaN(ElementType.e4m3((byte) 0x7F)) && Float.isNaN(ElementType.e4m3((byte) 0xFF)));
        assertEquals(57344, ElementType.e5m2((byte) 0x7B));
        assertEquals(Float.NEGATIVE_INFINITY, ElementType.e5m2((byte) 0xFC));
        assertEquals(0x1p-16f, ElementType.e5m2((byte) 1));
    }

    @Test
    void roundsBfloat16ToTheNearestAndTiesToEven() {
        // Against a definition that shares no code: of the two neighbours the nearer one, of equally near ones the one with an even last bit.
        var random = new Random(1);
        for (int i = 0; i < 100_000; i++) {
            float x = Float.intBitsToFloat(i % 3 == 0 ? random.nextInt() & 0x7F7FFFFF & ~0x7FFF : random.nextInt() & 0x7F7FFFFF);
            if (x >= 0x1.FEp127f) {
                continue;
            }
            int low = Float.floatToRawIntBits(x) >>> 16;
            double below = (double) x - Float.intBitsToFloat(low << 16);
            double above = (double) Float.intBitsToFloat(low + 1 << 16) - x;
            int nearest = below < above || below == above && low % 2 == 0 ? low : low + 1;
            assertEquals((short) nearest, ElementType.toBfloat16(x), () -> "bfloat16 of " + x);
            assertEquals((short) (nearest | 0x8000), ElementType.toBfloat16(-x), () -> "bfloat16 of " + -x);
        }
        assertEquals(0x7F80, ElementType.toBfloat16(Float.MAX_VALUE));
        assertTrue(Float.isNaN(ElementType.bfloat16(ElementType.toBfloat16(Float.intBitsToFloat(0x7F800001)))));
        assertTrue(Float.isNaN(ElementType.bfloat16(ElementType.toBfloat16(Float.intBitsToFloat(0x7FFFFFFF)))));
    }

    @Test
    void convertsAcrossTheEdgeOfItsPieces() throws IOException {
        int n = (1 << 17) * 2 + 5;
        var data = new float[n];
        for (int i = 0; i < n; i++) {
            data[i] = i % 251 - 125;
        }
        var file = folder.resolve("long.safetensors");
        new SafetensorsWriter().add("x", "BF16", new long[] {n}, data).add("y", "F32", new long[] {n}, data).write(file);
        try (var read = Safetensors.open(file)) {
            assertArrayEquals(data, read.floats("x"));
            assertArrayEquals(data, read.floats("y"));
            var e = assertThrows(IllegalArgumentException.class, () -> read.copyTo("x", MemorySegment.ofArray(new float[n + 1])));
            assertTrue(e.getMessage().contains("the destination has " + (n + 1) * 4L), e.getMessage());
        }
    }

    @Test
    void refusesDataThatDoesNotFit() {
        var writer = new SafetensorsWriter().add("x", "F32", new long[] {1}, new float[1]);
        assertEquals(
                "there is already a tensor x",
                assertThrows(IllegalArgumentException.class, () -> writer.add("x", "F32", new long[] {1}, new float[1])).getMessage());
        assertEquals(
                "tensor y: shape [2, 2] has 4 elements, the data 3",
                assertThrows(IllegalArgumentException.class, () -> writer.add("y", "F32", new long[] {2, 2}, new float[3])).getMessage());
        assertEquals(
                "256 cannot be written as U8",
                assertThrows(IllegalArgumentException.class, () -> writer.add("y", "U8", new long[] {1}, new long[] {256})).getMessage());
        assertThrows(IllegalArgumentException.class, () -> writer.add("y", "I32", new long[] {1}, new float[1]));
        assertThrows(IllegalArgumentException.class, () -> writer.add("y", "F99", new long[] {1}, new float[1]));
    }

    @Test
    void readsShardsThroughTheirIndex() throws IOException {
        new SafetensorsWriter().add("a", "F32", new long[] {1}, new float[] {1}).write(folder.resolve("m-1.safetensors"));
        new SafetensorsWriter().add("b", "I64", new long[] {1}, new long[] {2}).write(folder.resolve("m-2.safetensors"));
        var index = folder.resolve("m.safetensors.index.json");
        AtomicFile.write(
                index,
                """
                        {"metadata": {"total_size": 12}, "weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors"}}""");
        try (var read = TensorFile.open(index)) {
            assertEquals(List.of("b", "a"), read.names());
            assertEquals("12", read.metadata().get("total_size"));
            assertArrayEquals(new float[] {1}, read.floats("a"));
            assertArrayEquals(new long[] {2}, read.longs("b"));
            assertEquals(2, read.entries().size());
            assertFalse(read.contains("c"));
        }
    }

    @Test
    void refusesAnIndexThatLeadsElsewhere() throws IOException {
        var index = folder.resolve("m.index.json");
        AtomicFile.write(index, "{\"weight_map\": {\"a\": \"../m.safetensors\"}}");
        assertEquals(
                index + ": weight_map \"a\": \"../m.safetensors\" is not the name of a file beside the index",
                assertThrows(InvalidFileException.class, () -> TensorFile.open(index)).getMessage());
        AtomicFile.write(index, "{\"weight_map\": {\"a\": \"m.safetensors\"}}");
        assertEquals(
                index + ": weight_map \"a\": the shard \"m.safetensors\" is missing",
                assertThrows(InvalidFileException.class, () -> TensorFile.open(index)).getMessage());
        AtomicFile.write(index, "{\"weight_map\": {\"a\": 1, \"a\": 2}}");
        assertTrue(assertThrows(InvalidFileException.class, () -> TensorFile.open(index)).getMessage().contains("Duplicate field"));
        Files.writeString(folder.resolve("m.safetensors"), "rubbish!");
        AtomicFile.write(index, "{\"weight_map\": {\"a\": \"m.safetensors\"}}");
        try (var read = TensorFile.open(index)) {
            var e = assertThrows(java.io.UncheckedIOException.class, () -> read.floats("a"));
            assertTrue(e.getMessage().startsWith(folder.resolve("m.safetensors").toString()), e.getMessage());
        }
    }
}
