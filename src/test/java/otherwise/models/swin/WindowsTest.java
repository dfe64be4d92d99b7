package otherwise.models.swin;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import org.junit.jupiter.api.Test;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

/// Windows on grids small enough to be written down.
class WindowsTest {
    private final Reference backend = new Reference();

    /// Five tokens in windows of two, rolled by one: 1 2 | 3 4 | (filled up) 0. The last window joins the two ends, which must not see
    /// each other.
    @Test
    void aRowOfFiveRolledByOne() {
        var windows = Windows.of(backend, new Grid(1, 1, 1, 5), List.of(1, 1, 2), true);
        assertEquals(3, windows.count());
        assertArrayEquals(new long[] {1, 2, 3, 4, -1, 0}, longs(windows.partition()));
        assertArrayEquals(new long[] {5, 0, 1, 2, 3}, longs(windows.reverse()));
        assertArrayEquals(
                new double[] {0, 0, 0, 0, 0, 0, 0, 0, 0, -100, -100, 0}, windows.mask().doubles());
    }

    /// A window as large as an axis, or larger, is clipped to it and not shifted along it.
    @Test
    void largeWindowsAreClippedAndStay() {
        var windows = Windows.of(backend, new Grid(2, 3, 2, 2), List.of(8, 7, 2), true);
        assertEquals(1, windows.count());
        assertEquals(12, windows.length());
        assertNull(windows.mask());
        assertArrayEquals(longs(windows.partition()), longs(windows.reverse()));
    }

    /// Going to windows and back changes nothing, at a size that is filled up along every axis.
    @Test
    void partitionAndReverse() {
        var grid = new Grid(2, 3, 5, 7);
        var x = Tensor.of(backend, java.util.stream.DoubleStream.iterate(1, v -> v + 1).limit(grid.tokens() * 2).toArray(), grid.tokens(),
                2);
        var windows = Windows.of(backend, grid, List.of(2, 3, 4), true);
        assertArrayEquals(x.doubles(), windows.reverse(windows.partition(x)).doubles());
    }

    /// Relative positions are those of the full window even for its first tokens alone: with a window of 1×2×3, token 3 lies a row below.
    @Test
    void biasIndexIsCutFromTheFullWindow() {
        var config = new SwinConfig(List.of(2, 4, 4), 4, List.of(1), List.of(1), List.of(1, 2, 3), 4, 2, 1e-5);
        // (dh + 1) · 5 + dw + 2 for the positions (0,0) (0,1) (0,2) (1,0)
        assertArrayEquals(
                new long[] {7, 6, 5, 2, 8, 7, 6, 3, 9, 8, 7, 4, 12, 11, 10, 7}, WindowAttention.biasIndex(config, 4));
    }

    private long[] longs(Tensor index) {
        var values = new long[Math.toIntExact(index.size())];
        backend.download(index.data(), values);
        return values;
    }
}
