package otherwise.backend.cpu;

import otherwise.backend.Axes;
import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;

import java.lang.foreign.MemorySegment;
import otherwise.backend.Backend.Binary;

/// Arithmetic of two tensors, either of which may repeat along any axis.
///
/// After merging, every case is a run over the fastest axis (two rows, or a row and a number) inside an odometer over the rest; equal
/// shapes are one single run.
final class Broadcast {
    private static final int W = VectorMath.LANES;

    private Broadcast() {}

    static void binary(
            Parallel parallel, Binary f, MemorySegment y, MemorySegment a, long[] aStrides, MemorySegment b, long[] bStrides, long[] dims) {
        var axes = Axes.merged(dims, aStrides, bStrides);
        long inner = axes.inner();
        // The innermost stride is 0 or 1 in every broadcast; others come from views.
        long stepA = axes.innerStride(0);
        long stepB = axes.innerStride(1);
        var loop = loop(f, stepA, stepB);
        parallel.range(axes.size(), Lanes.GRAIN, (from, to) -> {
            var walk = axes.walk(1, from / inner);
            long column = from % inner;
            for (long i = from; i < to;) {
                long n = Math.min(inner - column, to - i);
                long ia = walk.offset(0) + column * stepA;
                long ib = walk.offset(1) + column * stepB;
                long end = loop == null ? 0 : whole(n);
                if (end > 0) loop.run(y, i, a, ia, b, ib, end);
                for (long j = end; j < n; j++) put(y, i + j, apply(f, at(a, ia + j * stepA), at(b, ib + j * stepB)));
                i += n;
                column = 0;
                walk.next();
            }
        });
    }

    private static float apply(Binary f, float a, float b) {
        return switch (f) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
        };
    }

    /// A run of whole vectors from these elements on. As in [UnaryLoops], each loop is a method of its own.
    @FunctionalInterface
    private interface Run {
        void run(MemorySegment y, long iy, MemorySegment a, long ia, MemorySegment b, long ib, long n);
    }

    /// The loop for these strides of the fastest axis; null where there is none but the scalar one.
    private static Run loop(Binary f, long stepA, long stepB) {
        if (stepA == 1 && stepB == 1) return rows(f);
        if (stepA == 1 && stepB == 0) return rowAndNumber(f);
        return stepA == 0 && stepB == 1 ? numberAndRow(f) : null;
    }

    /// Two rows.
    private static Run rows(Binary f) {
        return switch (f) {
            case ADD -> (y, iy, a, ia, b, ib, n) -> {
                for (long j = 0; j < n; j += W) store(load(a, ia + j).add(load(b, ib + j)), y, iy + j);
            };
            case SUB -> (y, iy, a, ia, b, ib, n) -> {
                for (long j = 0; j < n; j += W) store(load(a, ia + j).sub(load(b, ib + j)), y, iy + j);
            };
            case MUL -> (y, iy, a, ia, b, ib, n) -> {
                for (long j = 0; j < n; j += W) store(load(a, ia + j).mul(load(b, ib + j)), y, iy + j);
            };
            case DIV -> (y, iy, a, ia, b, ib, n) -> {
                for (long j = 0; j < n; j += W) store(load(a, ia + j).div(load(b, ib + j)), y, iy + j);
            };
        };
    }

    /// A row and a number.
    private static Run rowAndNumber(Binary f) {
        return switch (f) {
            case ADD -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(b, ib));
                for (long j = 0; j < n; j += W) store(load(a, ia + j).add(v), y, iy + j);
            };
            case SUB -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(b, ib));
                for (long j = 0; j < n; j += W) store(load(a, ia + j).sub(v), y, iy + j);
            };
            case MUL -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(b, ib));
                for (long j = 0; j < n; j += W) store(load(a, ia + j).mul(v), y, iy + j);
            };
            case DIV -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(b, ib));
                for (long j = 0; j < n; j += W) store(load(a, ia + j).div(v), y, iy + j);
            };
        };
    }

    /// A number and a row.
    private static Run numberAndRow(Binary f) {
        return switch (f) {
            case ADD -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(a, ia));
                for (long j = 0; j < n; j += W) store(v.add(load(b, ib + j)), y, iy + j);
            };
            case SUB -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(a, ia));
                for (long j = 0; j < n; j += W) store(v.sub(load(b, ib + j)), y, iy + j);
            };
            case MUL -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(a, ia));
                for (long j = 0; j < n; j += W) store(v.mul(load(b, ib + j)), y, iy + j);
            };
            case DIV -> (y, iy, a, ia, b, ib, n) -> {
                var v = all(at(a, ia));
                for (long j = 0; j < n; j += W) store(v.div(load(b, ib + j)), y, iy + j);
            };
        };
    }
}
