package otherwise.backend.cpu;

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
        parallel.range(axes.size(), Lanes.GRAIN, (from, to) -> {
            var walk = axes.walk(1, from / inner);
            long column = from % inner;
            for (long i = from; i < to;) {
                long n = Math.min(inner - column, to - i);
                long ia = walk.offset(0) + column * stepA;
                long ib = walk.offset(1) + column * stepB;
                if (stepA == 1 && stepB == 1) rows(f, y, i, a, ia, b, ib, n);
                else if (stepA == 1 && stepB == 0) rowAndNumber(f, y, i, a, ia, at(b, ib), n);
                else if (stepA == 0 && stepB == 1) numberAndRow(f, y, i, at(a, ia), b, ib, n);
                else for (long j = 0; j < n; j++) put(y, i + j, apply(f, at(a, ia + j * stepA), at(b, ib + j * stepB)));
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

    private static void rows(Binary f, MemorySegment y, long iy, MemorySegment a, long ia, MemorySegment b, long ib, long n) {
        long end = whole(n);
        switch (f) {
            case ADD -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).add(load(b, ib + j)), y, iy + j);
            }
            case SUB -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).sub(load(b, ib + j)), y, iy + j);
            }
            case MUL -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).mul(load(b, ib + j)), y, iy + j);
            }
            case DIV -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).div(load(b, ib + j)), y, iy + j);
            }
        }
        for (long j = end; j < n; j++) put(y, iy + j, apply(f, at(a, ia + j), at(b, ib + j)));
    }

    private static void rowAndNumber(Binary f, MemorySegment y, long iy, MemorySegment a, long ia, float number, long n) {
        long end = whole(n);
        var b = all(number);
        switch (f) {
            case ADD -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).add(b), y, iy + j);
            }
            case SUB -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).sub(b), y, iy + j);
            }
            case MUL -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).mul(b), y, iy + j);
            }
            case DIV -> {
                for (long j = 0; j < end; j += W) store(load(a, ia + j).div(b), y, iy + j);
            }
        }
        for (long j = end; j < n; j++) put(y, iy + j, apply(f, at(a, ia + j), number));
    }

    private static void numberAndRow(Binary f, MemorySegment y, long iy, float number, MemorySegment b, long ib, long n) {
        long end = whole(n);
        var a = all(number);
        switch (f) {
            case ADD, MUL -> {
                rowAndNumber(f, y, iy, b, ib, number, n);
                return;
            }
            case SUB -> {
                for (long j = 0; j < end; j += W) store(a.sub(load(b, ib + j)), y, iy + j);
            }
            case DIV -> {
                for (long j = 0; j < end; j += W) store(a.div(load(b, ib + j)), y, iy + j);
            }
        }
        for (long j = end; j < n; j++) put(y, iy + j, apply(f, number, at(b, ib + j)));
    }
}
