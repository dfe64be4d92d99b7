package otherwise.models.umt5;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// A message in protocol buffers' wire format, read field by field. Every length is checked against what is there before anything is made.
///
///     while (message.next()) switch (message.field()) { case 1 -> name = message.text(); default -> message.skip(); }
final class Protobuf {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final ByteBuffer rest;
    private int field;
    private int wire;

    Protobuf(byte[] bytes) {
        this(ByteBuffer.wrap(bytes));
    }

    private Protobuf(ByteBuffer rest) {
        this.rest = rest.order(ByteOrder.LITTLE_ENDIAN);
    }

    /// Goes on to the next field; `false` at the end. The field's value must be taken or skipped.
    ///
    /// @throws IllegalArgumentException if this is no message; so do all methods below
    boolean next() {
        if (!rest.hasRemaining()) return false;
        long tag = readVarint();
        field = (int) (tag >>> 3);
        wire = (int) (tag & 7);
        if (tag >>> 3 < 1 || tag >>> 3 > Integer.MAX_VALUE)
            throw new IllegalArgumentException("no protocol buffer has a field " + (tag >>> 3));
        return true;
    }

    int field() {
        return field;
    }

    long whole() {
        require(VARINT);
        return readVarint();
    }

    boolean truth() {
        return whole() != 0;
    }

    float single() {
        require(FIXED32);
        need(4);
        return rest.getFloat();
    }

    Protobuf message() {
        return new Protobuf(piece());
    }

    byte[] bytes() {
        var piece = piece();
        var bytes = new byte[piece.remaining()];
        piece.get(bytes);
        return bytes;
    }

    /// UTF-8, strictly.
    String text() {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(piece()).toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("field " + field + " is not UTF-8", e);
        }
    }

    void skip() {
        switch (wire) {
            case VARINT -> readVarint();
            case FIXED64 -> advance(8);
            case BYTES -> piece();
            case FIXED32 -> advance(4);
            default -> throw new IllegalArgumentException("field " + field + " has no known wire type: " + wire);
        }
    }

    private void require(int expected) {
        if (wire != expected) throw new IllegalArgumentException("field " + field + " has wire type " + wire + ", expected " + expected);
    }

    private void need(long bytes) {
        if (bytes < 0 || bytes > rest.remaining()) {
            throw new IllegalArgumentException(
                    "field " + field + " takes " + Long.toUnsignedString(bytes) + " bytes, " + rest.remaining() + " are left");
        }
    }

    private void advance(int bytes) {
        need(bytes);
        rest.position(rest.position() + bytes);
    }

    private ByteBuffer piece() {
        require(BYTES);
        long length = readVarint();
        need(length);
        var piece = rest.slice(rest.position(), (int) length);
        advance((int) length);
        return piece;
    }

    private long readVarint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            need(1);
            byte b = rest.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) return value;
        }
        throw new IllegalArgumentException("a number of more than 64 bits after field " + field);
    }
}
